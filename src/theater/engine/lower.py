"""Writing the library's values: a type becomes closures once, a Python value passes through them.

A closure writes a value into a slot and emits its deterministic CBOR on the way, in the same pass.
Everything is allocated by the library, so that it can be given away as a host function's result,
and a slot's kind is written only when what it stands for is valid: whatever an error leaves half
built can be deleted. Slots begin as zeros, which is a `false`. A value that is not of the type is
refused with CodecError, as the codec of `theater.values` does. Places are as in `lift`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, assert_never

from theater.engine import native
from theater.engine.lift import Emit
from theater.engine.native import (
    BYTES,
    DOUBLES,
    ENTRY_BYTES,
    HALVES,
    KIND_BOOL,
    KIND_CHAR,
    KIND_ENUM,
    KIND_F32,
    KIND_F64,
    KIND_FLAGS,
    KIND_LIST,
    KIND_OPTION,
    KIND_RECORD,
    KIND_RESOURCE,
    KIND_RESULT,
    KIND_S8,
    KIND_S16,
    KIND_S32,
    KIND_S64,
    KIND_STRING,
    KIND_TUPLE,
    KIND_U8,
    KIND_U16,
    KIND_U32,
    KIND_U64,
    KIND_VARIANT,
    SINGLES,
    VAL_BYTES,
    WORDS,
    new_flags,
    new_list,
    new_record,
    new_string,
    new_tuple,
)
from theater.errors import CodecError
from theater.values.cbor import FALSE, NULL, TRUE, head, integer, real, text
from theater.values.ranges import HANDLE_MAX, INTEGER_RANGES, is_single, refuse
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

Lower = Callable[[int, Any, Emit, int], None]
"""(place of the slot, the value, where the CBOR goes, the store's context)."""

_TEMPLATE = native.Buffer(VAL_BYTES)
"""A `false`, of which the library makes one of its own whenever one value is to be allocated."""

_FALSE: Final = _TEMPLATE.address

_CELLS: Final = (bytes((KIND_U8,)) + bytes(VAL_BYTES - 1)) * 1024
"""Values `0` of type u8, as they lie in memory."""

_NAN_32: Final = 0x7FC00000
_NAN_64: Final = 0x7FF8000000000000

_INTEGER_KINDS: Final = {
    Prim.S8: KIND_S8,
    Prim.S16: KIND_S16,
    Prim.S32: KIND_S32,
    Prim.S64: KIND_S64,
    Prim.U8: KIND_U8,
    Prim.U16: KIND_U16,
    Prim.U32: KIND_U32,
    Prim.U64: KIND_U64,
}


def lowerer(wit: WitType, resources: Mapping[str, int], bridged: bool = False) -> Lower:
    """The function that writes values of a type.

    `resources` are the host's, by name. `bridged`: what are bytes here are a string in the library.
    """
    match wit:
        case Prim():
            return _prim(wit)
        case ListOf() if wit == LIST_OF_U8:
            return _lower_bridged_bytes if bridged else _lower_bytes
        case ListOf(element):
            return _list(lowerer(element, resources, bridged))
        case TupleOf(items):
            return _tuple([lowerer(item, resources, bridged) for item in items])
        case RecordOf(fields):
            return _record([(name, lowerer(field, resources, bridged)) for name, field in fields])
        case VariantOf(cases):
            return _variant([(name, _maybe(case, resources, bridged)) for name, case in cases])
        case EnumOf(names):
            return _enum(names)
        case OptionOf(inner):
            lower = lowerer(inner, resources, bridged)
            return _wrapped(lower) if nullable(inner) else _option(lower)
        case ResultOf(ok, err):
            return _result(_maybe(ok, resources, bridged), _maybe(err, resources, bridged))
        case FlagsOf(names):
            return _flags(names)
        case Resource(name, owned):
            return _handle(resources.get(name), name, owned)
        case _:
            assert_never(wit)


def _maybe(wit: WitType | None, resources: Mapping[str, int], bridged: bool) -> Lower | None:
    return None if wit is None else lowerer(wit, resources, bridged)


def nowhere(_: bytes) -> None:
    """Where CBOR goes that nobody wants."""


def _new_value() -> int:
    """The address of a new `false` of the library's own."""
    address: int = native.new_value(_FALSE)
    return address


def _zero(address: int, size: int) -> None:
    BYTES[address : address + size] = bytes(size)


def _prim(prim: Prim) -> Lower:
    match prim:
        case Prim.BOOL:
            return _lower_bool
        case Prim.STRING:
            return _lower_string
        case Prim.CHAR:
            return _lower_char
        case Prim.F32:
            return _lower_f32
        case Prim.F64:
            return _lower_f64
        case _:
            return _integer(prim)


def _integer(prim: Prim) -> Lower:
    low, high = INTEGER_RANGES[prim]
    kind = _INTEGER_KINDS[prim]
    what = f"an {prim.value}"

    def lower(place: int, value: Any, emit: Emit, context: int) -> None:
        if type(value) is not int or not low <= value <= high:
            refuse(what, value)
        # Little-endian: the low bytes are the narrower integer.
        WORDS[place + 1] = value & 0xFFFFFFFFFFFFFFFF
        BYTES[place << 3] = kind
        emit(integer(value))

    return lower


def _lower_bool(place: int, value: Any, emit: Emit, context: int) -> None:
    if value is True:
        emit(TRUE)
    elif value is False:
        emit(FALSE)
    else:
        refuse("a bool", value)
    WORDS[place + 1] = value
    BYTES[place << 3] = KIND_BOOL


def _lower_char(place: int, value: Any, emit: Emit, context: int) -> None:
    if not isinstance(value, str) or len(value) != 1:
        refuse("a char", value)
    emit(text(value))
    HALVES[2 * place + 2] = ord(value)
    BYTES[place << 3] = KIND_CHAR


def _lower_f32(place: int, value: Any, emit: Emit, context: int) -> None:
    if type(value) is not float or not is_single(value):
        refuse("an f32", value)
    if value == value:
        SINGLES[2 * place + 2] = value
    else:
        HALVES[2 * place + 2] = _NAN_32
    BYTES[place << 3] = KIND_F32
    emit(real(value))


def _lower_f64(place: int, value: Any, emit: Emit, context: int) -> None:
    if type(value) is not float:
        refuse("a float", value)
    if value == value:
        DOUBLES[place + 1] = value
    else:
        WORDS[place + 1] = _NAN_64
    BYTES[place << 3] = KIND_F64
    emit(real(value))


def _lower_string(place: int, value: Any, emit: Emit, context: int) -> None:
    if not isinstance(value, str):
        refuse("a string", value)
    try:
        raw = str.encode(value)
    except UnicodeEncodeError:
        raise CodecError("a text has a lone surrogate and can't be written as UTF-8") from None
    new_string((place << 3) + 8, len(raw), raw)
    BYTES[place << 3] = KIND_STRING
    emit(head(3, len(raw)))
    emit(raw)


def _lower_bytes(place: int, value: Any, emit: Emit, context: int) -> None:
    if type(value) is not bytes:
        refuse("bytes", value)
    size = len(value)
    new_list((place << 3) + 8, size)
    first = WORDS[place + 2]
    end = first + VAL_BYTES * size
    if size <= 1024:
        BYTES[first:end] = _CELLS[: end - first]
    else:
        BYTES[first:end:VAL_BYTES] = b"\x02" * size
    BYTES[first + 8 : end + 8 : VAL_BYTES] = value
    BYTES[place << 3] = KIND_LIST
    emit(head(2, size))
    emit(value)


def _lower_bridged_bytes(place: int, value: Any, emit: Emit, context: int) -> None:
    if type(value) is not bytes:
        refuse("bytes", value)
    raw = value if value.isascii() else value.decode("latin-1").encode()
    new_string((place << 3) + 8, len(raw), raw)
    BYTES[place << 3] = KIND_STRING
    emit(head(2, len(value)))
    emit(value)


def _handle(resource: int | None, name: str, owned: bool) -> Lower:
    def lower(place: int, value: Any, emit: Emit, context: int) -> None:
        if type(value) is not int or not 1 <= value <= HANDLE_MAX:
            refuse("a resource's number", value)
        if resource is None:
            raise CodecError(f"only the guest can make a {name}")
        host = native.host_resource(owned, value, resource)
        slot = native.Buffer(8)
        error = native.resource_from_host(context, host, slot.address)
        native.delete_host_resource(host)
        if error:
            raise native.LibraryError(native.take_text(error))
        WORDS[place + 1] = WORDS[slot.address >> 3]
        BYTES[place << 3] = KIND_RESOURCE
        emit(integer(value))

    return lower


def _list(element: Lower) -> Lower:
    def lower(place: int, value: Any, emit: Emit, context: int) -> None:
        if not isinstance(value, (list, tuple)):
            refuse("a list", value)
        # What is counted must be what is written, whatever another thread does to the list.
        items = tuple(value)
        size = len(items)
        new_list((place << 3) + 8, size)
        first = WORDS[place + 2]
        _zero(first, VAL_BYTES * size)
        BYTES[place << 3] = KIND_LIST
        emit(head(4, size))
        at = first >> 3
        for item in items:
            element(at, item, emit, context)
            at += 4

    return lower


def _tuple(items: Sequence[Lower]) -> Lower:
    count = len(items)
    start = head(4, count)
    writes = [(write, 4 * index, index) for index, write in enumerate(items)]
    size = VAL_BYTES * count
    zeros = bytes(size)

    def lower(place: int, value: Any, emit: Emit, context: int) -> None:
        if not isinstance(value, (tuple, list)) or len(value) != count:
            refuse(f"{count} values", value)
        new_tuple((place << 3) + 8, count)
        first = WORDS[place + 2]
        BYTES[first : first + size] = zeros
        BYTES[place << 3] = KIND_TUPLE
        emit(start)
        at = first >> 3
        for write, offset, index in writes:
            write(at + offset, value[index], emit, context)

    return lower


def _record(fields: Sequence[tuple[str, Lower]]) -> Lower:
    # CBOR has its keys in the order of their bytes, memory in the order of declaration.
    count = len(fields)
    start = head(5, count)
    entries = sorted(
        (text(name), name, name.encode(), 6 * index, write)
        for index, (name, write) in enumerate(fields)
    )

    def lower(place: int, value: Any, emit: Emit, context: int) -> None:
        if not isinstance(value, dict) or len(value) != count:
            refuse(f"a record of {count} fields", value)
        new_record((place << 3) + 8, count)
        address = WORDS[place + 2]
        _zero(address, ENTRY_BYTES * count)
        BYTES[place << 3] = KIND_RECORD
        emit(start)
        first = address >> 3
        for key, name, raw, offset, write in entries:
            if name not in value:
                refuse(f"a record with a field {name}", value)
            at = first + offset
            new_string(at << 3, len(raw), raw)
            emit(key)
            write(at + 2, value[name], emit, context)

    return lower


def _variant(cases: Sequence[tuple[str, Lower | None]]) -> Lower:
    known = {name: (head(5, 1) + text(name), name.encode(), write) for name, write in cases}

    def lower(place: int, value: Any, emit: Emit, context: int) -> None:
        if not isinstance(value, Case):
            refuse("a Case", value)
        inner = value.value
        name: object = value.name
        if not isinstance(name, str) or name not in known:
            refuse("a case of this variant", name)
        start, raw, write = known[name]
        emit(start)
        if write is None and inner is not None:
            refuse(f"None, for the case {name} has no value", inner)
        new_string((place << 3) + 8, len(raw), raw)
        box = 0 if write is None else _new_value()
        WORDS[place + 3] = box
        BYTES[place << 3] = KIND_VARIANT
        if write is None:
            emit(NULL)
        else:
            write(box >> 3, inner, emit, context)

    return lower


def _enum(names: Sequence[str]) -> Lower:
    known = {name: (text(name), name.encode()) for name in names}

    def lower(place: int, value: Any, emit: Emit, context: int) -> None:
        if not isinstance(value, str) or value not in known:
            refuse("a name of this enum", value)
        encoded, raw = known[value]
        new_string((place << 3) + 8, len(raw), raw)
        BYTES[place << 3] = KIND_ENUM
        emit(encoded)

    return lower


def _option(inner: Lower) -> Lower:
    def lower(place: int, value: Any, emit: Emit, context: int) -> None:
        if value is None:
            WORDS[place + 1] = 0
            BYTES[place << 3] = KIND_OPTION
            emit(NULL)
            return
        box = _new_value()
        WORDS[place + 1] = box
        BYTES[place << 3] = KIND_OPTION
        inner(box >> 3, value, emit, context)

    return lower


def _wrapped(inner: Lower) -> Lower:
    plain = _option(inner)
    start = head(4, 1)

    def lower(place: int, value: Any, emit: Emit, context: int) -> None:
        if value is None:
            plain(place, None, emit, context)
            return
        if not isinstance(value, Some):
            refuse("None or Some", value)
        emit(start)
        box = _new_value()
        WORDS[place + 1] = box
        BYTES[place << 3] = KIND_OPTION
        inner(box >> 3, value.value, emit, context)

    return lower


def _result(ok: Lower | None, err: Lower | None) -> Lower:
    ok_start = head(5, 1) + text("ok")
    err_start = head(5, 1) + text("err")

    def lower(place: int, value: Any, emit: Emit, context: int) -> None:
        if isinstance(value, Ok):
            start, write, flag = ok_start, ok, 1
        elif isinstance(value, Err):
            start, write, flag = err_start, err, 0
        else:
            refuse("Ok or Err", value)
        emit(start)
        if write is None and value.value is not None:
            refuse("None, for this end of the result has no value", value.value)
        box = 0 if write is None else _new_value()
        WORDS[place + 1] = flag
        WORDS[place + 2] = box
        BYTES[place << 3] = KIND_RESULT
        if write is None:
            emit(NULL)
        else:
            write(box >> 3, value.value, emit, context)

    return lower


def _flags(names: Sequence[str]) -> Lower:
    encoded = [(name, text(name), name.encode()) for name in names]

    def lower(place: int, value: Any, emit: Emit, context: int) -> None:
        if not isinstance(value, (frozenset, set)):
            refuse("a set of flags", value)
        present = [(part, raw) for name, part, raw in encoded if name in value]
        if len(present) != len(value):
            refuse("a set of these flags", value)
        new_flags((place << 3) + 8, len(present))
        address = WORDS[place + 2]
        _zero(address, 16 * len(present))
        BYTES[place << 3] = KIND_FLAGS
        emit(head(4, len(present)))
        for part, raw in present:
            new_string(address, len(raw), raw)
            address += 16
            emit(part)

    return lower
