"""JSON for typed Python values: an encoder and a decoder compiled from a type hint.

Used for the state's fields and for messages with an annotation. Compiled when the component is
built, so that a call only runs closures. Encoding checks as decoding does: a state that could not be
read again must not be written. Sets are written sorted: a component's string hashes are its own, and
two builds of the same actor should write the same state.

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
from typing import Any, Literal

Convert = Callable[[Any], Any]
Kind = Literal["any", "null", "boolean", "number", "string", "list", "object"]


class Unfit(ValueError):
    """A value that doesn't fit its shape; the text says where and what was expected."""


@dataclasses.dataclass(frozen=True)
class Shape:
    """How values of one type look in JSON, where they are of one `kind`."""

    name: str
    kind: Kind
    encode: Convert
    decode: Convert


def shape(hint: Any) -> Shape:
    """The shape of a type hint. Raises TypeError for a type that has none."""
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if hint in _SIMPLE:
        return _SIMPLE[hint]
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
            fields = Fields(hint)
            decode = fields.decode
            return Shape(
                hint.__name__, "object", fields.encode, lambda value: hint(**decode(value))
            )
        if issubclass(hint, Enum):
            write = _of_type(hint, hint.__name__)
            return Shape(
                hint.__name__, "any", lambda v: write(v).value, _called(hint, hint.__name__)
            )
    raise TypeError(f"{getattr(hint, '__name__', hint)!s} has no form in JSON")


def dumps(value: Any) -> bytes:
    """Compact JSON in UTF-8, in insertion order; dataclasses, enums and sets by their shapes.

    Raises TypeError for what has no form in JSON, ValueError for NaN and infinities.
    """
    return _ENCODER.encode(value).encode()


def loads(text: bytes) -> Any:
    """JSON in UTF-8. Raises ValueError, also for the NaN and infinities that Python would take."""
    return _DECODER.decode(text.decode())


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


# Made once: the functions of the json module make one for each call.
_DECODER = json.JSONDecoder(parse_constant=_refuse)


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


def _said(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    if value is None:
        return "null"
    if type(value) in (int, float):
        return f"the number {value!r}"
    return names.get(type(value), type(value).__name__)


def _of_type(kind: type, name: str) -> Convert:
    """Lets values of a type pass; booleans are no numbers here, as in JSON."""

    def check(value: Any) -> Any:
        if not isinstance(value, kind) or (type(value) is bool and kind is not bool):
            raise Unfit(f"expected {name}, got {_said(value)}")
        return value

    return check


def _called(function: Callable[[Any], Any], name: str) -> Convert:
    def convert(value: Any) -> Any:
        try:
            return function(value)
        except (ValueError, TypeError, AttributeError, binascii.Error):
            raise Unfit(f"expected {name}, got {_said(value)}") from None

    return convert


def _number(value: Any) -> float:
    if type(value) not in (int, float):
        raise Unfit(f"expected a number, got {_said(value)}")
    return float(value)


def _at(place: str, convert: Convert, value: Any) -> Any:
    try:
        return convert(value)
    except Unfit as error:
        raise Unfit(f"{place}: {error}") from None


def _items(convert: Convert, values: Any) -> list[Any]:
    try:
        return [convert(item) for item in values]
    except Unfit:
        # Once more, to say where: finding the place is for the case that goes wrong.
        return [_at(f"[{at}]", convert, item) for at, item in enumerate(values)]


def _members(convert: Convert, values: Any) -> dict[Any, Any]:
    return {name: _at(f".{name}", convert, item) for name, item in values.items()}


def _collection(origin: type, member: Shape) -> Shape:
    name = f"a list of {member.name}"
    own = _of_type(origin, origin.__name__)
    listed = _of_type(list, name)

    def encode(value: Any) -> Any:
        written = _items(member.encode, own(value))
        return written if origin is list else sorted(written, key=dumps)

    return Shape(name, "list", encode, lambda value: origin(_items(member.decode, listed(value))))


def _tuple(arguments: tuple[Any, ...]) -> Shape:
    own = _of_type(tuple, "tuple")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        items = _collection(list, shape(arguments[0]))
        return Shape(
            items.name,
            "list",
            lambda value: items.encode(list(own(value))),
            lambda value: tuple(items.decode(value)),
        )
    members = [shape(argument) for argument in arguments]
    name = f"a list of {len(members)}"
    listed = _of_type(list, name)

    def each(value: Any, converts: list[Convert]) -> list[Any]:
        if len(value) != len(members):
            raise Unfit(f"expected {name}, got {len(value)}")
        pairs = zip(converts, value, strict=True)
        return [_at(f"[{at}]", convert, item) for at, (convert, item) in enumerate(pairs)]

    writes = [member.encode for member in members]
    reads = [member.decode for member in members]
    return Shape(
        name, "list", lambda v: each(own(v), writes), lambda v: tuple(each(listed(v), reads))
    )


def _dict(key: Any, member_hint: Any) -> Shape:
    if key not in (str, int, Any):
        raise TypeError("a dict's keys must be str or int to have a form in JSON")
    member = shape(member_hint)
    mapped = _of_type(dict, f"an object of {member.name}")
    numbered = key is int
    own_key = _of_type(int if numbered else str, "int" if numbered else "str")
    read_key = _called(int, "an integer key")

    def encode(value: Any) -> Any:
        for name in mapped(value):
            own_key(name)
        written = _members(member.encode, value)
        return {str(name): item for name, item in written.items()} if numbered else written

    def decode(value: Any) -> Any:
        read = _members(member.decode, mapped(value))
        return {read_key(name): item for name, item in read.items()} if numbered else read

    return Shape(f"an object of {member.name}", "object", encode, decode)


def _literal(values: tuple[Any, ...]) -> Shape:
    name = "one of " + ", ".join(json.dumps(value) for value in values)

    def check(value: Any) -> Any:
        if not any(value == known and type(value) is type(known) for known in values):
            raise Unfit(f"expected {name}, got {_said(value)}")
        return value

    return Shape(name, "any", check, check)


def _union(members: list[Shape]) -> Shape:
    name = " or ".join(member.name for member in members)
    kinds = [member.kind for member in members]
    # Where two members may look alike in JSON, what is written must be read as what it was.
    clear = len(set(kinds)) == len(kinds) and "any" not in kinds

    def encode(value: Any) -> Any:
        for member in members:
            try:
                written = member.encode(value)
            except Unfit:
                continue
            if clear or decode(json.loads(dumps(written))) == value:
                return written
        raise Unfit(f"expected {name}, got {_said(value)}")

    def decode(value: Any) -> Any:
        for member in members:
            try:
                return member.decode(value)
            except Unfit:
                continue
        raise Unfit(f"expected {name}, got {_said(value)}")

    return Shape(name, "any", encode, decode)


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
        self._encoders = [(name, shape.encode) for name, shape in self.shapes.items()]
        self._decoders = {name: shape.decode for name, shape in self.shapes.items()}
        self._required = [
            field.name
            for field in dataclasses.fields(kind)
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        ]
        self._own = _of_type(kind, kind.__name__)

    def encode(self, value: Any) -> dict[str, Any]:
        """The JSON object of a dataclass's fields, in their order. Raises Unfit."""
        self._own(value)
        try:
            return {name: encode(getattr(value, name)) for name, encode in self._encoders}
        except Unfit:
            # Once more, to say where, as in `_items`.
            encoders = self._encoders
            return {name: _at(name, encode, getattr(value, name)) for name, encode in encoders}

    def decode(self, value: Any) -> dict[str, Any]:
        """The fields' values. Raises Unfit for unknown, missing and unfit ones."""
        if type(value) is not dict:
            raise Unfit(f"expected an object of {self.kind.__name__}, got {_said(value)}")
        decoders = self._decoders
        if not value.keys() <= decoders.keys():
            unknown = next(name for name in value if name not in decoders)
            known = ", ".join(decoders) or "none"
            raise Unfit(f"{self.kind.__name__} has no field {unknown!r} (its fields: {known})")
        try:
            read = {name: decoders[name](item) for name, item in value.items()}
        except Unfit:
            read = {name: _at(name, decoders[name], item) for name, item in value.items()}
        for name in self._required:
            if name not in read:
                raise Unfit(f"{self.kind.__name__} needs a value for its field {name!r}")
        return read


def _checked(kind: type, name: str, json_kind: Kind) -> Shape:
    check = _of_type(kind, name)
    return Shape(name, json_kind, check, check)


def _text(kind: type, name: str, write: Convert, read: Convert) -> Shape:
    own = _of_type(kind, kind.__name__)
    return Shape(name, "string", lambda value: write(own(value)), _called(read, name))


_ANYTHING = Shape("anything", "any", _same, _same)
_NULL = _checked(type(None), "null", "null")
_SIMPLE: dict[Any, Shape] = {
    Any: _ANYTHING,
    object: _ANYTHING,
    None: _NULL,
    type(None): _NULL,
    bool: _checked(bool, "a boolean", "boolean"),
    int: _checked(int, "an integer", "number"),
    float: Shape("a number", "number", _number, _number),
    str: _checked(str, "a string", "string"),
    list: _checked(list, "a list", "list"),
    dict: _checked(dict, "an object", "object"),
    bytes: _text(
        bytes,
        "base64 text",
        lambda value: base64.b64encode(value).decode(),
        lambda text: base64.b64decode(text, validate=True),
    ),
    datetime: _text(datetime, "an ISO 8601 time", datetime.isoformat, datetime.fromisoformat),
    date: _text(date, "an ISO 8601 date", date.isoformat, date.fromisoformat),
}
