"""What cbor promises, seen through the public names of its layer (values)."""

from __future__ import annotations

import math
import tracemalloc

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.values.strategies import items, key
from theater.errors import CodecError
from theater.limits import CBOR_DEPTH_MAX
from theater.values.cbor import Raw, decode, encode, head, skip


@given(items)
def test_what_is_written_is_read_back_the_same(item: object) -> None:
    assert key(decode(encode(item))) == key(item)


@given(items)
def test_the_encoding_is_the_canonical_one_of_an_independent_library(item: object) -> None:
    assert encode(item) == cbor2.dumps(item, canonical=True)


@given(items)
def test_skipping_an_item_ends_where_reading_it_ends(item: object) -> None:
    data = encode(item)
    assert skip(data, 0, CBOR_DEPTH_MAX) == len(data)
    assert skip(b"\x00" + data + b"\xff", 1, CBOR_DEPTH_MAX) == 1 + len(data)


@given(st.binary(max_size=60))
def test_whatever_is_read_has_no_other_encoding(data: bytes) -> None:
    try:
        item = decode(data)
    except CodecError:
        return
    assert encode(item) == data


@given(items, st.data())
def test_a_changed_byte_is_refused_or_another_value(item: object, draw: st.DataObject) -> None:
    data = bytearray(encode(item))
    at = draw.draw(st.integers(0, len(data) - 1))
    data[at] ^= draw.draw(st.integers(1, 255))
    try:
        changed = decode(bytes(data))
    except CodecError:
        return
    assert key(changed) != key(item)
    assert encode(changed) == data


@given(st.binary(max_size=60))
def test_skipping_and_reading_agree_on_what_is_refused(data: bytes) -> None:
    def skipped() -> bool:
        try:
            return skip(data, 0, CBOR_DEPTH_MAX) == len(data)
        except CodecError:
            return False

    try:
        decode(data)
    except CodecError:
        assert not skipped()
    else:
        assert skipped()


REFUSED = {
    "nothing": "",
    "a second item": "0000",
    "a byte behind an array": "8000",
    "an integer in two bytes that fits in one": "1817",
    "an integer in three bytes that fits in two": "1900ff",
    "an integer in five bytes that fits in three": "1a0000ffff",
    "an integer in nine bytes that fits in five": "1b00000000ffffffff",
    "a negative integer in a longer form": "3817",
    "a text with a longer length": "780161",
    "a byte string with a longer length": "580100",
    "an array with a longer length": "980100",
    "a map with a longer length": "b801616100",
    "an array without a length": "9fff",
    "a map without a length": "bfff",
    "a text without a length": "7f6161ff",
    "a byte string without a length": "5f4100ff",
    "a break": "ff",
    "a tag": "c000",
    "a bignum": "c249010000000000000000",
    "a tag in an array": "81c100",
    "undefined": "f7",
    "a simple value": "e0",
    "a simple value in two bytes": "f8ff",
    "true in two bytes": "f815",
    "reserved additional information": "1c",
    "a reserved float": "fc",
    "a NaN with a payload": "f97e01",
    "a negative NaN": "f9fe00",
    "a NaN of four bytes": "fa7fc00000",
    "a NaN of eight bytes": "fb7ff8000000000000",
    "a signalling NaN": "f97d00",
    "a float of four bytes that fits in two": "fa3f800000",
    "a float of eight bytes that fits in four": "fb3ff3333340000000",
    "an infinity of four bytes": "fa7f800000",
    "a zero of eight bytes": "fb8000000000000000",
    "the same key twice": "a2616100616100",
    "keys in another order": "a2616200616100",
    "a longer key before a shorter": "a26261610061620" + "0",
    "a key that is a number": "a10000",
    "a key that is a byte string": "a1416100",
    "a key without a value": "a16161",
    "invalid UTF-8": "61ff",
    "an overlong form in UTF-8": "62c080",
    "a surrogate in UTF-8": "63eda080",
    "invalid UTF-8 in a key": "a161ff00",
    "a code point above Unicode": "64f4908080",
    "half a float": "f93c",
    "half a length": "19ff",
    "a text longer than the data": "6261",
    "a byte string longer than the data": "4200",
    "a byte string of 2**64 - 1 bytes": "5bffffffffffffffff",
    "a text of 2**64 - 1 bytes": "7bffffffffffffffff",
    "an array of 2**64 - 1 items": "9bffffffffffffffff",
    "a map of 2**64 - 1 entries": "bbffffffffffffffff",
    "an array of 2**32 items, some there": "9b0000000100000000" + "00" * 64,
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED.keys())
def test_the_reader_refuses(data: str) -> None:
    written = bytes.fromhex(data)
    with pytest.raises(CodecError):
        decode(written)
    with pytest.raises(CodecError):
        if skip(written, 0, CBOR_DEPTH_MAX) != len(written):
            raise CodecError("trailing")


def test_a_declared_length_costs_nothing_before_the_bytes_are_there() -> None:
    tracemalloc.start()
    try:
        for front in (b"\x5b", b"\x7b", b"\x9b", b"\xbb"):
            with pytest.raises(CodecError):
                decode(front + b"\x00\x00\x7f\xff\xff\xff\xff\xff" + bytes(100))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_as_many_levels_as_allowed_are_read_and_written_and_no_more() -> None:
    item: object = 0
    for _ in range(CBOR_DEPTH_MAX):
        item = [item]
    data = encode(item)
    assert decode(data) == item
    assert skip(data, 0, CBOR_DEPTH_MAX) == len(data)
    with pytest.raises(CodecError):
        encode([item])
    for front in (b"\x81", b"\xa1\x61a"):
        with pytest.raises(CodecError):
            decode(front + data)
        with pytest.raises(CodecError):
            skip(front + data, 0, CBOR_DEPTH_MAX)


@pytest.mark.parametrize("front", [b"\x81", b"\xa1\x61a", b"\xa2\x60\x00\x61a"])
def test_a_million_levels_are_refused_without_a_crash(front: bytes) -> None:
    data = front * 1_000_000 + b"\x00"
    with pytest.raises(CodecError):
        decode(data)
    with pytest.raises(CodecError):
        skip(data, 0, CBOR_DEPTH_MAX)


def test_maps_count_as_levels_however_many_entries_they_have() -> None:
    item: object = 0
    for number in range(CBOR_DEPTH_MAX):
        item = {"a": item} if number % 2 else {"a": item, "b": [1] if number else 1}
    data = encode(item)
    assert skip(data, 0, CBOR_DEPTH_MAX) == len(data)
    with pytest.raises(CodecError):
        skip(data, 0, CBOR_DEPTH_MAX - 1)
    with pytest.raises(CodecError):
        decode(b"\x81" + data)


def test_the_order_of_insertion_does_not_change_the_encoding() -> None:
    assert encode({"b": 1, "aa": 2, "a": 3}) == encode({"aa": 2, "a": 3, "b": 1})
    assert decode(encode({"b": 1, "aa": 2, "a": 3})) == {"a": 3, "b": 1, "aa": 2}
    assert list(decode(encode({"b": 1, "aa": 2, "a": 3}))) == ["a", "b", "aa"]  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (0.0, "f90000"),
        (-0.0, "f98000"),
        (1.5, "f93e00"),
        (65504.0, "f97bff"),
        (65505.0, "fa477fe100"),
        (5.960464477539063e-08, "f90001"),
        (1.1, "fb3ff199999999999a"),
        (3.4028234663852886e38, "fa7f7fffff"),
        (1e300, "fb7e37e43c8800759c"),
        (math.inf, "f97c00"),
        (-math.inf, "f9fc00"),
        (math.nan, "f97e00"),
        (2**64 - 1, "1bffffffffffffffff"),
        (-(2**64), "3bffffffffffffffff"),
        (True, "f5"),
        (1, "01"),
        ("", "60"),
        (b"", "40"),
        ((1, 2), "820102"),
        ({}, "a0"),
    ],
)
def test_a_value_has_the_bytes_of_the_standard(value: object, data: str) -> None:
    assert encode(value).hex() == data


@pytest.mark.parametrize(
    "value",
    [
        2**64,
        -(2**64) - 1,
        10**5000,
        "\ud800",
        {"\udfff": 1},
        {1: 2},
        {None: 1},
        object(),
        {1},
        bytearray(b"x"),
        memoryview(b"x"),
        1j,
        [object()],
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_writer_refuses(value: object) -> None:
    with pytest.raises(CodecError):
        encode(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(CodecError):
        encode(endless)


def test_an_encoded_item_is_put_in_as_it_is() -> None:
    assert encode({"a": Raw(encode([1, 2]))}) == encode({"a": [1, 2]})


@given(st.integers(0, 7), st.integers(0, 2**64 - 1))
def test_a_head_is_the_shortest_there_is(major: int, number: int) -> None:
    written = head(major, number)
    assert written[0] >> 5 == major
    size = next(
        n
        for n, most in ((1, 23), (2, 0xFF), (3, 0xFFFF), (5, 2**32 - 1), (9, 2**64))
        if number <= most
    )
    assert len(written) == size
