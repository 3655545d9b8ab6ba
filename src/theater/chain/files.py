"""The three forms of a chain file behind one pair of functions, and which form a file has.

Source: chain format version 1, "Files". A file is known by its first bytes and not by its name, because
people rename files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final, assert_never

from theater.chain import blocks, jsonl, sequence
from theater.chain.blocks import FOREIGN
from theater.chain.event import Event
from theater.chain.scanner import Scanner, Source
from theater.errors import CodecError

UNKNOWN: Final = "encoding.not_a_chain"
"""The code of the error for a file that is no chain at all."""

_OPENINGS: Final = (b"EVENT ", b"FROM ")
_LOOK_BYTES: Final = 64


class Form(StrEnum):
    """A form of chain files, by the name that the command line has for it."""

    JSONL = "jsonl"
    BLOCKS = "chain"
    SEQUENCE = "cborseq"

    @property
    def suffix(self) -> str:
        """What the name of such a file ends in."""
        return f".{self.value}"


SUFFIXES: Final = tuple(form.suffix for form in Form)


def write(events: Iterable[Event], form: Form) -> Iterator[bytes]:
    """Yield a chain's file in pieces of one event; CodecError for an event that the form can't hold."""
    match form:
        case Form.JSONL:
            return jsonl.write(events)
        case Form.BLOCKS:
            return blocks.write(events)
        case Form.SEQUENCE:
            return sequence.write(events)
        case _:
            assert_never(form)


def read(source: Source) -> Iterator[Event]:
    """Yield the events of a file of any form, in bounded memory; an empty file has none.

    CodecError where the file is no chain, is cut off (`encoding.cut`) or is not as its form wants it,
    with the event and the byte, after all events before that.
    """
    scanner = Scanner(source)
    form = form_of(scanner.peek(_LOOK_BYTES))
    match form:
        case None:
            return
        case Form.JSONL:
            yield from jsonl.read_file(scanner)
        case Form.BLOCKS:
            yield from blocks.read(scanner)
        case Form.SEQUENCE:
            yield from sequence.read(scanner)
        case _:
            assert_never(form)


def form_of(first: bytes) -> Form | None:
    """Return the form of a file that begins with these bytes, None for an empty one.

    A few bytes are enough, and fewer if the file has no more. CodecError if it is of none.
    """
    if not first:
        return None
    if first[0] == sequence.ITEM:
        return Form.SEQUENCE
    if any(first.startswith(each) or each.startswith(first) for each in _OPENINGS):
        return Form.BLOCKS
    start = first.lstrip(b" \t\r\n")[:1]
    if start == b"{":
        return Form.JSONL
    if start == b"[" or first.startswith(b"---"):
        raise CodecError(
            "this has the form of a chain of the Rust system, which can't be read here",
            code=FOREIGN,
        )
    raise CodecError(
        "this is not a chain: it begins neither as JSON lines nor with EVENT nor as a CBOR sequence",
        code=UNKNOWN,
    )
