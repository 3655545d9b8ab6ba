"""Chains as a CBOR sequence: one array an event, nothing between them.

Source: chain format version 1, "Files", form 3; RFC 8742. The shortest form, and the only one in which
nothing stands twice: the hash is computed on reading, so a changed last event shows only against a
trusted head. Items are deterministic CBOR, and each length is compared with its bound first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NoReturn

from theater.chain.event import ZERO_HASH, Event, event_hash
from theater.chain.scanner import Scanner
from theater.errors import CodecError
from theater.limits import EVENT_DATA_BYTES_MAX, EVENT_ITEM_BYTES_MAX, EVENT_TYPE_BYTES_MAX
from theater.values.cbor import NULL, head

ITEM: Final = 0x86
"""The first byte of an event: an array of six."""

_HASH: Final = b"\x58\x20"
_HASH_BYTES: Final = len(ZERO_HASH)


def write(events: Iterable[Event]) -> Iterator[bytes]:
    """Yield the items of a chain; CodecError for an event that is none."""
    return map(item, events)


def item(event: Event) -> bytes:
    """Return an event as [seq, at, parent, type, data or null, data_digest]."""
    try:
        type_ = event.type.encode()
    except UnicodeEncodeError:
        _unwritable(event, "its type has a lone surrogate")
    if not 1 <= len(type_) <= EVENT_TYPE_BYTES_MAX:
        _unwritable(event, "its type has not 1 to 255 bytes")
    data = event.data
    if data is not None and not 1 <= len(data) <= EVENT_DATA_BYTES_MAX:
        _unwritable(event, "its data is empty or longer than 64 KiB")
    return b"".join(
        (
            b"\x86",
            head(0, event.seq),
            head(0, event.at),
            _HASH,
            event.parent,
            head(3, len(type_)),
            type_,
            NULL if data is None else head(2, len(data)) + data,
            _HASH,
            event.data_digest,
        )
    )


def read(scanner: Scanner) -> Iterator[Event]:
    """Yield the events of a file, in bounded memory; a CodecError says at which event and byte."""
    while scanner.have(1):
        # One look for the whole item, so that its parts are slices of the window.
        scanner.have(EVENT_ITEM_BYTES_MAX)
        yield _item(scanner)
        scanner.event += 1


def _item(scanner: Scanner) -> Event:
    if scanner.take(1)[0] != ITEM:
        scanner.refuse("an event is an array of six")
    seq = _number(scanner, 0)
    at = _number(scanner, 0)
    parent = _digest(scanner, "the parent")
    type_length = _number(scanner, 3)
    if not 1 <= type_length <= EVENT_TYPE_BYTES_MAX:
        scanner.refuse("a type has 1 to 255 bytes")
    written = scanner.take(type_length)
    try:
        type_ = written.decode()
    except UnicodeDecodeError:
        scanner.refuse("the type is not UTF-8")
    data: bytes | None = None
    if scanner.peek(1) == NULL:
        scanner.place += 1
    else:
        length = _number(scanner, 2)
        if not 1 <= length <= EVENT_DATA_BYTES_MAX:
            scanner.refuse(f"data of {length} bytes; an event's has 1 to {EVENT_DATA_BYTES_MAX}")
        data = scanner.take(length)
    digest = _digest(scanner, "the digest")
    return Event(seq, at, parent, type_, data, digest, event_hash(seq, at, parent, written, digest))


def _number(scanner: Scanner, major: int) -> int:
    """The number in the head of the next part, which must be of a major type."""
    first = scanner.take(1)[0]
    number = first & 31
    if first >> 5 != major:
        scanner.refuse("a part of another kind than is due")
    if number < 24:
        return number
    if number > 27:
        scanner.refuse("an indefinite length or a reserved form")
    size = 1 << (number - 24)
    written = scanner.take(size)
    number = int.from_bytes(written, "big")
    if number < (24 if size == 1 else 1 << (size * 4)):
        scanner.refuse("a number is not in its shortest form")
    return number


def _digest(scanner: Scanner, what: str) -> bytes:
    if scanner.take(2) != _HASH:
        scanner.refuse(f"{what} is not a byte string of {_HASH_BYTES}")
    return scanner.take(_HASH_BYTES)


def _unwritable(event: Event, why: str) -> NoReturn:
    raise CodecError(f"event {event.seq} can't be written as CBOR: {why}", event=event.seq)
