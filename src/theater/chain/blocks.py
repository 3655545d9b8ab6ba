"""Chains as EVENT blocks: a few lines of text for each event, then its data as it is.

Source: chain format version 1, "Files", form 2, which is the Rust system's form with two lines more.
Without `at` an event's hash can't be this format's, so a block that lacks it is refused as one of
that system; `digest` may be missing where there is a body that it follows from. A body of length 0
stands for data that is gone, because an event's data is a map and never empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final, NoReturn

from theater.chain.event import ZERO_HASH, Event
from theater.chain.scanner import Scanner
from theater.errors import CodecError
from theater.limits import EVENT_BLOCK_LINE_BYTES_MAX, EVENT_DATA_BYTES_MAX, EVENT_TYPE_BYTES_MAX
from theater.values.cbor import UINT_MAX

FOREIGN: Final = "encoding.foreign"
"""The code of the error for a file that is a chain, but of another system."""

_NO_PARENT: Final = b"0000000000000000"
_DIGITS: Final = frozenset(b"0123456789abcdef")
_ORDER: Final = "hash, parent, type, length, at, digest, an empty line, the body, an empty line"


def write(events: Iterable[Event]) -> Iterator[bytes]:
    """Yield the blocks of a chain, or of a part of one, which then begins with FROM.

    CodecError for what this form can't hold: a type with a line feed, data longer than an event's
    or empty, events that don't follow each other by their numbers.
    """
    due: int | None = None
    for event in events:
        if due is None:
            due = event.seq
            if due:
                yield b"FROM %d\n" % due
        if event.seq != due:
            raise CodecError(f"event {event.seq} does not follow event {due - 1}", event=event.seq)
        due += 1
        yield block(event)


def block(event: Event) -> bytes:
    """Return an event's block; CodecError for an event that this form can't hold."""
    data = b"" if event.data is None else event.data
    try:
        type_ = event.type.encode()
    except UnicodeEncodeError:
        _unwritable(event, "its type has a lone surrogate")
    if not 1 <= len(type_) <= EVENT_TYPE_BYTES_MAX:
        _unwritable(event, "its type has not 1 to 255 bytes")
    if b"\n" in type_:
        _unwritable(event, "its type has a line feed, which only the other forms can hold")
    if len(data) > EVENT_DATA_BYTES_MAX or event.data == b"":
        _unwritable(event, "its data is empty or longer than 64 KiB")
    parent = _NO_PARENT if event.parent == ZERO_HASH else event.parent.hex().encode()
    return b"EVENT %b\n%b\n%b\n%d\nat %d\ndigest %b\n\n%b\n\n" % (
        event.hash.hex().encode(),
        parent,
        type_,
        len(data),
        event.at,
        event.data_digest.hex().encode(),
        data,
    )


def read(scanner: Scanner) -> Iterator[Event]:
    """Yield the events of a file, in bounded memory; a CodecError says at which event and byte."""
    if scanner.peek(5) == b"FROM ":
        scanner.event = _number(scanner, b"FROM ", _line(scanner))
    while scanner.have(1):
        yield _block(scanner)
        if scanner.event == UINT_MAX and scanner.have(1):
            scanner.refuse("a chain has no event after this one")
        scanner.event += 1


def _block(scanner: Scanner) -> Event:
    first = _line(scanner)
    if not first.startswith(b"EVENT "):
        scanner.refuse("a block begins with EVENT and a hash")
    written_hash = first[6:]
    if len(written_hash) == 40:
        _foreign(scanner)
    hash_ = _digest(scanner, "the hash", written_hash)
    written_parent = _line(scanner)
    parent = (
        ZERO_HASH
        if written_parent == _NO_PARENT
        else _digest(scanner, "the parent", written_parent)
    )
    if written_parent != _NO_PARENT and parent == ZERO_HASH:
        scanner.refuse("no parent is written as sixteen zeros")
    type_ = _type(scanner, _line(scanner))
    length = _number(scanner, b"", _line(scanner))
    if length > EVENT_DATA_BYTES_MAX:
        scanner.refuse(f"a body of {length} bytes; an event's has at most {EVENT_DATA_BYTES_MAX}")
    at: int | None = None
    digest: bytes | None = None
    while line := _line(scanner):
        if line.startswith(b"at ") and at is None and digest is None:
            at = _number(scanner, b"at ", line)
        elif line.startswith(b"digest ") and digest is None:
            digest = _digest(scanner, "the digest", line[7:])
        else:
            scanner.refuse(f"a line that is not due; a block has {_ORDER}")
    body = scanner.take(length)
    if scanner.take(2) != b"\n\n":
        scanner.refuse("the body does not end where its length says, before an empty line")
    if at is None:
        _foreign(scanner)
    if digest is None:
        if not length:
            scanner.refuse("neither a body nor a digest of what it was")
        digest = sha256(body).digest()
    return Event(scanner.event, at, parent, type_, body or None, digest, hash_)


def _line(scanner: Scanner) -> bytes:
    return scanner.whole_line(EVENT_BLOCK_LINE_BYTES_MAX)


def _type(scanner: Scanner, line: bytes) -> str:
    if not 1 <= len(line) <= EVENT_TYPE_BYTES_MAX:
        scanner.refuse("a type has 1 to 255 bytes")
    try:
        return line.decode()
    except UnicodeDecodeError:
        scanner.refuse("the type is not UTF-8")


def _number(scanner: Scanner, word: bytes, line: bytes) -> int:
    digits = line.removeprefix(word)
    # Twenty digits are enough for 64 bits; int() of more could take long.
    if not digits.isdigit() or len(digits) > 20 or (digits[:1] == b"0" and digits != b"0"):
        scanner.refuse(f"{(word or b'a length ').decode()}is followed by no plain number")
    number = int(digits)
    if number > UINT_MAX:
        scanner.refuse("a number does not fit into 64 bits")
    return number


def _digest(scanner: Scanner, what: str, written: bytes) -> bytes:
    if len(written) != 64 or not _DIGITS.issuperset(written):
        scanner.refuse(f"{what} is not 64 lower-case hexadecimal digits")
    return bytes.fromhex(written.decode())


def _foreign(scanner: Scanner) -> NoReturn:
    scanner.refuse(
        "a block without a time (`at`), or with a shorter hash: this is a chain of the Rust system, "
        "which can't be read here",
        FOREIGN,
    )


def _unwritable(event: Event, why: str) -> NoReturn:
    raise CodecError(
        f"event {event.seq} can't be written as an EVENT block: {why}", event=event.seq
    )
