"""The types of `theater:agent/registry`, as registry.wit has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from theater.values.types import FuncType, OptionOf, Prim, ResultOf

_NAME: Final = ("name", Prim.STRING)
_CHANGE: Final = FuncType((_NAME,), ResultOf(None, Prim.STRING))

TYPES: Final[Mapping[str, FuncType]] = {
    "register": _CHANGE,
    "unregister": _CHANGE,
    "whereis": FuncType((_NAME,), OptionOf(Prim.STRING)),
}
"""By function."""
