"""Typed values as JSON, both ways; the SDK's pure part runs here as it does in a component."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "guests" / "python"))

from theater_guest import shapes

untimed = settings(deadline=None)


class Colour(Enum):
    RED = "red"
    BLUE = 2


@dataclass
class Point:
    x: int
    y: float = 0.5


@dataclass
class Everything:
    flag: bool
    count: int
    ratio: float
    text: str
    raw: bytes
    words: list[str]
    table: dict[str, int]
    numbered: dict[int, str]
    pair: tuple[int, str]
    many: tuple[Point, ...]
    unique: set[str]
    maybe: Point | None
    either: int | str | list[int]
    mode: Literal["on", "off"]
    colour: Colour
    when: datetime
    day: date
    anything: Any = None
    nested: dict[str, list[Point]] = field(default_factory=dict)


def text() -> st.SearchStrategy[str]:
    return st.text(st.characters(exclude_categories=["Cs"]))


@st.composite
def everything(draw: st.DrawFn) -> Everything:
    whole = st.integers()
    numbers = st.floats(allow_nan=False, allow_infinity=False)
    points = st.builds(Point, whole, numbers)
    return Everything(
        flag=draw(st.booleans()),
        count=draw(whole),
        ratio=draw(numbers),
        text=draw(text()),
        raw=draw(st.binary()),
        words=draw(st.lists(text())),
        table=draw(st.dictionaries(text(), whole)),
        numbered=draw(st.dictionaries(whole, text())),
        pair=(draw(whole), draw(text())),
        many=tuple(draw(st.lists(points))),
        unique=draw(st.sets(text())),
        maybe=draw(st.none() | points),
        either=draw(whole | text() | st.lists(whole)),
        mode=draw(st.sampled_from(["on", "off"])),
        colour=draw(st.sampled_from(Colour)),
        when=draw(st.datetimes()),
        day=draw(st.dates()),
        anything=draw(st.recursive(st.none() | whole | text(), st.lists)),
        nested=draw(st.dictionaries(text(), st.lists(points))),
    )


@untimed
@given(everything())
def test_what_is_written_is_read_as_what_it_was(value: Everything) -> None:
    shape = shapes.shape(Everything)
    assert shape.decode(json.loads(shapes.dumps(shape.encode(value)))) == value


@untimed
@given(st.sets(text()))
def test_a_set_is_written_in_one_order(words: set[str]) -> None:
    assert shapes.shape(set[str]).encode(words) == sorted(words, key=shapes.dumps)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text(),
    lambda inner: st.lists(inner) | st.dictionaries(text(), inner),
    max_leaves=8,
)
HINTS: list[Any] = [
    bool, int, float, str, bytes, datetime, date, list[int], dict[str, bool], dict[int, str],
    tuple[int, str], tuple[str, ...], set[int], int | None, Literal["a", 1], Colour, Point,
]  # fmt: skip


@untimed
@given(st.sampled_from(HINTS), json_values)
def test_any_json_is_read_or_refused_as_unfit(hint: Any, value: object) -> None:
    try:
        read = shapes.shape(hint).decode(value)
    except shapes.Unfit:
        return
    shapes.dumps(shapes.shape(hint).encode(read))


@untimed
@given(st.sampled_from(HINTS), json_values | st.binary() | st.sets(st.integers()))
def test_what_can_be_written_can_be_read(hint: Any, value: object) -> None:
    shape = shapes.shape(hint)
    try:
        written = shape.encode(value)
        read = shapes.dumps(written)
    except (shapes.Unfit, ValueError):
        return
    shape.decode(json.loads(read))


@pytest.mark.parametrize(
    "hint, value, place",
    [
        (Point, {"x": "1"}, "x: expected an integer, got a string"),
        (Point, {}, "needs a value for its field 'x'"),
        (Point, {"x": 1, "z": 1}, "no field 'z' (its fields: x, y)"),
        (list[Point], [{"x": 1}, {"x": True}], "[1]: x: expected an integer, got a boolean"),
        (dict[str, list[int]], {"a": [1, None]}, ".a: [1]: expected an integer, got null"),
        (tuple[int, int], [1], "expected a list of 2, got 1"),
        (int | None, "x", "expected an integer or null, got a string"),
        (Literal["a", "b"], "c", 'expected one of "a", "b", got a string'),
    ],
)
def test_an_error_says_where_and_what(hint: Any, value: object, place: str) -> None:
    with pytest.raises(shapes.Unfit) as error:
        shapes.shape(hint).decode(value)
    assert place in str(error.value)


@pytest.mark.parametrize("hint", [complex, dict[tuple[int, int], str], object()])
def test_a_type_without_a_form_in_json_is_refused_when_compiled(hint: Any) -> None:
    with pytest.raises(TypeError):
        shapes.shape(hint)


def test_the_field_of_such_a_type_is_named() -> None:
    @dataclass
    class Odd:
        fine: int
        wrong: complex

    Odd.__annotations__ = {"fine": int, "wrong": complex}
    with pytest.raises(TypeError, match=r"Odd\.wrong: complex has no form in JSON"):
        shapes.shape(Odd)


def test_a_union_whose_members_look_alike_is_written_only_if_it_reads_back() -> None:
    shape = shapes.shape(str | bytes)
    assert shape.encode("text") == "text"
    with pytest.raises(shapes.Unfit):
        shape.encode(b"bytes")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")]])
def test_what_json_has_no_number_for_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        shapes.dumps(value)
