"""The types of `theater:simple/http-client`, as http.wit has them."""

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
    TupleOf,
)

_HEADERS: Final = ListOf(TupleOf((Prim.STRING, Prim.STRING)))
_REQUEST: Final = RecordOf(
    (
        ("method", Prim.STRING),
        ("uri", Prim.STRING),
        ("headers", _HEADERS),
        ("body", OptionOf(BYTES)),
    )
)
_RESPONSE: Final = RecordOf(
    (("status", Prim.U16), ("headers", _HEADERS), ("body", OptionOf(BYTES)))
)

TYPES: Final[Mapping[str, FuncType]] = {
    "send-http": FuncType((("req", _REQUEST),), ResultOf(_RESPONSE, Prim.STRING)),
}
"""By function."""
