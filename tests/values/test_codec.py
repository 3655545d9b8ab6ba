"""What codec promises, seen through the public names of its layer (values)."""

from __future__ import annotations

import math
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.values.strategies import items, key, typed_values, types
from theater.errors import CodecError
from theater.limits import CBOR_DEPTH_MAX
from theater.values.cbor import decode, encode
from theater.values.codec import (
    TYPE_DEPTH_MAX,
    decode_all,
    decoder,
    depth,
    encode_all,
    encoder,
)
from theater.values.types import (
    Case,
    EnumOf,
    Err,
    FlagsOf,
    ListOf,
    Ok,
    OptionOf,
    Prim,
    RecordOf,
    Resource,
    ResultOf,
    Some,
    TupleOf,
    VariantOf,
    WitType,
)


@given(typed_values)
def test_a_value_comes_back_the_same_given_its_type(typed: tuple[WitType, object]) -> None:
    wit, value = typed
    assert key(decoder(wit)(decode(encoder(wit)(value)))) == key(value)


@given(typed_values)
def test_the_encoding_is_the_canonical_one_of_an_independent_library(
    typed: tuple[WitType, object],
) -> None:
    wit, value = typed
    data = encoder(wit)(value)
    assert cbor2.dumps(cbor2.loads(data), canonical=True) == data


@given(st.lists(typed_values, max_size=4))
def test_several_values_are_an_array(typed: list[tuple[WitType, object]]) -> None:
    wits, values = tuple(wit for wit, _ in typed), [value for _, value in typed]
    data = encode_all(wits)(values)
    assert key(decode_all(wits)(decode(data))) == key(tuple(values))
    assert data == encode([decode(encoder(wit)(value)) for wit, value in typed])


@given(types, items)
def test_an_item_of_no_value_is_refused_and_nothing_else_happens(
    wit: WitType, item: object
) -> None:
    try:
        value = decoder(wit)(item)
    except CodecError:
        return
    assert decode(encoder(wit)(value)) == item or key(decode(encoder(wit)(value))) == key(item)


@given(typed_values, typed_values)
def test_a_value_of_another_type_is_refused_and_nothing_else_happens(
    one: tuple[WitType, object], other: tuple[WitType, object]
) -> None:
    try:
        data = encoder(one[0])(other[1])
    except CodecError:
        return
    decoder(one[0])(decode(data))


@given(typed_values)
def test_no_value_is_deeper_than_its_type_says(typed: tuple[WitType, object]) -> None:
    def levels(item: object) -> int:
        if isinstance(item, list):
            return 1 + max(map(levels, item), default=0)
        if isinstance(item, dict):
            return 1 + max(map(levels, item.values()), default=0)
        return 0

    wit, value = typed
    assert levels(decode(encoder(wit)(value))) <= depth(wit)


FLAGS = FlagsOf(("read", "write", "run"))
VARIANT = VariantOf((("none", None), ("some", Prim.U8)))
RECORD = RecordOf((("name", Prim.STRING), ("age", Prim.U8)))


@pytest.mark.parametrize(
    ("wit", "value", "item"),
    [
        (Prim.CHAR, "é", "é"),
        (ListOf(Prim.U8), b"\x00\xff", b"\x00\xff"),
        (ListOf(Prim.S8), [1, -1], [1, -1]),
        (TupleOf((Prim.U8, Prim.BOOL)), (1, True), [1, True]),
        (RECORD, {"name": "n", "age": 3}, {"age": 3, "name": "n"}),
        (OptionOf(Prim.U8), None, None),
        (OptionOf(Prim.U8), 3, 3),
        (OptionOf(OptionOf(Prim.U8)), None, None),
        (OptionOf(OptionOf(Prim.U8)), Some(None), [None]),
        (OptionOf(OptionOf(Prim.U8)), Some(3), [3]),
        (OptionOf(OptionOf(OptionOf(Prim.U8))), Some(Some(None)), [[None]]),
        (ResultOf(None, Prim.STRING), Ok(), {"ok": None}),
        (ResultOf(None, Prim.STRING), Err("e"), {"err": "e"}),
        (ResultOf(OptionOf(Prim.U8), None), Ok(None), {"ok": None}),
        (VARIANT, Case("none"), {"none": None}),
        (VARIANT, Case("some", 7), {"some": 7}),
        (EnumOf(("a", "b")), "b", "b"),
        (FLAGS, frozenset({"run", "read"}), ["read", "run"]),
        (FLAGS, frozenset(), []),
        (Resource("wasi:io/poll@0.2/pollable", owned=True), 1, 1),
    ],
)
def test_a_type_has_the_form_that_the_format_says(
    wit: WitType, value: object, item: object
) -> None:
    assert encoder(wit)(value) == encode(item)
    assert decoder(wit)(item) == value


def test_every_nan_is_one() -> None:
    import struct

    (payload,) = struct.unpack(">d", bytes.fromhex("7ff8000000000001"))
    for wit in (Prim.F32, Prim.F64):
        assert encoder(wit)(payload) == b"\xf9\x7e\x00"
        assert encoder(wit)(-math.nan) == b"\xf9\x7e\x00"


WRONG: list[tuple[WitType, Any]] = [
    (Prim.BOOL, 1),
    (Prim.U8, True),
    (Prim.U8, -1),
    (Prim.U8, 256),
    (Prim.U8, 1.0),
    (Prim.S8, 128),
    (Prim.S64, 2**63),
    (Prim.U64, 2**64),
    (Prim.U64, "1"),
    (Prim.F64, 1),
    (Prim.F64, True),
    (Prim.F32, 0.1),
    (Prim.F32, 1e300),
    (Prim.CHAR, ""),
    (Prim.CHAR, "ab"),
    (Prim.STRING, b"a"),
    (Prim.STRING, None),
    (ListOf(Prim.U8), "a"),
    (ListOf(Prim.U8), [1]),
    (ListOf(Prim.U16), b"a"),
    (ListOf(Prim.U16), [-1]),
    (TupleOf((Prim.U8,)), ()),
    (TupleOf((Prim.U8,)), (1, 2)),
    (TupleOf(()), (1,)),
    (RECORD, {"name": "n"}),
    (RECORD, {"name": "n", "ag": 1}),
    (RECORD, {"name": "n", "age": 1, "more": 2}),
    (RECORD, None),
    (OptionOf(Prim.U8), "x"),
    (OptionOf(OptionOf(Prim.U8)), 3),
    (ResultOf(None, None), Ok(1)),
    (ResultOf(Prim.U8, None), Ok(None)),
    (ResultOf(Prim.U8, None), None),
    (VARIANT, Case("none", 1)),
    (VARIANT, Case("some")),
    (VARIANT, Case("other")),
    (VARIANT, "none"),
    (EnumOf(("a",)), "b"),
    (EnumOf(("a",)), 0),
    (FLAGS, frozenset({"fly"})),
    (FLAGS, "read"),
    (Resource("r", owned=False), 0),
    (Resource("r", owned=False), 2**32),
    (Resource("r", owned=False), True),
]


@pytest.mark.parametrize(("wit", "value"), WRONG)
def test_the_writer_refuses(wit: WitType, value: object) -> None:
    with pytest.raises(CodecError):
        encoder(wit)(value)


def test_a_lone_surrogate_is_refused() -> None:
    for wit in (Prim.STRING, Prim.CHAR):
        with pytest.raises(CodecError):
            encoder(wit)("\ud800")


WRONG_ITEMS: list[tuple[WitType, Any]] = [
    (Prim.BOOL, 1),
    (Prim.U8, True),
    (Prim.U8, 256),
    (Prim.F64, 1),
    (Prim.F32, 0.1),
    (Prim.CHAR, "ab"),
    (Prim.STRING, b"a"),
    (ListOf(Prim.U8), [1]),
    (ListOf(Prim.U16), {}),
    (TupleOf((Prim.U8,)), [1, 2]),
    (RECORD, {"name": "n"}),
    (RECORD, {"name": "n", "ag": 1}),
    (OptionOf(OptionOf(Prim.U8)), 3),
    (OptionOf(OptionOf(Prim.U8)), [1, 2]),
    (ResultOf(None, None), {"ok": 1}),
    (ResultOf(None, None), {"no": None}),
    (ResultOf(None, None), {}),
    (ResultOf(None, None), None),
    (VARIANT, {"none": 1}),
    (VARIANT, {"other": None}),
    (VARIANT, {"none": None, "some": 1}),
    (EnumOf(("a",)), "b"),
    (EnumOf(("a",)), ["a"]),
    (FLAGS, ["write", "read"]),
    (FLAGS, ["read", "read"]),
    (FLAGS, ["fly"]),
    (FLAGS, [["read"]]),
    (FLAGS, "read"),
    (Resource("r", owned=False), 0),
]


@pytest.mark.parametrize(("wit", "item"), WRONG_ITEMS)
def test_the_reader_refuses(wit: WitType, item: object) -> None:
    with pytest.raises(CodecError):
        decoder(wit)(item)


@pytest.mark.parametrize(
    "wit",
    [
        RecordOf((("a", Prim.U8), ("a", Prim.U8))),
        VariantOf((("a", None), ("a", Prim.U8))),
        EnumOf(("a", "a")),
        FlagsOf(("a", "a")),
    ],
)
def test_a_type_that_names_a_part_twice_is_refused(wit: WitType) -> None:
    with pytest.raises(CodecError):
        encoder(wit)
    with pytest.raises(CodecError):
        decoder(wit)


def test_a_type_deeper_than_a_reader_goes_is_refused_and_the_deepest_allowed_fits_an_event() -> (
    None
):
    wit: WitType = Prim.U8
    value: object = 1
    for _ in range(TYPE_DEPTH_MAX):
        wit, value = TupleOf((wit,)), (value,)
    assert depth(wit) == TYPE_DEPTH_MAX
    assert decode(encode({"input": [decode(encoder(wit)(value))]}))
    for deeper in (TupleOf((wit,)), ListOf(wit), OptionOf(OptionOf(wit)), ResultOf(None, wit)):
        with pytest.raises(CodecError):
            encoder(deeper)
        with pytest.raises(CodecError):
            decoder(deeper)
    assert TYPE_DEPTH_MAX < CBOR_DEPTH_MAX
