"""The types of `theater:simple/store`, as store.wit has them."""

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
    WitType,
)

_REF: Final = RecordOf((("hash", Prim.STRING),))
_STORE: Final = ("store-id", Prim.STRING)
_LABEL: Final = ("label", Prim.STRING)
_CONTENT: Final = ("content", BYTES)
_CONTENT_REF: Final = ("content-ref", _REF)


def _function(*params: tuple[str, WitType], gives: WitType | None = None) -> FuncType:
    return FuncType(params, ResultOf(gives, Prim.STRING))


TYPES: Final[Mapping[str, FuncType]] = {
    "new": _function(gives=Prim.STRING),
    "store": _function(_STORE, _CONTENT, gives=_REF),
    "get": _function(_STORE, _CONTENT_REF, gives=BYTES),
    "exists": _function(_STORE, _CONTENT_REF, gives=Prim.BOOL),
    "label": _function(_STORE, _LABEL, _CONTENT_REF),
    "get-by-label": _function(_STORE, _LABEL, gives=OptionOf(_REF)),
    "remove-label": _function(_STORE, _LABEL),
    "remove-from-label": _function(_STORE, _LABEL, _CONTENT_REF),
    "store-at-label": _function(_STORE, _LABEL, _CONTENT, gives=_REF),
    "replace-content-at-label": _function(_STORE, _LABEL, _CONTENT, gives=_REF),
    "replace-at-label": _function(_STORE, _LABEL, _CONTENT_REF),
    "list-labels": _function(_STORE, gives=ListOf(Prim.STRING)),
    "list-all-content": _function(_STORE, gives=ListOf(_REF)),
    "calculate-total-size": _function(_STORE, gives=Prim.U64),
}
"""By function."""
