"""Making WIT values of decoded CBOR: the mirror of `theater.values.encoding`.

Takes what `cbor.decode` returned. What the type's encoder would not have written is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import assert_never

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

Decoder = Callable[[object], object]


@lru_cache(maxsize=4096)
def compile_decoder(wit: WitType) -> Decoder:
    """Return the function that makes values of a type."""
    match wit:
        case Prim():
            return _decode_prim(wit)
        case ListOf(Prim.U8):
            return _decode_bytes
        case ListOf(element):
            return _decode_list(compile_decoder(element))
        case TupleOf(items):
            return decode_items(tuple(compile_decoder(item) for item in items))
        case RecordOf(fields):
            check_unique("record", [name for name, _ in fields])
            return _decode_record(tuple((name, compile_decoder(field)) for name, field in fields))
        case VariantOf(cases):
            check_unique("variant", [name for name, _ in cases])
            return _decode_variant({name: _perhaps(case) for name, case in cases})
        case EnumOf(names):
            check_unique("enum", names)
            return _decode_enum(frozenset(names))
        case OptionOf(inner):
            read = compile_decoder(inner)
            return _decode_wrapped(read) if nullable(inner) else _decode_option(read)
        case ResultOf(ok, err):
            return _decode_result(_perhaps(ok), _perhaps(err))
        case FlagsOf(names):
            check_unique("flags", names)
            return _decode_flags({name: place for place, name in enumerate(names)})
        case Resource():
            return _decode_handle
        case _:
            assert_never(wit)


def _perhaps(wit: WitType | None) -> Decoder | None:
    return None if wit is None else compile_decoder(wit)


def _decode_prim(prim: Prim) -> Decoder:
    if prim is Prim.BOOL:
        return _decode_bool
    if prim is Prim.STRING:
        return _decode_string
    if prim is Prim.CHAR:
        return _decode_char
    if prim is Prim.F64:
        return _decode_f64
    if prim is Prim.F32:
        return _decode_f32
    low, high = INTEGER_RANGES[prim]
    what = f"an {prim.value}"

    def decode(item: object) -> object:
        if type(item) is not int or not low <= item <= high:
            refuse(what, item)
        return item

    return decode


def _decode_bool(item: object) -> object:
    if type(item) is not bool:
        refuse("a bool", item)
    return item


def _decode_string(item: object) -> object:
    if type(item) is not str:
        refuse("a string", item)
    return item


def _decode_char(item: object) -> object:
    if type(item) is not str or len(item) != 1:
        refuse("a char", item)
    return item


def _decode_f64(item: object) -> object:
    if type(item) is not float:
        refuse("a float", item)
    return math.nan if item != item else item


def _decode_f32(item: object) -> object:
    if type(item) is not float or not is_single(item):
        refuse("an f32", item)
    return math.nan if item != item else item


def _decode_bytes(item: object) -> object:
    if type(item) is not bytes:
        refuse("bytes", item)
    return item


def _decode_handle(item: object) -> object:
    if type(item) is not int or not 1 <= item <= HANDLE_MAX:
        refuse("a resource's number", item)
    return item


def _decode_list(read: Decoder) -> Decoder:
    def decode(item: object) -> object:
        if not isinstance(item, list):
            refuse("a list", item)
        return [read(element) for element in item]

    return decode


def decode_items(items: tuple[Decoder, ...]) -> Callable[[object], tuple[object, ...]]:
    """Return the function that makes one value with each decoder, from an array."""
    count = len(items)

    def decode(item: object) -> tuple[object, ...]:
        if not isinstance(item, list) or len(item) != count:
            refuse(f"{count} values", item)
        return tuple([read(element) for read, element in zip(items, item, strict=True)])

    return decode


def _decode_record(fields: tuple[tuple[str, Decoder], ...]) -> Decoder:
    count = len(fields)

    def decode(item: object) -> object:
        if not isinstance(item, dict) or len(item) != count:
            refuse(f"a record of {count} fields", item)
        record: dict[str, object] = {}
        for name, read in fields:
            if name not in item:
                refuse(f"a record with a field {name}", item)
            record[name] = read(item[name])
        return record

    return decode


def _entry(item: object) -> tuple[str, object]:
    if not isinstance(item, dict) or len(item) != 1:
        refuse("a map of one entry", item)
    return next(iter(item.items()))


def _decode_variant(cases: dict[str, Decoder | None]) -> Decoder:
    def decode(item: object) -> object:
        name, inner = _entry(item)
        if name not in cases:
            refuse("a case of this variant", name)
        read = cases[name]
        if read is not None:
            return Case(name, read(inner))
        if inner is not None:
            refuse(f"null, for the case {name} has no value", inner)
        return Case(name)

    return decode


def _decode_enum(names: frozenset[str]) -> Decoder:
    def decode(item: object) -> object:
        if not isinstance(item, str) or item not in names:
            refuse("a name of this enum", item)
        return item

    return decode


def _decode_option(read: Decoder) -> Decoder:
    def decode(item: object) -> object:
        return None if item is None else read(item)

    return decode


def _decode_wrapped(read: Decoder) -> Decoder:
    def decode(item: object) -> object:
        if item is None:
            return None
        if not isinstance(item, list) or len(item) != 1:
            refuse("null or an array of one", item)
        return Some(read(item[0]))

    return decode


def _decode_result(ok: Decoder | None, err: Decoder | None) -> Decoder:
    def decode(item: object) -> object:
        name, inner = _entry(item)
        if name != "ok" and name != "err":
            refuse("ok or err", name)
        read = ok if name == "ok" else err
        if read is not None:
            inner = read(inner)
        elif inner is not None:
            refuse("null, for this end of the result has no value", inner)
        return Ok(inner) if name == "ok" else Err(inner)

    return decode


def _decode_flags(places: dict[str, int]) -> Decoder:
    def decode(item: object) -> object:
        if not isinstance(item, list):
            refuse("an array of flags", item)
        last = -1
        for name in item:
            place = places.get(name, -1) if isinstance(name, str) else -1
            if place <= last:
                refuse("a flag of these, in the order of declaration", name)
            last = place
        return frozenset(item)

    return decode
