"""How consecutive events of one chain are packed into the bytes of one row.

    run   = 0x01 | parent of the first event, 32 bytes | event, event, …
    event = at, 8 bytes | length of type, 1 byte | length of data, 4 bytes | type | data | hash

All numbers are big endian. Where data is gone its length is 0xFFFFFFFF and its digest, 32 bytes,
stands in its place. Digest and parent of the other events are not kept: reading recomputes them,
and the kept hash says whether they are what they were.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from struct import Struct
from struct import error as StructError  # noqa: N812 - the name says what it is here
from typing import Final

from theater.chain.event import Event, event_hash
from theater.errors import IntegrityError
from theater.limits import JOURNAL_RUN_BYTES_MAX, JOURNAL_RUN_EVENTS_MAX

VERSION: Final = b"\x01"
GONE: Final = 0xFFFFFFFF
HASH_BYTES: Final = 32
_HEAD: Final = Struct(">QBI")
_EVENT_BYTES: Final = _HEAD.size + HASH_BYTES
_EVENTS_AT: Final = len(VERSION) + HASH_BYTES


def pack(events: Sequence[Event]) -> list[tuple[int, int, bytes]]:
    """Return consecutive events as runs below their bounds: seq of the first, how many, bytes."""
    runs: list[tuple[int, int, bytes]] = []
    parts = [VERSION, events[0].parent]
    begin = size = 0
    head = _HEAD.pack
    for at, event in enumerate(events):
        data = event.data
        if data is None:
            length, data = GONE, event.data_digest
        else:
            length = len(data)
        if at > begin and (
            at - begin >= JOURNAL_RUN_EVENTS_MAX or size + len(data) > JOURNAL_RUN_BYTES_MAX
        ):
            runs.append((events[begin].seq, at - begin, b"".join(parts)))
            parts = [VERSION, event.parent]
            begin, size = at, 0
        type_ = event.type.encode()
        size += len(data) + len(type_) + _EVENT_BYTES
        parts += (head(event.at, len(type_), length), type_, data, event.hash)
    runs.append((events[begin].seq, len(events) - begin, b"".join(parts)))
    return runs


def unpack(actor: str, first: int, count: int, run: bytes) -> Iterator[Event]:
    """Yield the events of a run, each with its digest and hash recomputed; IntegrityError if they differ."""
    parent = run[1:_EVENTS_AT]
    at = _EVENTS_AT
    seq = first
    if run[:1] != VERSION or len(parent) != HASH_BYTES:
        raise _damaged(actor, seq)
    for seq in range(first, first + count):
        try:
            time, type_length, length = _HEAD.unpack_from(run, at)
            at += _HEAD.size
            encoded = run[at : at + type_length]
            type_ = encoded.decode()
        except (StructError, UnicodeDecodeError) as error:
            raise _damaged(actor, seq) from error
        at += type_length
        data: bytes | None
        if length == GONE:
            data, digest = None, run[at : at + HASH_BYTES]
            at += HASH_BYTES
        else:
            data = run[at : at + length]
            digest = sha256(data).digest()
            at += length
        hash_ = run[at : at + HASH_BYTES]
        at += HASH_BYTES
        if event_hash(seq, time, parent, encoded, digest) != hash_:
            raise _damaged(actor, seq)
        yield Event(seq, time, parent, type_, data, digest, hash_)
        parent = hash_
    if at != len(run):
        raise _damaged(actor, seq)


def _damaged(actor: str, seq: int) -> IntegrityError:
    return IntegrityError(
        f"event {seq} of actor {actor} is not the one that was recorded", actor=actor, seq=seq
    )
