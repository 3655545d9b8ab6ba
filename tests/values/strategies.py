"""Generated WIT types with values of them, and generated CBOR items."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

from hypothesis import strategies as st

from theater.values.ranges import HANDLE_MAX, INTEGER_RANGES
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

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,3})?", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
SINGLES = st.floats(width=32)

items: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats()
    | SINGLES
    | st.floats(width=16)
    | TEXTS
    | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=12,
)


def _names(least: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(NAMES, min_size=least, max_size=5, unique=True).map(tuple)


def _composed(inner: st.SearchStrategy[WitType]) -> st.SearchStrategy[WitType]:
    perhaps = st.none() | inner

    def named(
        build: Callable[[tuple[tuple[str, WitType], ...]], WitType],
        of: st.SearchStrategy[WitType | None],
    ) -> st.SearchStrategy[WitType]:
        return _names(1).flatmap(
            lambda names: st.tuples(*[of] * len(names)).map(
                lambda types: build(tuple(zip(names, types, strict=True)))
            )
        )

    return st.one_of(
        inner.map(ListOf),
        st.lists(inner, max_size=4).map(lambda types: TupleOf(tuple(types))),
        named(RecordOf, inner),
        named(VariantOf, perhaps),
        inner.map(OptionOf),
        inner.map(lambda wit: OptionOf(OptionOf(wit))),
        st.builds(ResultOf, perhaps, perhaps),
    )


types: st.SearchStrategy[WitType] = st.recursive(
    st.sampled_from(list(Prim))
    | st.just(ListOf(Prim.U8))
    | _names(1).map(EnumOf)
    | _names(0).map(FlagsOf)
    | st.builds(Resource, st.just("wasi:io/streams@0.2/output-stream"), st.booleans()),
    _composed,
    max_leaves=8,
)


def _edges(low: int, high: int) -> st.SearchStrategy[int]:
    near = [n for n in (0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32) if low <= n <= high]
    return st.sampled_from([low, high, *near]) | st.integers(low, high)


def values(wit: WitType) -> st.SearchStrategy[object]:
    """Values of a type, as `theater.values.types` says that they look in Python."""
    match wit:
        case Prim.BOOL:
            return st.booleans()
        case Prim.STRING:
            return TEXTS
        case Prim.CHAR:
            return st.characters(exclude_categories=["Cs"])
        case Prim.F32:
            return SINGLES
        case Prim.F64:
            return st.floats()
        case Prim():
            return _edges(*INTEGER_RANGES[wit])
        case ListOf(Prim.U8):
            return st.binary(max_size=300)
        case ListOf(element):
            return st.lists(values(element), max_size=4)
        case TupleOf(members):
            return st.tuples(*map(values, members))
        case RecordOf(fields):
            return st.fixed_dictionaries({name: values(field) for name, field in fields})
        case VariantOf(cases):
            return st.one_of(
                [
                    st.just(Case(name))
                    if case is None
                    else st.builds(Case, st.just(name), values(case))
                    for name, case in cases
                ]
            )
        case EnumOf(names):
            return st.sampled_from(names)
        case OptionOf(inner):
            present = values(inner)
            return st.none() | (st.builds(Some, present) if nullable(inner) else present)
        case ResultOf(ok, err):
            return st.builds(Ok, st.none() if ok is None else values(ok)) | st.builds(
                Err, st.none() if err is None else values(err)
            )
        case FlagsOf(names):
            return st.frozensets(st.sampled_from(names)) if names else st.just(frozenset())
        case Resource():
            return _edges(1, HANDLE_MAX)


typed_values = types.flatmap(lambda wit: st.tuples(st.just(wit), values(wit)))


def key(value: object) -> object:
    """A value in a form in which equal means the same: NaN is NaN, -0.0 is not 0.0, True is not 1."""
    if isinstance(value, float):
        return "float", "nan" if math.isnan(value) else struct.pack(">d", value)
    if isinstance(value, Case):
        return "case", value.name, key(value.value)
    if isinstance(value, (list, tuple)):
        return type(value).__name__, tuple(map(key, value))
    if isinstance(value, dict):
        return "dict", tuple((name, key(value[name])) for name in sorted(value))
    if isinstance(value, (Some, Ok, Err)):
        return type(value).__name__, key(value.value)
    return type(value).__name__, value
