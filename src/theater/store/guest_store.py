"""One guest's store as memory holds it: which content it has, and what its labels name.

The bytes are the journal's. A label holds each reference once, oldest first: a reference that is
added again moves to the end, so that the last one is always the one most recently added.
"""

from __future__ import annotations

from theater.journal.port import StoreImage


class GuestStore:
    """A store's content with lengths and labels with references. Changed by `Change` only."""

    __slots__ = ("bytes", "contents", "labels", "owner")

    def __init__(self, image: StoreImage) -> None:
        self.owner = image.owner
        self.contents = image.contents
        self.labels = image.labels
        self.bytes = sum(image.contents.values())

    def references(self, label: str) -> tuple[bytes, ...]:
        """A label's references, oldest first; none if there is no such label."""
        return self.labels.get(label, ())

    def sorted_labels(self) -> list[str]:
        return sorted(self.labels)

    def sorted_contents(self) -> list[bytes]:
        return sorted(self.contents)


def added(references: tuple[bytes, ...], digest: bytes) -> tuple[bytes, ...]:
    """Return a label's references with one added at the end, or moved there."""
    return (*removed(references, digest), digest)


def removed(references: tuple[bytes, ...], digest: bytes) -> tuple[bytes, ...]:
    """Return a label's references without one."""
    return tuple(kept for kept in references if kept != digest)
