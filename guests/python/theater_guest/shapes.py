"""JSON for typed Python values: an encoder and a decoder compiled from a type hint.

Used for the state's fields and for messages with an annotation. Compiled when the component is
built, so that a call only runs closures. Sets are written sorted: a component's string hashes are
its own, and two builds of the same actor should write the same state.

Known: None, bool, int, float, str, bytes (base64), list, dict with str or int keys, tuple, set,
frozenset, Optional and unions (the first member that fits), Literal, Enum, dataclasses, datetime,
date; Any and bare list and dict are taken as JSON has them.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import types
import typing
from collections.abc import Callable
from datetime import date, datetime
from enum import Enum
from typing import Any

Convert = Callable[[Any], Any]


class Unfit(ValueError):
    """A JSON value that doesn't fit its shape; the text says where and what was expected."""


@dataclasses.dataclass(frozen=True)
class Shape:
    """How values of one type look in JSON. `plain`: encoding is the identity."""

    name: str
    encode: Convert
    decode: Convert
    plain: bool = False


def shape(hint: Any) -> Shape:
    """The shape of a type hint. Raises TypeError for a type that has none."""
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if hint in _SCALARS:
        return _SCALARS[hint]
    if origin in (typing.Annotated, typing.Final):
        return shape(arguments[0])
    if origin in (list, set, frozenset):
        return _collection(origin, shape(arguments[0]))
    if origin is tuple:
        return _tuple(arguments)
    if origin is dict:
        return _dict(*arguments)
    if origin is typing.Literal:
        return _literal(arguments)
    if origin in (typing.Union, types.UnionType):
        return _union([shape(argument) for argument in arguments])
    if isinstance(hint, type):
        if dataclasses.is_dataclass(hint):
            return _dataclass(hint)
        if issubclass(hint, Enum):
            return Shape(hint.__name__, lambda value: value.value, _called(hint, hint.__name__))
    raise TypeError(f"{getattr(hint, '__name__', hint)!s} has no form in JSON")


def dumps(value: Any) -> bytes:
    """Compact JSON in UTF-8, in insertion order; dataclasses, enums and sets by their shapes.

    Raises TypeError for what has no form in JSON, ValueError for NaN and infinities.
    """
    return _ENCODER.encode(value).encode()


def _shaped(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return shape(type(value)).encode(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=dumps)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_shaped
)


def _same(value: Any) -> Any:
    return value


def _checked(kind: type, name: str) -> Convert:
    def decode(value: Any) -> Any:
        if type(value) is not kind:
            raise Unfit(f"expected {name}, got {_kind(value)}")
        return value

    return decode


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    if value is None:
        return "null"
    return names.get(type(value), f"the number {value!r}")


def _called(function: Callable[[Any], Any], name: str) -> Convert:
    def decode(value: Any) -> Any:
        try:
            return function(value)
        except (ValueError, TypeError, binascii.Error):
            raise Unfit(f"expected {name}, got {json.dumps(value)[:80]}") from None

    return decode


def _number(value: Any) -> float:
    if type(value) not in (int, float):
        raise Unfit(f"expected a number, got {_kind(value)}")
    return float(value)


def _at(place: str, convert: Convert, value: Any) -> Any:
    try:
        return convert(value)
    except Unfit as error:
        raise Unfit(f"{place}: {error}") from None


def _collection(origin: type, member: Shape) -> Shape:
    name = f"a list of {member.name}"
    listed = _checked(list, name)
    ordered = origin is list

    def encode(value: Any) -> Any:
        items = value if member.plain else [member.encode(item) for item in value]
        return items if ordered else sorted(items, key=dumps)

    def decode(value: Any) -> Any:
        return origin(
            [_at(f"[{at}]", member.decode, item) for at, item in enumerate(listed(value))]
        )

    return Shape(name, encode, decode, plain=ordered and member.plain)


def _tuple(arguments: tuple[Any, ...]) -> Shape:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        items = _collection(list, shape(arguments[0]))
        return Shape(
            items.name, lambda value: items.encode(list(value)), lambda v: tuple(items.decode(v))
        )
    members = [shape(argument) for argument in arguments]
    name = f"a list of {len(members)}"
    listed = _checked(list, name)

    def encode(value: Any) -> Any:
        return [member.encode(item) for member, item in zip(members, value, strict=True)]

    def decode(value: Any) -> Any:
        if len(listed(value)) != len(members):
            raise Unfit(f"expected {name}, got {len(value)}")
        return tuple(
            _at(f"[{at}]", member.decode, item)
            for at, (member, item) in enumerate(zip(members, value, strict=True))
        )

    return Shape(name, encode, decode)


def _dict(key: Any, member_hint: Any) -> Shape:
    if key not in (str, int, Any):
        raise TypeError("a dict's keys must be str or int to have a form in JSON")
    member = shape(member_hint)
    name = f"an object of {member.name}"
    mapped = _checked(dict, name)
    read_key = _called(int, "an integer key") if key is int else _same

    def encode(value: Any) -> Any:
        return {str(name): member.encode(item) for name, item in value.items()}

    def decode(value: Any) -> Any:
        return {
            read_key(name): _at(f".{name}", member.decode, item)
            for name, item in mapped(value).items()
        }

    return Shape(name, encode, decode, plain=member.plain and key is not int)


def _literal(values: tuple[Any, ...]) -> Shape:
    name = "one of " + ", ".join(json.dumps(value) for value in values)

    def decode(value: Any) -> Any:
        if not any(value == known and type(value) is type(known) for known in values):
            raise Unfit(f"expected {name}, got {json.dumps(value)[:80]}")
        return value

    return Shape(name, _same, decode, plain=True)


def _union(members: list[Shape]) -> Shape:
    name = " or ".join(member.name for member in members)

    def encode(value: Any) -> Any:
        for member in members:
            try:
                written = member.encode(value)
                if member.decode(_as_read(written)) == value:
                    return written
            except (ValueError, TypeError, AttributeError):
                continue
        raise TypeError(f"{type(value).__name__} is not {name}")

    def decode(value: Any) -> Any:
        for member in members:
            try:
                return member.decode(value)
            except Unfit:
                continue
        raise Unfit(f"expected {name}, got {_kind(value)}")

    return Shape(name, encode, decode, plain=all(member.plain for member in members))


def _as_read(written: Any) -> Any:
    return json.loads(dumps(written))


def _dataclass(kind: type) -> Shape:
    fields = Fields(kind)
    return Shape(kind.__name__, fields.encode, lambda value: kind(**fields.decode(value)))


class Fields:
    """The fields of a dataclass as a JSON object; a field with a default may be missing."""

    def __init__(self, kind: Any) -> None:
        try:
            hints = typing.get_type_hints(kind)
        except NameError as error:
            raise TypeError(
                f"{kind.__name__}: {error}; its annotations must be importable"
            ) from None
        self.kind = kind
        self.shapes: dict[str, Shape] = {}
        for field in dataclasses.fields(kind):
            try:
                self.shapes[field.name] = shape(hints[field.name])
            except TypeError as error:
                raise TypeError(f"{kind.__name__}.{field.name}: {error}") from None
        self.required = [
            field.name
            for field in dataclasses.fields(kind)
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        ]

    def encode(self, value: Any) -> dict[str, Any]:
        """The JSON object of a dataclass's fields, in their order."""
        if not isinstance(value, self.kind):
            raise TypeError(f"{type(value).__name__} is not {self.kind.__name__}")
        return {name: shape.encode(getattr(value, name)) for name, shape in self.shapes.items()}

    def decode(self, value: Any) -> dict[str, Any]:
        """The fields' values. Raises Unfit for unknown, missing and unfit ones."""
        if type(value) is not dict:
            raise Unfit(f"expected an object of {self.kind.__name__}, got {_kind(value)}")
        unknown = [name for name in value if name not in self.shapes]
        if unknown:
            known = ", ".join(self.shapes) or "none"
            raise Unfit(f"{self.kind.__name__} has no field {unknown[0]!r} (its fields: {known})")
        missing = [name for name in self.required if name not in value]
        if missing:
            raise Unfit(f"{self.kind.__name__} needs a value for its field {missing[0]!r}")
        return {name: _at(name, self.shapes[name].decode, item) for name, item in value.items()}


_SCALARS: dict[Any, Shape] = {
    Any: Shape("anything", _same, _same, plain=True),
    object: Shape("anything", _same, _same, plain=True),
    None: Shape("null", _same, _checked(type(None), "null"), plain=True),
    type(None): Shape("null", _same, _checked(type(None), "null"), plain=True),
    bool: Shape("a boolean", _same, _checked(bool, "a boolean"), plain=True),
    int: Shape("an integer", _same, _checked(int, "an integer"), plain=True),
    float: Shape("a number", _same, _number, plain=True),
    str: Shape("a string", _same, _checked(str, "a string"), plain=True),
    list: Shape("a list", _same, _checked(list, "a list"), plain=True),
    dict: Shape("an object", _same, _checked(dict, "an object"), plain=True),
    bytes: Shape(
        "base64 text",
        lambda value: base64.b64encode(value).decode(),
        _called(lambda text: base64.b64decode(text, validate=True), "base64 text"),
    ),
    datetime: Shape(
        "an ISO 8601 time", datetime.isoformat, _called(datetime.fromisoformat, "an ISO 8601 time")
    ),
    date: Shape(
        "an ISO 8601 date", date.isoformat, _called(date.fromisoformat, "an ISO 8601 date")
    ),
}
