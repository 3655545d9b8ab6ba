"""Which kinds of WIT values went which way: a histogram, so that none is left out unnoticed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import Enum

from tests.engine.echo import BORROW, OWN
from theater.values.types import (
    BYTES,
    Case,
    EnumOf,
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
)


class Way(Enum):
    """The four ways of a value through the engine."""

    PARAMETER = "lower parameter"
    ARGUMENT = "lift host argument"
    ANSWER = "lower host result"
    RESULT = "lift result"


_RESULTS = {
    (True, True): "result<T, E>",
    (True, False): "result<T>",
    (False, True): "result<_, E>",
    (False, False): "result",
}
FLAG_COUNTS = (8, 16, 32)
"""How many flags one, two and four bytes hold; WASI 0.2 has no more than 32."""

KINDS = (
    *(prim.value for prim in Prim),
    "list<u8>",
    *(f"list<{prim.value}>" for prim in Prim if prim is not Prim.U8),
    "list of others",
    "list, empty",
    "option, none",
    "option, some",
    "option of option, none",
    "option of option, some",
    *(f"{form}, {end}" for form in _RESULTS.values() for end in ("ok", "err")),
    "tuple",
    "record",
    "variant, case with a value",
    "variant, case without",
    "enum",
    *(f"flags of up to {count}" for count in FLAG_COUNTS),
    "own",
    "borrow",
)

IMPOSSIBLE = {("borrow", Way.ANSWER), ("borrow", Way.RESULT)}
"""What WIT has not: no result holds a borrow."""


def kinds(wit: WitType, value: object) -> Iterator[str]:
    """The kinds of a value and of all values in it."""
    match wit:
        case Prim():
            yield wit.value
        case ListOf(element):
            yield from _list(wit, element, value)
        case TupleOf(items):
            yield "tuple"
            for item, each in zip(items, value, strict=True):
                yield from kinds(item, each)
        case RecordOf(fields):
            yield "record"
            for name, field in fields:
                yield from kinds(field, value[name])
        case VariantOf(cases):
            assert isinstance(value, Case)
            inner = dict(cases)[value.name]
            yield "variant, case without" if inner is None else "variant, case with a value"
            yield from _payload(inner, value.value)
        case OptionOf(inner):
            form = "option of option" if isinstance(inner, OptionOf) else "option"
            yield f"{form}, none" if value is None else f"{form}, some"
            if value is not None:
                yield from kinds(inner, value.value if isinstance(value, Some) else value)
        case ResultOf(ok, err):
            form = _RESULTS[ok is not None, err is not None]
            good = isinstance(value, Ok)
            yield f"{form}, {'ok' if good else 'err'}"
            yield from _payload(ok if good else err, value.value)
        case EnumOf():
            yield "enum"
        case FlagsOf(names):
            room = next(count for count in FLAG_COUNTS if len(names) <= count)
            yield f"flags of up to {room}"
        case Resource():
            yield {OWN: "own", BORROW: "borrow"}[wit]


def _payload(wit: WitType | None, value: object) -> Iterator[str]:
    if wit is not None:
        yield from kinds(wit, value)


def _list(wit: ListOf, element: WitType, value: list[object]) -> Iterator[str]:
    if not value:
        yield "list, empty"
    if wit == BYTES:
        yield "list<u8>"
        return
    if value:
        yield f"list<{element.value}>" if isinstance(element, Prim) else "list of others"
    for item in value:
        yield from kinds(element, item)


class Histogram:
    """How often each kind went each way."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, Way]] = Counter()

    def add(self, wit: WitType, value: object, way: Way) -> None:
        self.counts.update((kind, way) for kind in kinds(wit, value))

    def missing(self) -> list[tuple[str, Way]]:
        """What never went where WIT lets it go."""
        cells = ((kind, way) for kind in KINDS for way in Way)
        return [cell for cell in cells if cell not in IMPOSSIBLE and not self.counts[cell]]

    def unknown(self) -> set[tuple[str, Way]]:
        """What was counted and is not listed here, or can't be."""
        return {cell for cell in self.counts if cell[0] not in KINDS or cell in IMPOSSIBLE}

    def __str__(self) -> str:
        lines = [f"{'kind':28}" + "".join(f"{way.value:>20}" for way in Way)]
        for kind in KINDS:
            counts = [
                "-" if (kind, way) in IMPOSSIBLE else str(self.counts[kind, way]) for way in Way
            ]
            lines.append(f"{kind:28}" + "".join(f"{count:>20}" for count in counts))
        return "\n".join(lines)
