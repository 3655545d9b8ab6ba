"""`theater:simple/store`: content by hash, under labels.

A store belongs to the actor that made it; to any other it does not exist, unless both grants name
it as shared. What a function changes is part of the record of its call. Source: store.wit beside
this file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Concatenate, Final, ParamSpec, TypeVar

from theater.errors import (
    Denied,
    IntegrityError,
    JournalFailed,
    NotFound,
    TheaterError,
    TooLarge,
    UsageError,
)
from theater.handlers.port import Effect, HostCall, HostFunction
from theater.handlers.store.grant import StoreGrant
from theater.handlers.store.types import TYPES
from theater.ids import store_id as store_id_of
from theater.journal.port import StoreImage
from theater.journal.records import NewStore
from theater.limits import (
    LABEL_CHARS_MAX,
    STORE_CONTENTS_MAX,
    STORE_LABEL_REFS_MAX,
    STORE_LABELS_MAX,
    STORES_MAX,
)
from theater.store import Change, GuestStore, Stores
from theater.store.guest_store import added, removed
from theater.values.types import Err, Ok

INTERFACE: Final = "theater:simple/store"
NOBODY: Final = ""
"""The owner of a shared store."""

_HASH: Final = re.compile(r"[0-9a-f]{64}")

P = ParamSpec("P")
R = TypeVar("R")
ContentRef = Mapping[str, str]


class StoreHandler:
    """What an actor imports to keep content."""

    type = "store"
    interfaces = (INTERFACE,)

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def functions(self, grant: object) -> Mapping[str, Mapping[str, HostFunction]]:
        """Its functions under a StoreGrant."""
        assert isinstance(grant, StoreGrant)
        bound = _Bound(self._stores, grant)
        runs: dict[str, Callable[..., Ok | Err]] = {
            "new": bound.new,
            "store": bound.store,
            "get": bound.get,
            "exists": bound.exists,
            "label": bound.label,
            "get-by-label": bound.get_by_label,
            "remove-label": bound.remove_label,
            "remove-from-label": bound.remove_from_label,
            "store-at-label": bound.store_at_label,
            "replace-content-at-label": bound.replace_content_at_label,
            "replace-at-label": bound.replace_at_label,
            "list-labels": bound.list_labels,
            "list-all-content": bound.list_all_content,
            "calculate-total-size": bound.calculate_total_size,
        }
        return {
            INTERFACE: {
                name: HostFunction(Effect.RECORDED, run, TYPES[name]) for name, run in runs.items()
            }
        }

    def release(self, call: HostCall) -> None:
        """Give up a store that a call claimed and did not come to change."""
        self._stores.release(call)


def _answered(
    function: Callable[Concatenate[_Bound, HostCall, P], object],
) -> Callable[Concatenate[_Bound, HostCall, P], Ok | Err]:
    """Give the guest a result: what the function returns, or the text of what it raises."""

    @wraps(function)
    def answer(bound: _Bound, call: HostCall, /, *args: P.args, **kwargs: P.kwargs) -> Ok | Err:
        try:
            return Ok(function(bound, call, *args, **kwargs))
        except JournalFailed:
            raise
        except TheaterError as error:
            return Err(f"{error.code}: {error.message}")

    return answer


class _Bound:
    """The functions under one grant."""

    def __init__(self, stores: Stores, grant: StoreGrant) -> None:
        self._stores = stores
        self._grant = grant

    @_answered
    def new(self, call: HostCall) -> str:
        if self._grant.store_id is not None:
            return self._grant.store_id
        if len(self._stores.owned_bytes(call.actor)) >= STORES_MAX:
            raise TooLarge(f"an actor has at most {STORES_MAX} stores")
        store_id = store_id_of(call.derive())
        call.step(NewStore(store_id, call.actor))
        call.after(lambda: self._stores.made(store_id, call.actor))
        return store_id

    @_answered
    def store(self, call: HostCall, store_id: str, content: bytes) -> dict[str, str]:
        self._check_size(content)
        return self._change(call, store_id, lambda change, store: self._put(change, store, content))

    @_answered
    def get(self, call: HostCall, store_id: str, content_ref: ContentRef) -> bytes:
        digest = _digest(content_ref)
        self._require(self._find(call, store_id), digest)
        data = self._stores.content(digest)
        if data is None:
            raise IntegrityError(f"the bytes of content {digest.hex()} are gone")
        return data

    @_answered
    def exists(self, call: HostCall, store_id: str, content_ref: ContentRef) -> bool:
        digest = _digest(content_ref)
        return digest in self._find(call, store_id).contents

    @_answered
    def label(self, call: HostCall, store_id: str, label: str, content_ref: ContentRef) -> None:
        _check_label(label)
        digest = _digest(content_ref)

        def decide(change: Change, store: GuestStore) -> None:
            self._require(store, digest)
            _add(change, store, label, digest)

        self._change(call, store_id, decide)

    @_answered
    def get_by_label(self, call: HostCall, store_id: str, label: str) -> dict[str, str] | None:
        _check_label(label)
        references = self._find(call, store_id).references(label)
        return _ref(references[-1]) if references else None

    @_answered
    def remove_label(self, call: HostCall, store_id: str, label: str) -> None:
        _check_label(label)
        self._change(call, store_id, lambda change, _: change.set_label(label, ()))

    @_answered
    def remove_from_label(
        self, call: HostCall, store_id: str, label: str, content_ref: ContentRef
    ) -> None:
        _check_label(label)
        digest = _digest(content_ref)

        def decide(change: Change, store: GuestStore) -> None:
            change.set_label(label, removed(store.references(label), digest))

        self._change(call, store_id, decide)

    @_answered
    def store_at_label(
        self, call: HostCall, store_id: str, label: str, content: bytes
    ) -> dict[str, str]:
        self._check_size(content)
        _check_label(label)

        def decide(change: Change, store: GuestStore) -> dict[str, str]:
            ref = self._put(change, store, content)
            _add(change, store, label, _digest(ref))
            return ref

        return self._change(call, store_id, decide)

    @_answered
    def replace_content_at_label(
        self, call: HostCall, store_id: str, label: str, content: bytes
    ) -> dict[str, str]:
        self._check_size(content)
        _check_label(label)

        def decide(change: Change, store: GuestStore) -> dict[str, str]:
            ref = self._put(change, store, content)
            _replace(change, store, label, _digest(ref))
            return ref

        return self._change(call, store_id, decide)

    @_answered
    def replace_at_label(
        self, call: HostCall, store_id: str, label: str, content_ref: ContentRef
    ) -> None:
        _check_label(label)
        digest = _digest(content_ref)

        def decide(change: Change, store: GuestStore) -> None:
            self._require(store, digest)
            _replace(change, store, label, digest)

        self._change(call, store_id, decide)

    @_answered
    def list_labels(self, call: HostCall, store_id: str) -> list[str]:
        return self._find(call, store_id).sorted_labels()

    @_answered
    def list_all_content(self, call: HostCall, store_id: str) -> list[dict[str, str]]:
        return [_ref(digest) for digest in self._find(call, store_id).sorted_contents()]

    @_answered
    def calculate_total_size(self, call: HostCall, store_id: str) -> int:
        return self._find(call, store_id).bytes

    def _find(self, call: HostCall, store_id: str) -> GuestStore:
        """The store, if it is this actor's to use. Another's is no different from none."""
        shared = store_id == self._grant.store_id
        found = self._stores.find(store_id)
        if found is None and shared:
            return GuestStore(StoreImage(NOBODY, {}, {}))
        if found is None or not (shared or found.owner == call.actor):
            raise NotFound(f"there is no store {store_id[:80]!r}", code="store.not_found")
        return found

    def _change(
        self, call: HostCall, store_id: str, decide: Callable[[Change, GuestStore], R]
    ) -> R:
        """Decide on a store that nobody else changes meanwhile, and make it this call's doing."""
        self._find(call, store_id)  # before the claim: what isn't this actor's can't be held up
        self._stores.claim(store_id, call)
        try:
            store = self._find(call, store_id)
            change = Change(store_id, store)
            result = decide(change, store)
        except BaseException:
            self._stores.release(call)
            raise
        if not change.steps:
            self._stores.release(call)
            return result
        if self._stores.find(store_id) is None:
            call.step(NewStore(store_id, NOBODY))
        for step in change.steps:
            call.step(step)
        call.after(lambda: self._apply(call, change))
        return result

    def _apply(self, call: HostCall, change: Change) -> None:
        store = change.apply()
        self._stores.changed(change.store_id, store)
        self._stores.release(call)

    def _put(self, change: Change, store: GuestStore, content: bytes) -> dict[str, str]:
        before = len(change.steps)
        digest = change.put(content)
        if len(change.steps) > before:
            self._check_room(change.store_id, store, len(content))
        return _ref(digest)

    def _check_size(self, content: bytes) -> None:
        bound = self._grant.max_content_bytes
        if len(content) > bound:
            raise Denied(
                f"content of {len(content)} bytes is above the grant's max_content_bytes, {bound}"
            )

    def _check_room(self, store_id: str, store: GuestStore, length: int) -> None:
        if len(store.contents) >= STORE_CONTENTS_MAX:
            raise TooLarge(f"a store has at most {STORE_CONTENTS_MAX} contents")
        held = store.bytes
        if store_id != self._grant.store_id:
            owned = self._stores.owned_bytes(store.owner)
            held += sum(bytes_ for other, bytes_ in owned.items() if other != store_id)
        bound = self._grant.max_bytes
        if held + length > bound:
            raise Denied(
                f"{length} bytes more than the {held} that are kept are above the grant's "
                f"max_bytes, {bound}"
            )

    def _require(self, store: GuestStore, digest: bytes) -> None:
        if digest not in store.contents:
            raise NotFound(f"the store has no content {digest.hex()}", code="content.not_found")


def _add(change: Change, store: GuestStore, label: str, digest: bytes) -> None:
    references = added(store.references(label), digest)
    if len(references) > STORE_LABEL_REFS_MAX:
        raise TooLarge(f"a label has at most {STORE_LABEL_REFS_MAX} references")
    _check_labels(store, label)
    change.set_label(label, references)


def _replace(change: Change, store: GuestStore, label: str, digest: bytes) -> None:
    _check_labels(store, label)
    change.set_label(label, (digest,))


def _check_labels(store: GuestStore, label: str) -> None:
    if label not in store.labels and len(store.labels) >= STORE_LABELS_MAX:
        raise TooLarge(f"a store has at most {STORE_LABELS_MAX} labels")


def _check_label(label: str) -> None:
    if not 1 <= len(label) <= LABEL_CHARS_MAX:
        raise UsageError(
            f"a label has 1 to {LABEL_CHARS_MAX} characters, this one {len(label)}",
            code="label.invalid",
        )


def _digest(ref: ContentRef) -> bytes:
    hash_ = ref["hash"]
    if not _HASH.fullmatch(hash_):
        raise UsageError(
            "a content's hash has 64 lower-case hexadecimal digits", code="content.invalid"
        )
    return bytes.fromhex(hash_)


def _ref(digest: bytes) -> dict[str, str]:
    return {"hash": digest.hex()}
