"""A store of one actor in memory, for guests that run without a node."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from theater.values.types import Ok

STORE = "theater:simple/store"


@dataclass
class StoreDouble:
    """All functions of the store's interface, and what the conformance actors answer to `keep`."""

    content: dict[str, bytes] = field(default_factory=dict)
    labels: dict[str, list[str]] = field(default_factory=dict)

    def put(self, _: str, data: bytes) -> Ok:
        digest = hashlib.sha256(data).hexdigest()
        self.content[digest] = data
        return Ok({"hash": digest})

    def put_at(self, store: str, label: str, data: bytes) -> Ok:
        ref = self.put(store, data)
        self.labels.setdefault(label, []).append(ref.value["hash"])
        return ref

    def replace(self, store: str, label: str, data: bytes) -> Ok:
        self.labels[label] = []
        return self.put_at(store, label, data)

    @property
    def functions(self) -> dict[str, Callable[..., object]]:
        content, labels = self.content, self.labels
        return {
            f"{STORE}/new": lambda: Ok("store-1"),
            f"{STORE}/store": self.put,
            f"{STORE}/get": lambda _, ref: Ok(content[ref["hash"]]),
            f"{STORE}/exists": lambda _, ref: Ok(ref["hash"] in content),
            f"{STORE}/label": lambda _, label, ref: Ok(labels[label].append(ref["hash"])),
            f"{STORE}/get-by-label": lambda _, label: Ok(
                {"hash": labels[label][-1]} if label in labels else None
            ),
            f"{STORE}/remove-label": lambda _, label: Ok(labels.pop(label) and None),
            f"{STORE}/remove-from-label": lambda _, label, ref: Ok(
                labels[label].remove(ref["hash"])
            ),
            f"{STORE}/store-at-label": self.put_at,
            f"{STORE}/replace-content-at-label": self.replace,
            f"{STORE}/replace-at-label": lambda _, label, ref: Ok(
                labels.update({label: [ref["hash"]]})
            ),
            f"{STORE}/list-labels": lambda _: Ok(sorted(labels)),
            f"{STORE}/list-all-content": lambda _: Ok(
                [{"hash": digest} for digest in sorted(content)]
            ),
            f"{STORE}/calculate-total-size": lambda _: Ok(sum(map(len, content.values()))),
        }

    def expected(self, text: bytes) -> dict[str, object]:
        """The answer to `keep` with a text."""
        kept = (text, text + b"!", text * 2)
        return {
            "hashes": [hashlib.sha256(data).hexdigest() for data in kept],
            "latest_was_first": True,
            "read": (text * 2).decode(),
            "there": [True, False],
            "labels": ["kept"],
            "contents": 3,
            "size": sum(map(len, kept)),
            "nothing": None,
        }
