"""Reading the library's values: a type becomes closures once, a value in memory passes through them.

A closure reads the value at a place, emits its deterministic CBOR on the way, in the same pass, and
returns it as `theater.values.types` says. Places are counted in words of 8 bytes: a value takes
four, the first byte is its kind, what it holds begins at the next word. Nothing is freed here; what
the library allocated, it deletes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, assert_never

from theater.engine import native
from theater.engine.native import BYTES, DOUBLES, HALVES, SIGNED, SINGLES, VAL_BYTES, WORDS
from theater.values.cbor import FALSE, NULL, TRUE, head, integer, real, text
from theater.values.types import (
    BYTES as LIST_OF_U8,
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
    nullable,
)

Emit = Callable[[bytes], object]
Lift = Callable[[int, Emit, int], Any]
"""(place, where the CBOR goes, the store's context) -> the value."""

_SMALL: Final = tuple(integer(number) for number in range(256))


def lifter(wit: WitType, bridged: bool = False) -> Lift:
    """The function that reads values of a type.

    `bridged`: what are bytes here are a string in the library.
    """
    match wit:
        case Prim():
            return _PRIMS[wit]
        case ListOf() if wit == LIST_OF_U8:
            return _lift_bridged_bytes if bridged else _lift_bytes
        case ListOf(element):
            return _list(lifter(element, bridged))
        case TupleOf(items):
            return _tuple([lifter(item, bridged) for item in items])
        case RecordOf(fields):
            return _record([(name, lifter(field, bridged)) for name, field in fields])
        case VariantOf(cases):
            return _variant([(name, _maybe(case, bridged)) for name, case in cases])
        case EnumOf(names):
            return _enum(names)
        case OptionOf(inner):
            return (
                _wrapped(lifter(inner, bridged))
                if nullable(inner)
                else _option(lifter(inner, bridged))
            )
        case ResultOf(ok, err):
            return _result(_maybe(ok, bridged), _maybe(err, bridged))
        case FlagsOf(names):
            return _flags(names)
        case Resource():
            return _lift_handle
        case _:
            assert_never(wit)


def lift_all(
    types: Sequence[WitType], bridged: bool = False
) -> Callable[[int, Emit, int], tuple[object, ...]]:
    """The function that reads values that stand behind each other, as one array and one tuple."""
    return _items([lifter(wit, bridged) for wit in types])


def _items(lifts: Sequence[Lift]) -> Callable[[int, Emit, int], tuple[object, ...]]:
    start = head(4, len(lifts))
    # A comprehension costs as much as reading a value; most arrays here have one item or two.
    match lifts:
        case []:

            def lift_none(place: int, emit: Emit, context: int) -> tuple[object, ...]:
                emit(start)
                return ()

            return lift_none
        case [only]:

            def lift_one(place: int, emit: Emit, context: int) -> tuple[object, ...]:
                emit(start)
                return (only(place, emit, context),)

            return lift_one
        case [one, two]:

            def lift_two(place: int, emit: Emit, context: int) -> tuple[object, ...]:
                emit(start)
                return one(place, emit, context), two(place + 4, emit, context)

            return lift_two
    offsets = [(lift, 4 * index) for index, lift in enumerate(lifts)]

    def lift_many(place: int, emit: Emit, context: int) -> tuple[object, ...]:
        emit(start)
        return tuple([lift(place + offset, emit, context) for lift, offset in offsets])

    return lift_many


def _maybe(wit: WitType | None, bridged: bool) -> Lift:
    return _lift_nothing if wit is None else lifter(wit, bridged)


def _lift_nothing(place: int, emit: Emit, context: int) -> None:
    emit(NULL)


def _lift_bool(place: int, emit: Emit, context: int) -> bool:
    value = BYTES[(place << 3) + 8] != 0
    emit(TRUE if value else FALSE)
    return value


def _lift_u8(place: int, emit: Emit, context: int) -> int:
    value = BYTES[(place << 3) + 8]
    emit(_SMALL[value])
    return value


def _lift_u16(place: int, emit: Emit, context: int) -> int:
    value = HALVES[2 * place + 2] & 0xFFFF
    emit(head(0, value))
    return value


def _lift_u32(place: int, emit: Emit, context: int) -> int:
    value = HALVES[2 * place + 2]
    emit(_SMALL[value] if value < 256 else head(0, value))
    return value


def _lift_u64(place: int, emit: Emit, context: int) -> int:
    value = WORDS[place + 1]
    emit(_SMALL[value] if value < 256 else head(0, value))
    return value


def _lift_s8(place: int, emit: Emit, context: int) -> int:
    value = (BYTES[(place << 3) + 8] ^ 0x80) - 0x80
    emit(integer(value))
    return value


def _lift_s16(place: int, emit: Emit, context: int) -> int:
    value = ((HALVES[2 * place + 2] & 0xFFFF) ^ 0x8000) - 0x8000
    emit(integer(value))
    return value


def _lift_s32(place: int, emit: Emit, context: int) -> int:
    value = (HALVES[2 * place + 2] ^ 0x80000000) - 0x80000000
    emit(integer(value))
    return value


def _lift_s64(place: int, emit: Emit, context: int) -> int:
    value = SIGNED[place + 1]
    emit(integer(value))
    return value


def _lift_f32(place: int, emit: Emit, context: int) -> float:
    value = SINGLES[2 * place + 2]
    emit(real(value))
    return value if value == value else math.nan


def _lift_f64(place: int, emit: Emit, context: int) -> float:
    value = DOUBLES[place + 1]
    emit(real(value))
    return value if value == value else math.nan


def _lift_char(place: int, emit: Emit, context: int) -> str:
    value = chr(HALVES[2 * place + 2])
    emit(text(value))
    return value


def _lift_string(place: int, emit: Emit, context: int) -> str:
    size = WORDS[place + 1]
    data = WORDS[place + 2]
    raw = BYTES[data : data + size].tobytes()
    emit(head(3, size))
    emit(raw)
    return raw.decode()


def _lift_bytes(place: int, emit: Emit, context: int) -> bytes:
    size = WORDS[place + 1]
    first = WORDS[place + 2] + 8
    raw = BYTES[first : first + VAL_BYTES * size : VAL_BYTES].tobytes()
    emit(head(2, size))
    emit(raw)
    return raw


def _lift_bridged_bytes(place: int, emit: Emit, context: int) -> bytes:
    size = WORDS[place + 1]
    data = WORDS[place + 2]
    raw = BYTES[data : data + size].tobytes()
    if not raw.isascii():
        raw = raw.decode().encode("latin-1")
    emit(head(2, len(raw)))
    emit(raw)
    return raw


def _lift_handle(place: int, emit: Emit, context: int) -> int:
    number = resource_number(WORDS[place + 1], context)
    emit(integer(number))
    return number


def resource_number(handle: int, context: int) -> int:
    """The number that a host function gave to the resource of a handle."""
    slot = native.Buffer(8)
    error = native.resource_to_host(context, handle, slot.address)
    if error:
        raise native.LibraryError(native.take_text(error))
    host = WORDS[slot.address >> 3]
    number: int = native.host_resource_number(host)
    native.delete_host_resource(host)
    return number


def _list(element: Lift) -> Lift:
    def lift(place: int, emit: Emit, context: int) -> list[object]:
        size = WORDS[place + 1]
        first = WORDS[place + 2] >> 3
        emit(head(4, size))
        return [element(at, emit, context) for at in range(first, first + 4 * size, 4)]

    return lift


def _tuple(items: Sequence[Lift]) -> Lift:
    lift_items = _items(items)

    def lift(place: int, emit: Emit, context: int) -> tuple[object, ...]:
        return lift_items(WORDS[place + 2] >> 3, emit, context)

    return lift


def _record(fields: Sequence[tuple[str, Lift]]) -> Lift:
    # CBOR has its keys in the order of their bytes, memory in the order of declaration.
    entries = sorted(
        (text(name), name, 6 * index + 2, lift) for index, (name, lift) in enumerate(fields)
    )
    start = head(5, len(entries))
    blank: dict[str, object] = {name: None for name, _ in fields}

    def lift(place: int, emit: Emit, context: int) -> dict[str, object]:
        first = WORDS[place + 2] >> 3
        emit(start)
        record = blank.copy()
        for key, name, offset, read in entries:
            emit(key)
            record[name] = read(first + offset, emit, context)
        return record

    return lift


def _variant(cases: Sequence[tuple[str, Lift]]) -> Lift:
    known = {name.encode(): (name, head(5, 1) + text(name), lift) for name, lift in cases}

    def lift(place: int, emit: Emit, context: int) -> Case:
        size = WORDS[place + 1]
        data = WORDS[place + 2]
        name, start, read = known[BYTES[data : data + size].tobytes()]
        emit(start)
        return Case(name, read(WORDS[place + 3] >> 3, emit, context))

    return lift


def _enum(names: Sequence[str]) -> Lift:
    known = {name.encode(): (name, text(name)) for name in names}

    def lift(place: int, emit: Emit, context: int) -> str:
        size = WORDS[place + 1]
        data = WORDS[place + 2]
        name, encoded = known[BYTES[data : data + size].tobytes()]
        emit(encoded)
        return name

    return lift


def _option(inner: Lift) -> Lift:
    def lift(place: int, emit: Emit, context: int) -> object:
        some = WORDS[place + 1]
        if not some:
            emit(NULL)
            return None
        return inner(some >> 3, emit, context)

    return lift


def _wrapped(inner: Lift) -> Lift:
    start = head(4, 1)

    def lift(place: int, emit: Emit, context: int) -> object:
        some = WORDS[place + 1]
        if not some:
            emit(NULL)
            return None
        emit(start)
        return Some(inner(some >> 3, emit, context))

    return lift


def _result(ok: Lift, err: Lift) -> Lift:
    ok_start = head(5, 1) + text("ok")
    err_start = head(5, 1) + text("err")

    def lift(place: int, emit: Emit, context: int) -> object:
        inner = WORDS[place + 2] >> 3
        if BYTES[(place << 3) + 8]:
            emit(ok_start)
            return Ok(ok(inner, emit, context))
        emit(err_start)
        return Err(err(inner, emit, context))

    return lift


def _flags(names: Sequence[str]) -> Lift:
    encoded = [(name, text(name)) for name in names]

    def lift(place: int, emit: Emit, context: int) -> frozenset[str]:
        size = WORDS[place + 1]
        first = WORDS[place + 2] >> 3
        present = set()
        for at in range(first, first + 2 * size, 2):
            data = WORDS[at + 1]
            present.add(BYTES[data : data + WORDS[at]].tobytes().decode())
        emit(head(4, len(present)))
        for name, part in encoded:
            if name in present:
                emit(part)
        return frozenset(present)

    return lift


_PRIMS: Final[dict[Prim, Lift]] = {
    Prim.BOOL: _lift_bool,
    Prim.U8: _lift_u8,
    Prim.U16: _lift_u16,
    Prim.U32: _lift_u32,
    Prim.U64: _lift_u64,
    Prim.S8: _lift_s8,
    Prim.S16: _lift_s16,
    Prim.S32: _lift_s32,
    Prim.S64: _lift_s64,
    Prim.F32: _lift_f32,
    Prim.F64: _lift_f64,
    Prim.CHAR: _lift_char,
    Prim.STRING: _lift_string,
}
