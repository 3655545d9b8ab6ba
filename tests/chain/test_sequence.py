"""The CBOR sequence as its format has it, read by somebody else's decoder, and what is refused."""

from __future__ import annotations

import io

import cbor2
import msgspec
import pytest

from tests.chain.sample import every_type, without_data
from theater.chain import files, sequence
from theater.chain.event import Event
from theater.errors import CodecError

EVENT = every_type()[3]
ITEM = sequence.item(EVENT)


def read(data: bytes) -> list[Event]:
    return list(files.read(io.BytesIO(data)))


def test_another_decoder_reads_the_items_of_the_format() -> None:
    events = without_data(every_type(), [2, 3])
    stream = io.BytesIO(b"".join(sequence.write(events)))
    for event in events:
        assert cbor2.load(stream) == [
            event.seq,
            event.at,
            event.parent,
            event.type,
            event.data,
            event.data_digest,
        ]
    assert stream.read() == b""


def test_items_are_as_another_encoder_writes_them() -> None:
    for event in every_type():
        fields = [event.seq, event.at, event.parent, event.type, event.data, event.data_digest]
        assert sequence.item(event) == cbor2.dumps(fields, canonical=True)


FIELDS: list[object] = [
    EVENT.seq,
    EVENT.at,
    EVENT.parent,
    EVENT.type,
    EVENT.data,
    EVENT.data_digest,
]


def changed(place: int, value: object) -> bytes:
    return cbor2.dumps([*FIELDS[:place], value, *FIELDS[place + 1 :]])


REFUSED = {
    "seven fields": b"\x87" + ITEM[1:],
    "an indefinite array": b"\x9f" + ITEM[1:] + b"\xff",
    "a tag": b"\xc0" + ITEM,
    "a number below nothing": changed(0, -1),
    "a number as a float": changed(0, 3.0),
    "a number as a text": changed(0, "3"),
    "a number in a long form": b"\x86\x18\x03" + ITEM[2:],
    "a time above 64 bits": changed(1, 2**64),
    "a short parent": changed(2, b"p" * 31),
    "a parent that is none": changed(2, None),
    "a parent as a text": changed(2, "p" * 32),
    "a type of nothing": changed(3, ""),
    "a type of 256 bytes": changed(3, "a" * 256),
    "a type as bytes": changed(3, b"a"),
    "data of nothing": changed(4, b""),
    "data as a map": changed(4, {}),
    "data too long": changed(4, b"a" * 65537),
    "data undefined": changed(4, cbor2.undefined),
    "a short digest": changed(5, b"p" * 31),
    "no digest": changed(5, None),
}


@pytest.mark.parametrize("written", REFUSED.values(), ids=REFUSED.keys())
def test_an_item_is_refused_with(written: bytes) -> None:
    first = sequence.item(every_type()[2])
    found = []
    with pytest.raises(CodecError) as refused:
        for event in files.read(io.BytesIO(first + written + ITEM)):
            found.append(event)
    assert refused.value.code == CodecError.code
    assert refused.value.facts["event"] == 1
    assert found == [every_type()[2]]


def test_what_is_no_event_is_not_written() -> None:
    for bad in ({"data": b""}, {"seq": 2**64}, {"type": ""}, {"data": b"a" * 65537}):
        with pytest.raises(CodecError):
            sequence.item(msgspec.structs.replace(EVENT, **bad))


@pytest.mark.parametrize("data", [b"PK\x03\x04", b"\x00", b"EVIL", b"\xef\xbb\xbf{}", b" ", b"\n"])
def test_a_file_that_is_no_chain_is_named_as_such(data: bytes) -> None:
    with pytest.raises(CodecError) as refused:
        read(data)
    assert refused.value.code == files.UNKNOWN


@pytest.mark.parametrize("data", [b'[{"hash":[]}]', b"---\nhash: ab\n"])
def test_other_forms_of_the_rust_system_are_named_as_such(data: bytes) -> None:
    with pytest.raises(CodecError) as refused:
        read(data)
    assert refused.value.code == files.FOREIGN
