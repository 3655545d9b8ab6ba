"""The event, and the one function that computes its hash.

Source: chain format version 1. The hash covers `data` through its digest, so an event whose data
was redacted still verifies.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

ZERO_HASH: Final = bytes(32)
EVENT_TAG: Final = b"theater.event.v1"


@dataclass(frozen=True, slots=True)
class Event:
    """One link of a chain. `data` is None where it was redacted or pruned; its digest stays."""

    seq: int
    at: int
    parent: bytes
    type: str
    data: bytes | None
    data_digest: bytes
    hash: bytes


def event_hash(seq: int, at: int, parent: bytes, type_: bytes, data_digest: bytes) -> bytes:
    """Return the 32 bytes that name an event. `type_` is UTF-8, 1 to 255 bytes."""
    return sha256(
        b"%b%b%b%b%c%b%b"
        % (
            EVENT_TAG,
            seq.to_bytes(8, "big"),
            at.to_bytes(8, "big"),
            parent,
            len(type_),
            type_,
            data_digest,
        )
    ).digest()


def make_event(seq: int, at: int, parent: bytes, type_: str, data: bytes) -> Event:
    """Return the event that follows `parent`, with its digest and hash computed."""
    digest = sha256(data).digest()
    return Event(
        seq, at, parent, type_, data, digest, event_hash(seq, at, parent, type_.encode(), digest)
    )
