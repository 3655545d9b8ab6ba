"""The types that an actor's `init` may have, as actor.wit says."""

from __future__ import annotations

from typing import Final

from theater.values.types import STATE, FuncType, Prim, ResultOf, TupleOf

_KEPT: Final = ResultOf(TupleOf((STATE,)), Prim.STRING)

INIT: Final = FuncType((("state", STATE), ("params", TupleOf((Prim.STRING,)))), _KEPT)
OLDER_INIT: Final = FuncType((("state", STATE),), _KEPT)
"""The one-argument form that older toolchains build."""
