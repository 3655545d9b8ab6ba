"""All stores that are in use, and the way to change one.

A change is decided on what memory holds, goes into the record of the host call that makes it, and
is seen in memory once that record is queued. Between the two nobody else may decide on the same
store, so whoever wants to change one claims it first. Only a shared store is ever contended.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Protocol

from theater.chain.content import plain_digest
from theater.errors import TimedOut
from theater.journal.port import Journal, StoreImage
from theater.journal.records import Keep, PutContent, SetLabel, Step
from theater.limits import STORE_CLAIM_MS_MAX, STORE_IMAGES_MAX
from theater.store.guest_store import GuestStore


class Claimant(Protocol):
    """Who changes a store: one call of an actor."""

    @property
    def actor(self) -> str: ...


class Stores:
    """The stores of a node. Safe for several threads."""

    def __init__(
        self,
        journal: Journal,
        *,
        images_max: int = STORE_IMAGES_MAX,
        claim_ms_max: int = STORE_CLAIM_MS_MAX,
    ) -> None:
        self._journal = journal
        self._images_max = images_max
        self._claim_ms_max = claim_ms_max
        self._loading = threading.Lock()
        self._lock = threading.Lock()
        self._released = threading.Condition(self._lock)
        self._images: OrderedDict[str, GuestStore] = OrderedDict()
        self._owned: OrderedDict[str, dict[str, int]] = OrderedDict()
        self._claims: dict[str, Claimant] = {}

    def find(self, store_id: str) -> GuestStore | None:
        """A store to look at, None if there is none of this id."""
        with self._lock:
            found = self._images.get(store_id)
            if found is not None:
                self._images.move_to_end(store_id)
                return found
        # Loads take turns, so that no image older than a change can come after it.
        with self._loading:
            with self._lock:
                found = self._images.get(store_id)
            if found is None:
                image = self._journal.store_image(store_id)
                if image is None:
                    return None
                found = self._remember(store_id, GuestStore(image))
            return found

    def owned_bytes(self, owner: str) -> dict[str, int]:
        """The stores that an actor made, with the bytes of each."""
        with self._lock:
            known = self._owned.get(owner)
            if known is not None:
                self._owned.move_to_end(owner)
                return dict(known)
        with self._loading:
            self._journal.wait(self._journal.appended())
            images = {
                store: self._journal.store_image(store) for store in self._journal.stores_of(owner)
            }
            bytes_ = {
                store: sum(image.contents.values())
                for store, image in images.items()
                if image is not None
            }
            with self._lock:
                self._owned[owner] = bytes_
                if len(self._owned) > self._images_max:
                    self._owned.popitem(last=False)
                return dict(bytes_)

    def content(self, digest: bytes) -> bytes | None:
        """Bytes of content, checked against their hash; IntegrityError if they are others."""
        found = self._journal.content(digest)
        return None if found is None else found[1]

    def claim(self, store_id: str, by: Claimant) -> None:
        """Keep others from changing a store until `release`. Raises TimedOut if it stays claimed.

        A claim of an earlier call of the same actor is over: an actor has one call at a time.
        """
        deadline = time.monotonic() + self._claim_ms_max / 1000
        with self._lock:
            while (holder := self._claims.get(store_id)) is not None and holder.actor != by.actor:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimedOut(f"the store {store_id} is being changed by another actor")
                self._released.wait(left)
            self._claims[store_id] = by

    def release(self, by: Claimant) -> None:
        """Give up what a call has claimed."""
        with self._lock:
            held = [store for store, holder in self._claims.items() if holder is by]
            for store in held:
                del self._claims[store]
            if held:
                self._released.notify_all()

    def made(self, store_id: str, owner: str) -> None:
        """See a new store, whose record is queued."""
        self._remember(store_id, GuestStore(StoreImage(owner, {}, {})))
        with self._lock:
            if owner in self._owned:
                self._owned[owner].setdefault(store_id, 0)

    def changed(self, store_id: str, store: GuestStore) -> None:
        """See a store as a queued record left it."""
        self._remember(store_id, store)
        with self._lock:
            if store.owner in self._owned:
                self._owned[store.owner][store_id] = store.bytes

    def _remember(self, store_id: str, store: GuestStore) -> GuestStore:
        with self._lock:
            store = self._images.setdefault(store_id, store)
            self._images.move_to_end(store_id)
            excess = len(self._images) - self._images_max
            if excess > 0:
                idle = [other for other in self._images if other not in self._claims]
                for other in idle[:excess]:
                    if other != store_id:
                        del self._images[other]
            return store


class Change:
    """What one host call does to one store: steps for its record, and the same to memory."""

    def __init__(self, store_id: str, store: GuestStore) -> None:
        self.store_id = store_id
        self.steps: list[Step] = []
        self._store = store
        self._put: dict[bytes, int] = {}
        self._labels: dict[str, tuple[bytes, ...]] = {}

    def put(self, data: bytes) -> bytes:
        """Keep content and return its digest; nothing more if the store has it."""
        digest = plain_digest(data)
        if digest not in self._store.contents and digest not in self._put:
            self.steps.append(Keep(digest, None, data))
            self.steps.append(PutContent(self.store_id, digest, len(data)))
            self._put[digest] = len(data)
        return digest

    def set_label(self, label: str, references: tuple[bytes, ...]) -> None:
        """Give a label these references, oldest first; none removes it."""
        if references != self._store.references(label):
            self.steps.append(SetLabel(self.store_id, label, references))
            self._labels[label] = references

    def apply(self) -> GuestStore:
        """Make the change visible in memory, now that its record is queued; returns the store."""
        store = self._store
        for digest, length in self._put.items():
            store.contents[digest] = length
            store.bytes += length
        for label, references in self._labels.items():
            if references:
                store.labels[label] = references
            else:
                store.labels.pop(label, None)
        return store
