"""Writing WIT values as CBOR: a type becomes closures once, and a value passes through them.

A value that is not of the type is refused with CodecError, never bent into shape.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, assert_never

from theater.values.cbor import FALSE, NULL, TRUE, head, integer, real, text
from theater.values.ranges import HANDLE_MAX, INTEGER_RANGES, check_unique, is_single, refuse
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
    nullable,
)

Encoder = Callable[[object], bytes]

_SMALL: Final = tuple(integer(number) for number in range(256))


@lru_cache(maxsize=4096)
def compile_encoder(wit: WitType) -> Encoder:
    """Return the function that writes values of a type."""
    match wit:
        case Prim():
            return _encode_prim(wit)
        case ListOf(Prim.U8):
            return _encode_bytes
        case ListOf(element):
            return _encode_list(compile_encoder(element))
        case TupleOf(items):
            return encode_items(tuple(compile_encoder(item) for item in items))
        case RecordOf(fields):
            return _encode_record(tuple((name, compile_encoder(field)) for name, field in fields))
        case VariantOf(cases):
            check_unique("variant", [name for name, _ in cases])
            return _encode_variant({name: _perhaps(case) for name, case in cases})
        case EnumOf(names):
            check_unique("enum", names)
            return _encode_enum({name: text(name) for name in names})
        case OptionOf(inner):
            write = compile_encoder(inner)
            return _encode_wrapped(write) if nullable(inner) else _encode_option(write)
        case ResultOf(ok, err):
            return _encode_result(_perhaps(ok), _perhaps(err))
        case FlagsOf(names):
            check_unique("flags", names)
            return _encode_flags(names)
        case Resource():
            return _encode_handle
        case _:
            assert_never(wit)


def _perhaps(wit: WitType | None) -> Encoder | None:
    return None if wit is None else compile_encoder(wit)


def _encode_prim(prim: Prim) -> Encoder:
    if prim is Prim.BOOL:
        return _encode_bool
    if prim is Prim.STRING:
        return _encode_string
    if prim is Prim.CHAR:
        return _encode_char
    if prim is Prim.F64:
        return _encode_f64
    if prim is Prim.F32:
        return _encode_f32
    low, high = INTEGER_RANGES[prim]
    what = f"an {prim.value}"

    def encode(value: object) -> bytes:
        if type(value) is not int or not low <= value <= high:
            refuse(what, value)
        return _SMALL[value] if 0 <= value < 256 else integer(value)

    return encode


def _encode_bool(value: object) -> bytes:
    if type(value) is not bool:
        refuse("a bool", value)
    return TRUE if value else FALSE


def _encode_string(value: object) -> bytes:
    if not isinstance(value, str):
        refuse("a string", value)
    return text(value)


def _encode_char(value: object) -> bytes:
    if not isinstance(value, str) or len(value) != 1:
        refuse("a char", value)
    return text(value)


def _encode_f64(value: object) -> bytes:
    if type(value) is not float:
        refuse("a float", value)
    return real(value)


def _encode_f32(value: object) -> bytes:
    if type(value) is not float or not is_single(value):
        refuse("an f32", value)
    return real(value)


def _encode_bytes(value: object) -> bytes:
    if type(value) is not bytes:
        refuse("bytes", value)
    return head(2, len(value)) + value


def _encode_handle(value: object) -> bytes:
    if type(value) is not int or not 1 <= value <= HANDLE_MAX:
        refuse("a resource's number", value)
    return integer(value)


def _encode_list(element: Encoder) -> Encoder:
    def encode(value: object) -> bytes:
        if not isinstance(value, (list, tuple)):
            refuse("a list", value)
        return head(4, len(value)) + b"".join(map(element, value))

    return encode


def encode_items(items: tuple[Encoder, ...]) -> Encoder:
    """Return the function that writes one value with each encoder, as an array."""
    count = len(items)
    start = head(4, count)
    if count == 1:
        only = items[0]

        def encode_one(value: object) -> bytes:
            if not isinstance(value, (list, tuple)) or len(value) != 1:
                refuse("one value", value)
            return start + only(value[0])

        return encode_one

    def encode(value: object) -> bytes:
        if not isinstance(value, (list, tuple)) or len(value) != count:
            refuse(f"{count} values", value)
        encoded = start
        for write, item in zip(items, value, strict=True):
            encoded += write(item)
        return encoded

    return encode


def _encode_record(fields: tuple[tuple[str, Encoder], ...]) -> Encoder:
    check_unique("record", [name for name, _ in fields])
    count = len(fields)
    start = head(5, count)
    entries = sorted((text(name), name, write) for name, write in fields)

    def encode(value: object) -> bytes:
        if not isinstance(value, dict) or len(value) != count:
            refuse(f"a record of {count} fields", value)
        encoded = start
        for key, name, write in entries:
            if name not in value:
                refuse(f"a record with a field {name}", value)
            encoded += key + write(value[name])
        return encoded

    return encode


def _encode_variant(cases: dict[str, Encoder | None]) -> Encoder:
    entries = {name: (head(5, 1) + text(name), write) for name, write in cases.items()}

    def encode(value: object) -> bytes:
        if not isinstance(value, Case):
            refuse("a Case", value)
        name, inner = value
        if name not in entries:
            refuse("a case of this variant", name)
        start, write = entries[name]
        if write is not None:
            return start + write(inner)
        if inner is not None:
            refuse(f"None, for the case {name} has no value", inner)
        return start + NULL

    return encode


def _encode_enum(names: dict[str, bytes]) -> Encoder:
    def encode(value: object) -> bytes:
        if not isinstance(value, str) or value not in names:
            refuse("a name of this enum", value)
        return names[value]

    return encode


def _encode_option(write: Encoder) -> Encoder:
    def encode(value: object) -> bytes:
        return NULL if value is None else write(value)

    return encode


def _encode_wrapped(write: Encoder) -> Encoder:
    start = head(4, 1)

    def encode(value: object) -> bytes:
        if value is None:
            return NULL
        if not isinstance(value, Some):
            refuse("None or Some", value)
        return start + write(value.value)

    return encode


def _encode_result(ok: Encoder | None, err: Encoder | None) -> Encoder:
    ok_start = head(5, 1) + text("ok")
    err_start = head(5, 1) + text("err")

    def encode(value: object) -> bytes:
        if isinstance(value, Ok):
            start, write = ok_start, ok
        elif isinstance(value, Err):
            start, write = err_start, err
        else:
            refuse("Ok or Err", value)
        if write is not None:
            return start + write(value.value)
        if value.value is not None:
            refuse("None, for this end of the result has no value", value.value)
        return start + NULL

    return encode


def _encode_flags(names: tuple[str, ...]) -> Encoder:
    entries = tuple((name, text(name)) for name in names)
    known = frozenset(names)

    def encode(value: object) -> bytes:
        if not isinstance(value, (frozenset, set)) or not value <= known:
            refuse("a set of these flags", value)
        return head(4, len(value)) + b"".join([data for name, data in entries if name in value])

    return encode
