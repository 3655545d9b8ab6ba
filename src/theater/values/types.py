"""WIT types, as data, and how their values look in Python.

    WIT                 Python value
    bool                bool
    u8 … s64            int
    f32, f64            float (every NaN is the one canonical NaN)
    char, string        str
    list<u8>            bytes
    list<T>             list
    tuple<…>            tuple
    record              dict, by field name as WIT spells it
    variant             Case(name, value); value is None for a case without one
    enum                str
    option<T>           None or the value; Some(value) where T itself can be null
    result<T, E>        Ok(value) or Err(value)
    flags               frozenset of str
    own<R>, borrow<R>   int, the number of the resource, counted from 1 in each instance

Source: Component Model, WASI 0.2. `map`, `future` and `stream` are refused when a component is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class Prim(Enum):
    """A type without parts. The value is WIT's name for it."""

    BOOL = "bool"
    S8 = "s8"
    S16 = "s16"
    S32 = "s32"
    S64 = "s64"
    U8 = "u8"
    U16 = "u16"
    U32 = "u32"
    U64 = "u64"
    F32 = "f32"
    F64 = "f64"
    CHAR = "char"
    STRING = "string"


@dataclass(frozen=True, slots=True)
class ListOf:
    element: WitType


@dataclass(frozen=True, slots=True)
class TupleOf:
    items: tuple[WitType, ...]


@dataclass(frozen=True, slots=True)
class RecordOf:
    fields: tuple[tuple[str, WitType], ...]


@dataclass(frozen=True, slots=True)
class VariantOf:
    cases: tuple[tuple[str, WitType | None], ...]


@dataclass(frozen=True, slots=True)
class EnumOf:
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OptionOf:
    inner: WitType


@dataclass(frozen=True, slots=True)
class ResultOf:
    ok: WitType | None
    err: WitType | None


@dataclass(frozen=True, slots=True)
class FlagsOf:
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Resource:
    """A handle. `name` is interface and resource, as in `wasi:io/streams@0.2/output-stream`."""

    name: str
    owned: bool


WitType = (
    Prim
    | ListOf
    | TupleOf
    | RecordOf
    | VariantOf
    | EnumOf
    | OptionOf
    | ResultOf
    | FlagsOf
    | Resource
)


@dataclass(frozen=True, slots=True)
class FuncType:
    """A function's parameters, by name and in order, and its result, if it has one."""

    params: tuple[tuple[str, WitType], ...]
    result: WitType | None


class Case(NamedTuple):
    """A value of a variant."""

    name: str
    value: object = None


@dataclass(frozen=True, slots=True)
class Some:
    """A present value of an option whose inner value can itself be null."""

    value: object


@dataclass(frozen=True, slots=True)
class Ok:
    """The good end of a result."""

    value: object = None


@dataclass(frozen=True, slots=True)
class Err:
    """The bad end of a result."""

    value: object = None


BYTES = ListOf(Prim.U8)
STATE = OptionOf(BYTES)


def nullable(wit: WitType) -> bool:
    """Whether a value of this type can be null in CBOR, so that an option of it needs a wrapper."""
    return isinstance(wit, OptionOf)
