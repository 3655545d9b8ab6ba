"""Content as events name it: giving bytes a salted ref, and comparing bytes with a recorded one."""

from __future__ import annotations

from collections.abc import Callable

from theater import limits
from theater.chain.content import content_digest
from theater.chain.shapes import Part
from theater.chain.tip import Ref
from theater.journal.records import Keep, Step
from theater.runtime.ports import ContentSource


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
