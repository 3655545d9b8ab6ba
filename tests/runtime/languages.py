"""One guest in each language that leans on chance, time and what its instance remembers.

For tests that must hold for every language: what is said to it, and what it answers, read alike.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.guests.components import built
from tests.runtime.actors import guest, manifest
from theater.manifest.model import Manifest

HANDLERS = "".join(
    f'[[handler]]\ntype = "{name}"\n'
    for name in ("message-server", "store", "scheduler", "context", "registry", "supervisor")
)


@dataclass(frozen=True, slots=True)
class Observed:
    """An answer: how many calls the instance served with this one, and what must not repeat."""

    calls: int
    drawn: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Language:
    """A guest in a language. `seen` is how many requests its state counts, None if it has none."""

    name: str
    component: Callable[[Path], bytes]
    read: Callable[[bytes], Observed]
    seen: Callable[[bytes], int | None]

    def body(self, number: int) -> bytes:
        """A request; every third one waits on the clock first, where the guest can."""
        what = "observe_later" if number % 3 == 2 else "observe"
        return json.dumps({"do": what, "number": number}).encode()

    def manifest(self, instance_calls: int) -> Manifest:
        return manifest("impure", handlers=HANDLERS, instance_calls=instance_calls)


def _said(answer: bytes) -> Observed:
    read = json.loads(answer)
    drawn = (read["uuid"], str(read["random"]), json.dumps(read["token"]), str(read["time"]))
    return Observed(read["global_calls"], drawn)


def _bytes(answer: bytes) -> Observed:
    return Observed(int.from_bytes(answer[:8], "little"), (answer[8:].hex(),))


def _seen(state: bytes) -> int:
    return int(json.loads(state)["seen"])


LANGUAGES = {
    language.name: language
    for language in (
        Language("wat", lambda _cache: guest("impure"), _bytes, lambda _state: None),
        Language("python", lambda cache: built("impure", cache).read_bytes(), _said, _seen),
        Language(
            "quickjs", lambda cache: built("conformance-js", cache).read_bytes(), _said, _seen
        ),
        Language(
            "spidermonkey", lambda cache: built("conformance-sm", cache).read_bytes(), _said, _seen
        ),
    )
}
