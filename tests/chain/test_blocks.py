"""The EVENT block as its format has it, and what is refused in one."""

from __future__ import annotations

import io

import msgspec
import pytest

from tests.chain.sample import every_type, realistic
from theater.chain import blocks, files
from theater.chain.blocks import FOREIGN
from theater.chain.event import Event, make_event
from theater.errors import CodecError
from theater.values.cbor import encode

PARENT = b"p" * 32
EVENT = make_event(0, 7, bytes(32), "actor-x", encode({"a": 1}))
WRITTEN = (
    f"EVENT {EVENT.hash.hex()}\n0000000000000000\nactor-x\n4\nat 7\ndigest {EVENT.data_digest.hex()}"
    "\n\n\xa1aa\x01\n\n"
).encode("latin-1")
RUST = b"EVENT " + b"ab" * 20 + b"\n" + b"0" * 40 + b"\nwasm\n5\n\nhello\n\n"


def read(data: bytes) -> list[Event]:
    return list(files.read(io.BytesIO(data)))


def test_a_block_has_the_lines_of_the_format() -> None:
    assert blocks.block(EVENT) == WRITTEN
    second = make_event(1, 7, PARENT, "a/b", encode({}))
    lines = blocks.block(second).split(b"\n")
    assert lines[1] == PARENT.hex().encode()
    assert lines[2:5] == [b"a/b", b"1", b"at 7"]


def test_a_part_of_a_chain_begins_with_its_number() -> None:
    part = realistic()[4:6]
    whole = b"".join(blocks.write(part))
    assert whole.startswith(b"FROM 4\nEVENT ")
    assert whole.count(b"FROM") == 1


def test_an_event_whose_data_is_gone_has_a_length_of_nought() -> None:
    gone = msgspec.structs.replace(EVENT, data=None)
    lines = blocks.block(gone).split(b"\n")
    assert lines[3] == b"0"
    assert read(blocks.block(gone)) == [gone]


def test_the_digest_follows_from_a_body_and_may_be_missing() -> None:
    line = f"digest {EVENT.data_digest.hex()}\n".encode()
    assert read(WRITTEN.replace(line, b"")) == [EVENT]


@pytest.mark.parametrize(
    "written", [RUST, WRITTEN.replace(b"at 7\n", b"")], ids=["a short hash", "no time"]
)
def test_a_block_of_the_rust_system_is_named_as_one(written: bytes) -> None:
    with pytest.raises(CodecError) as refused:
        read(written)
    assert refused.value.code == FOREIGN


REFUSED = {
    "another word": WRITTEN + WRITTEN.replace(b"EVENT", b"EVEN7"),
    "a hash in capitals": WRITTEN.replace(
        EVENT.hash.hex().encode(), EVENT.hash.hex().upper().encode()
    ),
    "a parent of 64 zeros": WRITTEN.replace(b"\n" + b"0" * 16, b"\n" + b"0" * 64),
    "a parent of 15 zeros": WRITTEN.replace(b"\n" + b"0" * 16, b"\n" + b"0" * 15),
    "no type": WRITTEN.replace(b"actor-x", b""),
    "a type that is not UTF-8": WRITTEN.replace(b"actor-x", b"actor-\xff"),
    "a length with a sign": WRITTEN.replace(b"\n4\n", b"\n+4\n"),
    "a length with a nought": WRITTEN.replace(b"\n4\n", b"\n04\n"),
    "a length too short": WRITTEN.replace(b"\n4\n", b"\n3\n"),
    "a length too long": WRITTEN.replace(b"\n4\n", b"\n5\n") + WRITTEN,
    "a body of 64 KiB and one": WRITTEN.replace(b"\n4\n", b"\n65537\n"),
    "a time with a nought": WRITTEN.replace(b"at 7", b"at 07"),
    "a time of 65 bits": WRITTEN.replace(b"at 7", b"at 18446744073709551616"),
    "a time of other digits": WRITTEN.replace(b"at 7", "at ٧".encode()),
    "two times": WRITTEN.replace(b"at 7", b"at 7\nat 7"),
    "a time after the digest": WRITTEN.replace(b"at 7\n", b"").replace(b"\n\n", b"\nat 7\n\n", 1),
    "an unknown line": WRITTEN.replace(b"at 7", b"at 7\nby me"),
    "carriage returns": WRITTEN.replace(b"\n", b"\r\n"),
    "an empty line too many": WRITTEN + b"\n" + WRITTEN,
    "neither body nor digest": b"EVENT " + b"0" * 64 + b"\n0000000000000000\na\n0\nat 1\n\n\n\n",
    "a number in the middle": WRITTEN + b"FROM 1\n" + WRITTEN,
    "a number with a nought": b"FROM 01\n" + WRITTEN,
    "more events than 64 bits can count": b"FROM 18446744073709551615\n" + WRITTEN + WRITTEN,
}


@pytest.mark.parametrize("written", REFUSED.values(), ids=REFUSED.keys())
def test_a_block_is_refused_with(written: bytes) -> None:
    with pytest.raises(CodecError) as refused:
        read(written)
    assert refused.value.code == CodecError.code
    assert {"event", "at"} <= refused.value.facts.keys()


def test_what_the_form_can_not_hold_is_not_written() -> None:
    events = every_type()
    for bad in (
        [msgspec.structs.replace(events[1], type="a\nb")],
        [msgspec.structs.replace(events[1], data=b"")],
        [events[1], events[3]],
    ):
        with pytest.raises(CodecError):
            list(blocks.write(bad))
