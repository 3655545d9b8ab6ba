"""How values lie in core WebAssembly: flattened types, sizes and alignments.

Source: Component Model, Canonical ABI (`flatten_functype`, `elem_size`, `alignment`). A string and
a `list<u8>` are the same here in every respect, which is what the byte bridge stands on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, assert_never

from theater.values.types import (
    EnumOf,
    FlagsOf,
    FuncType,
    ListOf,
    OptionOf,
    Prim,
    RecordOf,
    Resource,
    ResultOf,
    TupleOf,
    VariantOf,
    WitType,
)

I32: Final = 0x7F
I64: Final = 0x7E
F32: Final = 0x7D
F64: Final = 0x7C

FLAT_PARAMS_MAX: Final = 16
FLAT_RESULTS_MAX: Final = 1

_SIZES: Final = {
    Prim.BOOL: 1, Prim.S8: 1, Prim.U8: 1, Prim.S16: 2, Prim.U16: 2, Prim.S32: 4, Prim.U32: 4,
    Prim.S64: 8, Prim.U64: 8, Prim.F32: 4, Prim.F64: 8, Prim.CHAR: 4,
}  # fmt: skip
_FLAT: Final = {Prim.S64: I64, Prim.U64: I64, Prim.F32: F32, Prim.F64: F64}


def parameters(function: FuncType) -> list[int]:
    """The core types of a function's parameters: flat, or one pointer if they are too many."""
    flat = [core for _, wit in function.params for core in flatten(wit)]
    return flat if len(flat) <= FLAT_PARAMS_MAX else [I32]


def results(function: FuncType) -> list[int] | None:
    """The core types of a function's result, None for one that is returned in memory."""
    flat = [] if function.result is None else flatten(function.result)
    return flat if len(flat) <= FLAT_RESULTS_MAX else None


def flatten(wit: WitType) -> list[int]:
    """The core types of a value."""
    match wit:
        case Prim.STRING:
            return [I32, I32]
        case Prim():
            return [_FLAT.get(wit, I32)]
        case ListOf():
            return [I32, I32]
        case EnumOf() | Resource() | FlagsOf():
            return [I32]
        case TupleOf() | RecordOf():
            return [core for part in _parts(wit) for core in flatten(part)]
        case VariantOf() | OptionOf() | ResultOf():
            return [I32, *_joined(_cases(wit))]
        case _:
            assert_never(wit)


def layout(wit: WitType) -> tuple[int, int]:
    """Size and alignment of a value in memory."""
    match wit:
        case Prim.STRING | ListOf():
            return 8, 4
        case Prim():
            return _SIZES[wit], _SIZES[wit]
        case Resource():
            return 4, 4
        case EnumOf(names):
            size = _discriminant(len(names))
            return size, size
        case FlagsOf(names):
            size = 1 if len(names) <= 8 else 2 if len(names) <= 16 else 4
            return size, size
        case TupleOf() | RecordOf():
            return _row([layout(part) for part in _parts(wit)])
        case VariantOf() | OptionOf() | ResultOf():
            cases = _cases(wit)
            tag = _discriminant(len(cases))
            inner = [layout(case) for case in cases if case is not None]
            align = max([tag, *(align for _, align in inner)])
            content = max([size for size, _ in inner], default=0)
            start = _up(tag, max([align for _, align in inner], default=1))
            return _up(start + content, align), align
        case _:
            assert_never(wit)


def _parts(wit: TupleOf | RecordOf) -> tuple[WitType, ...]:
    return wit.items if isinstance(wit, TupleOf) else tuple(field for _, field in wit.fields)


def _cases(wit: VariantOf | OptionOf | ResultOf) -> tuple[WitType | None, ...]:
    match wit:
        case VariantOf(cases):
            return tuple(case for _, case in cases)
        case OptionOf(inner):
            return None, inner
        case ResultOf(ok, err):
            return ok, err


def _joined(cases: Sequence[WitType | None]) -> list[int]:
    joined: list[int] = []
    for case in cases:
        for at, core in enumerate([] if case is None else flatten(case)):
            if at == len(joined):
                joined.append(core)
            elif joined[at] != core:
                joined[at] = I32 if {joined[at], core} == {I32, F32} else I64
    return joined


def _row(parts: Sequence[tuple[int, int]]) -> tuple[int, int]:
    size, align = 0, 1
    for part_size, part_align in parts:
        size = _up(size, part_align) + part_size
        align = max(align, part_align)
    return _up(size, align), align


def _discriminant(cases: int) -> int:
    return 1 if cases <= 0x100 else 2 if cases <= 0x10000 else 4


def _up(size: int, align: int) -> int:
    return (size + align - 1) // align * align
