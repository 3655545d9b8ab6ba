"""Content as events name it: giving bytes a salted ref, and comparing bytes with a recorded one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from theater import limits
from theater.chain.content import content_digest
from theater.chain.shapes import Part
from theater.chain.tip import Ref
from theater.journal.records import Keep, Step
from theater.runtime.ports import ContentSource

RECENT_MAX: Final = 4
"""How many pieces of content a replay holds at once: those of a call and of the one before."""


class RecentContent:
    """A source that holds what it gave last: a state is what one call leaves and the next begins with."""

    def __init__(self, source: ContentSource) -> None:
        self._source = source
        self._recent: dict[bytes, tuple[bytes | None, bytes]] = {}

    def content(self, digest: bytes) -> tuple[bytes | None, bytes] | None:
        """Salt and bytes of content, None if it is not there."""
        found = self._recent.get(digest)
        if found is None:
            found = self._source.content(digest)
            if found is not None:
                if len(self._recent) >= RECENT_MAX:
                    del self._recent[next(iter(self._recent))]
                self._recent[digest] = found
        return found


def keep(data: bytes, salt: bytes, steps: list[Step]) -> Ref:
    """Return the ref of content; the step that keeps it is added to `steps`."""
    digest = content_digest(salt, data)
    steps.append(Keep(digest, salt, data))
    return digest, len(data)


def as_part(encoded: bytes, salt: Callable[[], bytes], steps: list[Step]) -> Part:
    """Return what stands in an event for a field: itself, or a ref with a step that keeps it."""
    if len(encoded) <= limits.INLINE_FIELD_BYTES_MAX:
        return encoded
    return keep(encoded, salt(), steps)


def is_same(recorded: Part, actual: bytes, source: ContentSource) -> bool:
    """Whether bytes are those that an event has or names.

    Without its content a ref can only be compared by length: the salt went with it.
    """
    if isinstance(recorded, bytes):
        return recorded == actual
    kept = source.content(recorded[0])
    if kept is None or kept[0] is None:
        return recorded[1] == len(actual)
    return content_digest(kept[0], actual) == recorded[0]
