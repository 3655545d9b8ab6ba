"""Deterministic CBOR: one value, one encoding, and a reader that takes nothing else.

Source: RFC 8949, section 4.2.1, with text keys only. What is hashed is compared byte by byte, so
the reader refuses whatever the writer would not have written: duplicate or unsorted keys, long and
indefinite forms, tags, trailing bytes, invalid UTF-8, more than `CBOR_DEPTH_MAX` levels of arrays
and maps. Every NaN is 0x7e00. A declared length is compared with what is there before it is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final, NoReturn

from theater.errors import CodecError
from theater.limits import CBOR_DEPTH_MAX

UINT_MAX: Final = 2**64 - 1

FALSE: Final = b"\xf4"
TRUE: Final = b"\xf5"
NULL: Final = b"\xf6"
NAN: Final = b"\xf9\x7e\x00"

_HALF: Final = Struct(">e")
_SINGLE: Final = Struct(">f")
_DOUBLE: Final = Struct(">d")
_ONE_BYTE: Final = tuple(bytes([first]) for first in range(256))


@dataclass(frozen=True, slots=True)
class Raw:
    """An item that is encoded already; `encode` puts its bytes in as they are."""

    data: bytes


def head(major: int, number: int) -> bytes:
    """Return the shortest head of an item: major type 0 to 7 and a number below 2**64."""
    if number < 24:
        return _ONE_BYTE[major << 5 | number]
    if number < 0x100:
        return _ONE_BYTE[major << 5 | 24] + _ONE_BYTE[number]
    if number < 0x10000:
        return _ONE_BYTE[major << 5 | 25] + number.to_bytes(2, "big")
    if number < 0x100000000:
        return _ONE_BYTE[major << 5 | 26] + number.to_bytes(4, "big")
    if number > UINT_MAX:
        raise CodecError("an integer does not fit into 64 bits")
    return _ONE_BYTE[major << 5 | 27] + number.to_bytes(8, "big")


_SMALL: Final = tuple(head(0, number) for number in range(256))
_TEXT_HEADS: Final = tuple(head(3, length) for length in range(256))


def integer(value: int) -> bytes:
    """Return the encoding of an integer from -2**64 to 2**64 - 1."""
    if 0 <= value < 256:
        return _SMALL[value]
    return head(0, value) if value >= 0 else head(1, -1 - value)


def text(value: str) -> bytes:
    """Return the encoding of a text. Raises CodecError where it is not Unicode (lone surrogates)."""
    try:
        data = value.encode()
    except UnicodeEncodeError:
        raise CodecError("a text has a lone surrogate and can't be written as UTF-8") from None
    length = len(data)
    return (_TEXT_HEADS[length] if length < 256 else head(3, length)) + data


def binary(value: bytes) -> bytes:
    """Return the encoding of a byte string."""
    return head(2, len(value)) + value


def real(value: float) -> bytes:
    """Return the shortest encoding that keeps the value; every NaN is the canonical one."""
    if value != value:
        return NAN
    try:
        short = _HALF.pack(value)
        if _HALF.unpack(short)[0] == value:
            return b"\xf9" + short
    except OverflowError:
        pass
    try:
        short = _SINGLE.pack(value)
        if _SINGLE.unpack(short)[0] == value:
            return b"\xfa" + short
    except OverflowError:
        pass
    return b"\xfb" + _DOUBLE.pack(value)


def encode(value: object) -> bytes:
    """Return the one encoding of a value.

    Takes None, bool, int (-2**64 to 2**64 - 1), float, str, bytes, list, tuple, dict with text
    keys, and Raw. Raises CodecError for anything else.
    """
    return _encode(value, CBOR_DEPTH_MAX)


def _encode(value: object, levels: int) -> bytes:
    if value is None:
        return NULL
    if value is True:
        return TRUE
    if value is False:
        return FALSE
    if isinstance(value, str):
        return text(value)
    if isinstance(value, int):
        return integer(value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, float):
        return real(value)
    if isinstance(value, Raw):
        return value.data
    if not levels:
        raise CodecError(f"a value is nested deeper than {CBOR_DEPTH_MAX} levels")
    if isinstance(value, (list, tuple)):
        return head(4, len(value)) + b"".join([_encode(item, levels - 1) for item in value])
    if isinstance(value, dict):
        entries = [(_key(key), _encode(item, levels - 1)) for key, item in value.items()]
        entries.sort()
        return head(5, len(entries)) + b"".join([part for entry in entries for part in entry])
    raise CodecError(f"a {type(value).__name__} has no CBOR form here")


def _key(key: object) -> bytes:
    if not isinstance(key, str):
        raise CodecError("the keys of a map must be texts")
    return text(key)


def decode(data: bytes) -> object:
    """Return the value of exactly one item. Raises CodecError for any other than its one encoding.

    Arrays are lists, maps are dicts in the order of their keys.
    """
    value, end = decode_at(data, 0, CBOR_DEPTH_MAX)
    if end != len(data):
        _refuse("there are bytes after the item", end)
    return value


def decode_at(data: bytes, at: int, levels: int) -> tuple[object, int]:
    """Return the value of the item at a place, and where it ends, given the levels still allowed."""
    try:
        first = data[at]
    except IndexError:
        _refuse("the data ends in the middle", at)
    at += 1
    major = first >> 5
    if major == 7:
        return _simple(data, first, at)
    number = first & 31
    if number >= 24:
        number, at = _number(data, number, at)
    if major == 0:
        return number, at
    if major == 3:
        end = at + number
        return _text(data, at, end), end
    if major == 2:
        end = at + number
        if end > len(data):
            _refuse("a byte string is longer than the data", at)
        return data[at:end], end
    if major == 1:
        return -1 - number, at
    if major == 6:
        _refuse("tags are not used", at)
    if not levels:
        _refuse(f"nested deeper than {CBOR_DEPTH_MAX} levels", at)
    if number > len(data) - at:
        _refuse("an array or map is longer than the data", at)
    levels -= 1
    if major == 4:
        items: list[object] = []
        for _ in range(number):
            item, at = decode_at(data, at, levels)
            items.append(item)
        return items, at
    entries: dict[str, object] = {}
    before = b""
    for _ in range(number):
        start = at
        key, at = _key_at(data, at)
        encoded = data[start:at]
        if encoded <= before:
            _refuse("the keys of a map are not in order, or not unique", start)
        before = encoded
        entries[key], at = decode_at(data, at, levels)
    return entries, at


def skip(data: bytes, at: int, levels: int) -> int:
    """Return where the item at a place ends, having checked it as `decode_at` does.

    A loop and not a recursion, because verification passes every value of every event through here.
    """
    left = 1
    outer: list[int] = []
    size = len(data)
    try:
        while True:
            while left:
                left -= 1
                first = data[at]
                at += 1
                if first < 24:
                    continue
                major = first >> 5
                if major == 7:
                    at = _simple(data, first, at)[1]
                    continue
                number = first & 31
                if number == 24:
                    number = data[at]
                    at += 1
                    if number < 24:
                        _refuse("a number is not in its shortest form", at)
                elif number > 24:
                    number, at = _number(data, number, at)
                if major < 2:
                    continue
                if major < 4:
                    start = at
                    at += number
                    if at > size:
                        _refuse("a string is longer than the data", start)
                    if major == 3:
                        data[start:at].decode()
                    continue
                if major == 6:
                    _refuse("tags are not used", at)
                if len(outer) >= levels:
                    _refuse(f"nested deeper than {CBOR_DEPTH_MAX} levels", at)
                if number > size - at:
                    _refuse("an array or map is longer than the data", at)
                if major == 4:
                    outer.append(left)
                    left = number
                elif number == 1:
                    at = _key_at(data, at)[1]
                    outer.append(left)
                    left = 1
                else:
                    at = _skip_entries(data, at, number, levels - len(outer) - 1)
            if not outer:
                return at
            left = outer.pop()
    except IndexError:
        _refuse("the data ends in the middle", size)
    except UnicodeDecodeError:
        _refuse("a text is not valid UTF-8", at)


def _skip_entries(data: bytes, at: int, number: int, levels: int) -> int:
    before = b""
    for _ in range(number):
        start = at
        at = _key_at(data, at)[1]
        encoded = data[start:at]
        if encoded <= before:
            _refuse("the keys of a map are not in order, or not unique", start)
        before = encoded
        at = skip(data, at, levels)
    return at


def _number(data: bytes, form: int, at: int) -> tuple[int, int]:
    """The number behind a head of one of the longer forms, which must need that form."""
    if form == 24:
        size, least = 1, 24
    elif form == 25:
        size, least = 2, 0x100
    elif form == 26:
        size, least = 4, 0x10000
    elif form == 27:
        size, least = 8, 0x100000000
    else:
        _refuse("an indefinite length or a reserved form", at)
    end = at + size
    if end > len(data):
        _refuse("the data ends in the middle", at)
    number = int.from_bytes(data[at:end], "big")
    if number < least:
        _refuse("a number is not in its shortest form", at)
    return number, end


def _text(data: bytes, at: int, end: int) -> str:
    if end > len(data):
        _refuse("a text is longer than the data", at)
    try:
        return data[at:end].decode()
    except UnicodeDecodeError:
        _refuse("a text is not valid UTF-8", at)


def _key_at(data: bytes, at: int) -> tuple[str, int]:
    try:
        first = data[at]
    except IndexError:
        _refuse("the data ends in the middle", at)
    if first >> 5 != 3:
        _refuse("the key of a map is not a text", at)
    at += 1
    number = first & 31
    if number >= 24:
        number, at = _number(data, number, at)
    end = at + number
    return _text(data, at, end), end


def _simple(data: bytes, first: int, at: int) -> tuple[object, int]:
    if first == 0xF6:
        return None, at
    if first == 0xF5:
        return True, at
    if first == 0xF4:
        return False, at
    if first == 0xF9:
        layout, end = _HALF, at + 2
    elif first == 0xFA:
        layout, end = _SINGLE, at + 4
    elif first == 0xFB:
        layout, end = _DOUBLE, at + 8
    else:
        _refuse("a simple value other than false, true and null", at)
    if end > len(data):
        _refuse("the data ends in the middle", at)
    value: float = layout.unpack_from(data, at)[0]
    if real(value) != data[at - 1 : end]:
        _refuse("a float is not in its shortest form, or another NaN than 0x7e00", at)
    return value, end


def _refuse(why: str, at: int) -> NoReturn:
    raise CodecError(f"not deterministic CBOR: {why} (at byte {at})", at=at)
