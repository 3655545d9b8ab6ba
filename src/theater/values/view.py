"""CBOR as JSON, for people and for tools that read JSON, and back.

Source: chain format version 1, "Files". Bytes are `{"$bytes": base64}`; integers beyond 2**53, NaN
and infinities are strings. So a view alone does not say what it was: a string of digits may have
been a number. Given the WIT type it does, and `read` takes what a person typed.
"""

from __future__ import annotations

import base64
import json
import math
from binascii import b2a_base64
from codecs import getincrementaldecoder
from typing import Final, NoReturn, assert_never

from theater.errors import CodecError
from theater.limits import CBOR_DEPTH_MAX
from theater.values.cbor import decode, decode_at
from theater.values.types import (
    EnumOf,
    FlagsOf,
    ListOf,
    OptionOf,
    Prim,
    RecordOf,
    Resource,
    ResultOf,
    TupleOf,
    VariantOf,
    WitType,
    nullable,
)

BYTES_KEY: Final = "$bytes"
SAFE_INTEGER: Final = 2**53
"""Integers up to here are the same in every reader of JSON."""

_WORDS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def view(item: object) -> object:
    """Return what `json` writes for an item that `cbor.decode` returned."""
    if item is None or isinstance(item, (bool, str)):
        return item
    if isinstance(item, int):
        return item if -SAFE_INTEGER <= item <= SAFE_INTEGER else str(item)
    if isinstance(item, float):
        if math.isfinite(item):
            return item
        return "NaN" if item != item else "Infinity" if item > 0 else "-Infinity"
    if isinstance(item, bytes):
        return _base64(item)
    if isinstance(item, list):
        return [view(element) for element in item]
    if isinstance(item, dict):
        return {name: view(value) for name, value in item.items()}
    raise CodecError(f"a {type(item).__name__} has no view")


def show(data: bytes) -> object:
    """Return `view(decode(data))`, in one pass: chains have millions of events to be shown.

    CodecError for what `decode` refuses.
    """
    try:
        shown, end = _show(data, 0, CBOR_DEPTH_MAX)
        if end == len(data):
            return shown
    except (CodecError, IndexError, UnicodeDecodeError):
        pass
    # Whatever the fast way stumbled over, the other one says what it is.
    return view(decode(data))


def _show(data: bytes, at: int, levels: int) -> tuple[object, int]:
    """The view of the item at a place, and where it ends, which may be behind the data.

    IndexError for what is left to the slow way: data that ends too early, keys that are long or out
    of order, nesting that is too deep.
    """
    first = data[at]
    if 0xA0 <= first < 0xB8:
        if not levels:
            raise IndexError
        entries: dict[str, object] = {}
        before = b""
        at += 1
        for _ in range(first - 0xA0):
            size = data[at] - 0x5F
            if not 1 <= size < 25:
                raise IndexError
            key = data[at : at + size]
            if key <= before:
                raise IndexError
            before = key
            entries[key[1:].decode()], at = _show(data, at + size, levels - 1)
        return entries, at
    if 0x60 <= first < 0x78:
        end = at + first - 0x5F
        return data[at + 1 : end].decode(), end
    if 0x40 <= first < 0x58:
        end = at + first - 0x3F
        return _base64(data[at + 1 : end]), end
    if first == 0x58 and data[at + 1] >= 24:
        end = at + 2 + data[at + 1]
        return _base64(data[at + 2 : end]), end
    if first < 0x18:
        return first, at + 1
    if 0x80 <= first < 0x98:
        if not levels:
            raise IndexError
        elements: list[object] = []
        at += 1
        for _ in range(first - 0x80):
            element, at = _show(data, at, levels - 1)
            elements.append(element)
        return elements, at
    if first == 0xF6:
        return None, at + 1
    value, at = decode_at(data, at, levels)
    return view(value), at


def _base64(data: bytes) -> dict[str, str]:
    return {BYTES_KEY: b2a_base64(data, newline=False).decode()}


def item(shown: object) -> object:
    """Return the item that a view shows, with every string a text and every number as written."""
    return _item(shown, CBOR_DEPTH_MAX)


def _item(shown: object, levels: int) -> object:
    if shown is None or isinstance(shown, (bool, int, float, str)):
        return shown
    if not levels:
        raise CodecError(f"nested deeper than {CBOR_DEPTH_MAX} levels")
    if isinstance(shown, list):
        return [_item(element, levels - 1) for element in shown]
    if isinstance(shown, dict):
        if shown.keys() == {BYTES_KEY}:
            return _bytes(shown)
        return {name: _item(value, levels - 1) for name, value in shown.items()}
    raise CodecError(f"a {type(shown).__name__} is not JSON")


def read(shown: object, wit: WitType) -> object:
    """Return the item of a type that a view shows; CodecError where it can't be one.

    For bytes a plain string stands for its UTF-8. What comes back is for the type's decoder, which
    checks ranges and names.
    """
    match wit:
        case Prim():
            return _prim(shown, wit)
        case ListOf(Prim.U8):
            return shown.encode() if isinstance(shown, str) else _bytes(shown)
        case ListOf(element):
            return [read(each, element) for each in _list(shown)]
        case TupleOf(items):
            return [read(each, of) for each, of in _pairs(shown, items)]
        case RecordOf(fields):
            entries = _dict(shown)
            types = dict(fields)
            if entries.keys() != types.keys():
                _refuse(f"a record of {', '.join(types)}", shown)
            return {name: read(value, types[name]) for name, value in entries.items()}
        case VariantOf(cases):
            return _case(shown, dict(cases))
        case ResultOf(ok, err):
            return _case(shown, {"ok": ok, "err": err})
        case OptionOf(inner):
            if shown is None:
                return None
            return [read(_only(shown), inner)] if nullable(inner) else read(shown, inner)
        case EnumOf() | FlagsOf() | Resource():
            return shown
        case _:
            assert_never(wit)


def _prim(shown: object, prim: Prim) -> object:
    if prim in (Prim.F32, Prim.F64):
        if isinstance(shown, str) and shown in _WORDS:
            return _WORDS[shown]
        if isinstance(shown, (int, float)) and not isinstance(shown, bool):
            try:
                return float(shown)
            except OverflowError:
                _refuse("a float", shown)
        _refuse("a float", shown)
    if prim not in (Prim.BOOL, Prim.STRING, Prim.CHAR) and isinstance(shown, str):
        digits = shown.removeprefix("-")
        if len(digits) > 20 or not (digits.isascii() and digits.isdigit()):
            _refuse("an integer", shown)
        return int(shown)
    return shown


def _case(shown: object, cases: dict[str, WitType | None]) -> object:
    entries = _dict(shown)
    name = next(iter(entries), None)
    if len(entries) != 1 or name not in cases:
        _refuse(f"one of {', '.join(cases)}", shown)
    wit = cases[name]
    return {name: entries[name] if wit is None else read(entries[name], wit)}


def _bytes(shown: object) -> bytes:
    entries = _dict(shown)
    coded = entries.get(BYTES_KEY)
    if len(entries) != 1 or not isinstance(coded, str):
        _refuse("bytes", shown)
    try:
        data = base64.b64decode(coded, validate=True)
    except ValueError:
        _refuse("base64", shown)
    if base64.b64encode(data).decode() != coded:
        _refuse("base64 as it is written here", shown)
    return data


def _list(shown: object) -> list[object]:
    if not isinstance(shown, list):
        _refuse("a list", shown)
    return shown


def _pairs(shown: object, items: tuple[WitType, ...]) -> list[tuple[object, WitType]]:
    values = _list(shown)
    if len(values) != len(items):
        _refuse(f"{len(items)} values", shown)
    return list(zip(values, items, strict=True))


def _only(shown: object) -> object:
    values = _list(shown)
    if len(values) != 1:
        _refuse("null or a list of one", shown)
    return values[0]


def _dict(shown: object) -> dict[str, object]:
    if not isinstance(shown, dict):
        _refuse("an object", shown)
    return shown


def _refuse(what: str, shown: object) -> NoReturn:
    raise CodecError(f"not {what}: {text(shown, 60)}")


def text(item: object, limit: int = 2000) -> str:
    """Return an item on one line, for people, cut to `limit` characters; safe for a terminal."""
    pieces: list[str] = []
    _write(item, pieces, limit, CBOR_DEPTH_MAX)
    whole = "".join(pieces)
    return whole if len(whole) <= limit else whole[: max(limit - 1, 0)] + "…"


def _write(item: object, pieces: list[str], room: int, levels: int) -> int:
    """Write an item while there is room; returns the room that is left, negative when it was cut."""
    if isinstance(item, (list, tuple, dict)) and levels:
        named = isinstance(item, dict)
        pieces.append("{" if named else "[")
        room -= 1
        for number, element in enumerate(item):
            if room < 0:
                return room
            front = ", " if number else ""
            value = element
            if isinstance(item, dict):
                front += _quoted(str(element), room) + ": "
                value = item[element]
            pieces.append(front)
            room = _write(value, pieces, room - len(front), levels - 1)
        pieces.append("}" if named else "]")
        return room - 1
    if isinstance(item, bytes):
        piece = _bytes_text(item, room)
    elif isinstance(item, str):
        piece = _quoted(item, room)
    elif item is None or isinstance(item, (bool, int, float)):
        piece = json.dumps(view(item))
    else:
        piece = "…"
    pieces.append(piece)
    return room - len(piece)


def _quoted(value: str, room: int) -> str:
    quoted = json.dumps(value[: max(room, 0) + 1], ensure_ascii=False)
    if quoted.isprintable():
        return quoted
    return "".join([c if c.isprintable() else ascii(c)[1:-1] for c in quoted])


def _bytes_text(data: bytes, room: int) -> str:
    """Bytes as the text that they are, else their length and the first of them in hex."""
    start = data[: 4 * (max(room, 0) + 1)]
    try:
        decoded = getincrementaldecoder("utf-8")().decode(start, final=len(start) == len(data))
    except UnicodeDecodeError:
        decoded = "\0"
    if all(c.isprintable() or c in "\n\r\t" for c in decoded):
        return "b" + _quoted(decoded, room)
    shown = data[:16].hex() + ("…" if len(data) > 16 else "")
    return f"<{len(data)} bytes {shown}>"
