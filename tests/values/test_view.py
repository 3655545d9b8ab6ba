"""What view promises, seen through the public names of its layer (values)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.values.strategies import items, key, typed_values
from theater.errors import CodecError
from theater.values.cbor import decode, encode
from theater.values.codec import decoder, encoder
from theater.values.types import (
    EnumOf,
    ListOf,
    OptionOf,
    Prim,
    RecordOf,
    ResultOf,
    TupleOf,
    VariantOf,
    WitType,
)
from theater.values.view import SAFE_INTEGER, item, read, show, text, view


@given(items)
def test_every_item_has_a_view_that_is_json(value: object) -> None:
    shown = view(value)
    assert json.loads(json.dumps(shown, allow_nan=False)) == shown


def shown_or_refused(show_it: Callable[[bytes], object], data: bytes) -> str:
    try:
        return json.dumps(show_it(data))
    except CodecError as error:
        return error.message


@given(items)
def test_encoded_bytes_are_shown_as_the_item_that_they_are(value: object) -> None:
    data = encode(value)
    assert shown_or_refused(show, data) == json.dumps(view(decode(data)))


@given(items, st.data())
def test_what_is_not_deterministic_is_not_shown(value: object, data: st.DataObject) -> None:
    whole = bytearray(encode({"a": value, "b": [value]}))
    for _ in range(data.draw(st.integers(0, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    changed = bytes(whole)[: data.draw(st.integers(0, len(whole) + 9))]
    assert shown_or_refused(show, changed) == shown_or_refused(lambda d: view(decode(d)), changed)


@given(st.binary(max_size=40))
def test_no_bytes_are_shown_otherwise_than_they_decode(data: bytes) -> None:
    assert shown_or_refused(show, data) == shown_or_refused(lambda d: view(decode(d)), data)


@pytest.mark.parametrize("levels", [1, 63, 64, 65])
def test_nesting_is_shown_as_deep_as_it_decodes(levels: int) -> None:
    for data in (b"\x81" * levels + b"\x00", b"\xa1\x61a" * levels + b"\xf6"):
        assert shown_or_refused(show, data) == shown_or_refused(lambda d: view(decode(d)), data)


@given(typed_values)
def test_a_view_given_its_type_is_the_value_again(typed: tuple[WitType, object]) -> None:
    wit, value = typed
    shown = json.loads(json.dumps(view(decode(encoder(wit)(value))), allow_nan=False))
    assert key(decoder(wit)(read(shown, wit))) == key(value)


plain_items = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-SAFE_INTEGER, SAFE_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10)
    | st.binary(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(plain_items)
def test_a_view_without_words_for_numbers_is_the_item_again(value: object) -> None:
    assert key(item(json.loads(json.dumps(view(value))))) == key(value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"\x00\xff", {"$bytes": "AP8="}),
        (2**53, 2**53),
        (2**53 + 1, "9007199254740993"),
        (-(2**53), -(2**53)),
        (-(2**64), "-18446744073709551616"),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (1.0, 1.0),
        ({"a": [b""]}, {"a": [{"$bytes": ""}]}),
    ],
)
def test_an_item_looks_as_the_format_says(value: object, shown: object) -> None:
    assert key(view(value)) == key(shown)


@pytest.mark.parametrize(
    ("wit", "shown", "value"),
    [
        (ListOf(Prim.U8), "hé", "hé".encode()),
        (ListOf(Prim.U8), {"$bytes": "AP8="}, b"\x00\xff"),
        (Prim.U64, "18446744073709551615", 2**64 - 1),
        (Prim.F64, 3, 3.0),
        (Prim.F64, "NaN", math.nan),
        (OptionOf(OptionOf(Prim.U8)), [None], [None]),
        (ResultOf(None, ListOf(Prim.U8)), {"err": "no"}, {"err": b"no"}),
        (VariantOf((("a", Prim.F32),)), {"a": 1}, {"a": 1.0}),
        (EnumOf(("a",)), "a", "a"),
    ],
)
def test_what_a_person_typed_is_read_by_its_type(
    wit: WitType, shown: object, value: object
) -> None:
    assert key(read(shown, wit)) == key(value)


@pytest.mark.parametrize(
    ("wit", "shown"),
    [
        (ListOf(Prim.U8), [1]),
        (ListOf(Prim.U8), {"$bytes": "A"}),
        (ListOf(Prim.U8), {"$bytes": "AP9="}),
        (ListOf(Prim.U8), {"$bytes": "AP8=", "more": 1}),
        (Prim.U8, "1e3"),
        (Prim.U8, "٣"),
        (Prim.U8, "9" * 5000),
        (Prim.F64, True),
        (Prim.F64, "nan"),
        (Prim.F64, 10**400),
        (TupleOf((Prim.U8,)), [1, 2]),
        (RecordOf((("a", Prim.U8),)), {"b": 1}),
        (VariantOf((("a", None),)), "a"),
        (VariantOf((("a", None),)), {}),
        (ResultOf(None, None), {"ok": None, "err": None}),
        (OptionOf(OptionOf(Prim.U8)), 3),
    ],
)
def test_what_can_not_be_of_the_type_is_refused(wit: WitType, shown: object) -> None:
    with pytest.raises(CodecError):
        read(shown, wit)


def test_a_view_of_endless_depth_is_refused() -> None:
    deep: object = 0
    for _ in range(900):
        deep = [deep]
    with pytest.raises(CodecError):
        item(deep)
    assert text(deep)


@given(items, st.integers(1, 200))
def test_the_text_for_people_is_one_printable_line_of_bounded_length(
    value: object, limit: int
) -> None:
    shown = text(value, limit)
    assert len(shown) <= limit
    assert shown.isprintable()


def test_the_text_for_people_shows_bytes_as_what_they_are() -> None:
    assert text({"a": b"hello", "b": [b"\xff\x00", None, 1.5, True]}) == (
        '{"a": b"hello", "b": [<2 bytes ff00>, null, 1.5, true]}'
    )
    assert text("a\x1b[31m\x9b\u202e") == '"a\\u001b[31m\\x9b\\u202e"'
