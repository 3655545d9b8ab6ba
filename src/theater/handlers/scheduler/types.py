"""The types of `theater:agent/scheduler` and `-client`, as scheduler.wit has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from theater.values.types import (
    BYTES,
    STATE,
    FuncType,
    ListOf,
    Prim,
    ResultOf,
    TupleOf,
    WitType,
)

_PAYLOAD: Final = ("payload", BYTES)


def _setting(name: str, wit: WitType) -> FuncType:
    return FuncType(((name, wit), _PAYLOAD), ResultOf(Prim.STRING, Prim.STRING))


TYPES: Final[Mapping[str, FuncType]] = {
    "after": _setting("delay-ms", Prim.U64),
    "every": _setting("period-ms", Prim.U64),
    "cron": _setting("expression", Prim.STRING),
    "cancel": FuncType((("timer-id", Prim.STRING),), ResultOf(None, Prim.STRING)),
    "pending": FuncType((), ListOf(Prim.STRING)),
}
"""What the host provides, by function."""

CALLBACKS: Final[Mapping[str, FuncType]] = {
    "handle-timer": FuncType(
        (("state", STATE), ("params", TupleOf((Prim.STRING, BYTES)))),
        ResultOf(TupleOf((STATE,)), Prim.STRING),
    ),
}
"""What the host calls of `scheduler-client`, by function."""
