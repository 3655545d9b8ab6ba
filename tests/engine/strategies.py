"""Random WIT types, and Hypothesis strategies for the values of a type."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Sequence

from hypothesis import strategies as st

from theater.values.ranges import INTEGER_RANGES
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
    ResultOf,
    Some,
    TupleOf,
    VariantOf,
    WitType,
    nullable,
)

_NAMES = ["a", "b", "aa", "of-three", "x1", "longer-name", "z", "ab", "ok", "value"]

LEAVES: list[WitType] = [*Prim, ListOf(Prim.U8), ListOf(Prim.STRING)]


def random_type(chance: random.Random, depth: int, leaves: Sequence[WitType] = LEAVES) -> WitType:
    """A type with at most `depth` levels below it, which end in `leaves`."""
    if depth == 0 or chance.random() < 0.15:
        return chance.choice(leaves)
    inner = depth - 1
    names = chance.sample(_NAMES, chance.randint(1, 4))
    match chance.randrange(8):
        case 0:
            return ListOf(random_type(chance, inner, leaves))
        case 1:
            return TupleOf(tuple(random_type(chance, inner, leaves) for _ in names))
        case 2:
            return RecordOf(tuple((name, random_type(chance, inner, leaves)) for name in names))
        case 3:
            return VariantOf(tuple((name, _maybe(chance, inner, leaves)) for name in names))
        case 4:
            return EnumOf(tuple(names))
        case 5:
            return OptionOf(random_type(chance, inner, leaves))
        case 6:
            return ResultOf(_maybe(chance, inner, leaves), _maybe(chance, inner, leaves))
        case _:
            count = chance.choice([1, 3, 8, 9, 17, 32])
            return FlagsOf(tuple(f"flag{number}" for number in range(count)))


def _maybe(chance: random.Random, depth: int, leaves: Sequence[WitType]) -> WitType | None:
    return random_type(chance, depth, leaves) if chance.random() < 0.7 else None


_TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
_DOUBLES = st.floats() | st.sampled_from([math.nan, -math.nan, math.inf, -0.0, 5e-324])


def values(wit: WitType) -> st.SearchStrategy[object]:
    """Values of a type."""
    match wit:
        case Prim.BOOL:
            return st.booleans()
        case Prim.STRING:
            return _TEXTS
        case Prim.CHAR:
            return st.characters(codec="utf-8")
        case Prim.F32:
            return st.floats(width=32) | st.just(struct.unpack("<f", b"\x01\x00\xa0\x7f")[0])
        case Prim.F64:
            return _DOUBLES
        case Prim():
            low, high = INTEGER_RANGES[wit]
            return st.integers(low, high) | st.sampled_from([low, high])
        case ListOf(Prim.U8):
            return st.binary(max_size=60)
        case ListOf(element):
            return st.lists(values(element), max_size=4)
        case TupleOf(items):
            return st.tuples(*[values(item) for item in items])
        case RecordOf(fields):
            return st.fixed_dictionaries({name: values(field) for name, field in fields})
        case VariantOf(cases):
            return st.one_of(
                [
                    _payload(case).map(lambda value, name=name: Case(name, value))
                    for name, case in cases
                ]
            )
        case EnumOf(names):
            return st.sampled_from(names)
        case OptionOf(inner):
            present = values(inner)
            return st.none() | (present.map(Some) if nullable(inner) else present)
        case ResultOf(ok, err):
            return _payload(ok).map(Ok) | _payload(err).map(Err)
        case FlagsOf(names):
            return st.frozensets(st.sampled_from(names))
    raise AssertionError(wit)


def _payload(wit: WitType | None) -> st.SearchStrategy[object]:
    return st.none() if wit is None else values(wit)
