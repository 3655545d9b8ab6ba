"""The types of `theater:simple/runtime`, as runtime.wit has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from theater.values.types import (
    BYTES,
    FuncType,
    ListOf,
    OptionOf,
    Prim,
    RecordOf,
    ResultOf,
)

_EVENT: Final = RecordOf(
    (
        ("event-type", Prim.STRING),
        ("parent", OptionOf(Prim.U64)),
        ("data", BYTES),
    )
)
_CHAIN: Final = RecordOf((("events", ListOf(RecordOf((("hash", Prim.U64), ("event", _EVENT))))),))

TYPES: Final[Mapping[str, FuncType]] = {
    "log": FuncType((("msg", Prim.STRING),), None),
    "get-chain": FuncType((), _CHAIN),
    "shutdown": FuncType((("data", OptionOf(BYTES)),), ResultOf(None, Prim.STRING)),
}
"""By function."""
