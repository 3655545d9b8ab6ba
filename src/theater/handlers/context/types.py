"""The types of `theater:agent/context`, as context.wit has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from theater.values.types import FuncType, OptionOf, Prim, RecordOf, VariantOf

_ORIGIN: Final = VariantOf((("actor", Prim.STRING), ("client", Prim.STRING), ("host", None)))
_MESSAGE: Final = RecordOf(
    (
        ("id", Prim.STRING),
        ("origin", _ORIGIN),
        ("kind", Prim.STRING),
        ("deadline", OptionOf(Prim.U64)),
        ("traceparent", OptionOf(Prim.STRING)),
    )
)

TYPES: Final[Mapping[str, FuncType]] = {
    "message": FuncType((), OptionOf(_MESSAGE)),
    "self-id": FuncType((), Prim.STRING),
    "self-name": FuncType((), Prim.STRING),
    "parent-id": FuncType((), OptionOf(Prim.STRING)),
}
"""By function."""
