"""Types of every kind, and seeded values of any type: the same ones in every run of a seed."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable

from tests.engine.echo import BORROW, OWN
from tests.engine.strategies import LEAVES, random_type
from theater.values.ranges import INTEGER_RANGES
from theater.values.types import (
    BYTES,
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


def _flags(count: int) -> FlagsOf:
    return FlagsOf(tuple(f"flag{number}" for number in range(count)))


EVERY_KIND: list[WitType] = [
    *Prim,
    *(ListOf(prim) for prim in Prim),
    *(OptionOf(prim) for prim in Prim),
    ListOf(BYTES),
    ListOf(ListOf(Prim.U16)),
    OptionOf(BYTES),
    OptionOf(OptionOf(Prim.U8)),
    OptionOf(OptionOf(OptionOf(Prim.STRING))),
    ResultOf(BYTES, Prim.STRING),
    ResultOf(Prim.CHAR, None),
    ResultOf(None, BYTES),
    ResultOf(None, None),
    ResultOf(OptionOf(BYTES), Prim.STRING),
    ResultOf(ResultOf(None, Prim.U8), OptionOf(Prim.U8)),
    TupleOf((Prim.U8,)),
    TupleOf((*Prim, BYTES, *Prim)),
    RecordOf((("zz", Prim.F32), ("a", BYTES), ("bb", OptionOf(Prim.S16)))),
    RecordOf((("only", RecordOf((("inner", ListOf(Prim.STRING)),))),)),
    VariantOf((("a", Prim.F32), ("b", Prim.S64), ("c", None), ("d", Prim.STRING), ("e", BYTES))),
    VariantOf((("number", Prim.U32), ("truth", Prim.BOOL))),
    VariantOf(tuple((f"case{number}", Prim.U8 if number % 2 else None) for number in range(300))),
    EnumOf(("only",)),
    EnumOf(tuple(f"name{number}" for number in range(300))),
    *(_flags(count) for count in (1, 7, 8, 9, 16, 17, 31, 32)),
]

OWNING: list[WitType] = [
    OWN,
    ListOf(OWN),
    OptionOf(OWN),
    TupleOf((OWN, BYTES, OWN)),
    RecordOf((("b", OWN), ("a", ListOf(OptionOf(OWN))))),
    ResultOf(OWN, Prim.STRING),
    VariantOf((("nothing", None), ("thing", OWN), ("text", Prim.STRING))),
]

BORROWING: list[WitType] = [
    BORROW,
    ListOf(BORROW),
    OptionOf(BORROW),
    TupleOf((BORROW, Prim.U8, BORROW)),
    RecordOf((("b", OptionOf(BORROW)), ("a", Prim.STRING))),
    ResultOf(BORROW, Prim.U8),
    VariantOf((("nothing", None), ("thing", BORROW), ("text", Prim.STRING))),
]


def plain_types(seed: int, count: int) -> list[WitType]:
    """Every kind but resources, and `count` random types."""
    chance = random.Random(seed)
    return EVERY_KIND + [random_type(chance, 4) for _ in range(count)]


def all_types(seed: int, count: int) -> list[WitType]:
    """Every kind, and `count` random types."""
    chance = random.Random(seed)
    leaves = [*LEAVES, OWN, OWN, OWN]
    return EVERY_KIND + OWNING + BORROWING + [random_type(chance, 4, leaves) for _ in range(count)]


_TEXTS = ["", "a", "Grüße", "\0", "日本語", "😀 €", "n" * 300, "\ufeff", "ÿ\u0100"]
_CHARS = "a\0é€\ud7ff\ue000😀\U0010ffff"
_FLOATS = [0.0, -0.0, 1.5, -1e300, 5e-324, math.inf, -math.inf, math.nan]
_SINGLES = [0.0, -0.0, 0.5, -(2.0**127), 2.0**-149, math.inf, -math.inf, math.nan]


def random_value(chance: random.Random, wit: WitType, thing: Callable[[], int]) -> object:
    """A value of a type; `thing` makes the numbers of resources."""

    def some(inner: WitType | None) -> object:
        return None if inner is None else random_value(chance, inner, thing)

    match wit:
        case Prim.BOOL:
            return chance.random() < 0.5
        case Prim.STRING:
            return chance.choice(_TEXTS)
        case Prim.CHAR:
            return chance.choice(_CHARS)
        case Prim.F32:
            (any_bits,) = struct.unpack("<f", chance.randbytes(4))
            return chance.choice([*_SINGLES, any_bits])
        case Prim.F64:
            (any_bits,) = struct.unpack("<d", chance.randbytes(8))
            return chance.choice([*_FLOATS, any_bits])
        case Prim():
            low, high = INTEGER_RANGES[wit]
            return chance.choice([low, high, high // 2 + 1, chance.randint(low, high), 1])
        case ListOf(Prim.U8):
            return chance.randbytes(chance.choice([0, 1, 3, 200]))
        case ListOf(element):
            return [some(element) for _ in range(chance.choice([0, 1, 2, 5]))]
        case TupleOf(items):
            return tuple([some(item) for item in items])
        case RecordOf(fields):
            return {name: some(field) for name, field in fields}
        case VariantOf(cases):
            name, inner = chance.choice(cases)
            return Case(name, some(inner))
        case EnumOf(names):
            return chance.choice(names)
        case OptionOf(inner):
            if chance.random() < 0.4:
                return None
            return Some(some(inner)) if nullable(inner) else some(inner)
        case ResultOf(ok, err):
            return Ok(some(ok)) if chance.random() < 0.5 else Err(some(err))
        case FlagsOf(names):
            return frozenset(name for name in names if chance.random() < 0.5)
        case Resource():
            return thing()
    raise AssertionError(wit)


def same(one: object, other: object) -> bool:
    """Whether two values are the same to the last bit and of the same Python types."""
    if type(one) is not type(other):
        return False
    match one, other:
        case float(), float():
            return struct.pack("<d", one) == struct.pack("<d", other) or (
                one != one and other != other
            )
        case (list(), list()) | (tuple(), tuple()):
            return len(one) == len(other) and all(map(same, one, other))
        case dict(), dict():
            return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
        case (Ok(), Ok()) | (Err(), Err()) | (Some(), Some()):
            return same(one.value, other.value)
    return one == other
