"""WIT values as CBOR and back, by type.

What each type looks like in Python is in `theater.values.types`, in CBOR in the chain's format
("WIT values as CBOR"). Given the type it is lossless both ways, except that every NaN is one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, assert_never

from theater.errors import CodecError
from theater.limits import CBOR_DEPTH_MAX
from theater.values.decoding import Decoder, compile_decoder, decode_items
from theater.values.encoding import Encoder, compile_encoder, encode_items
from theater.values.types import (
    EnumOf,
    FlagsOf,
    ListOf,
    OptionOf,
    Prim,
    RecordOf,
    Resource,
    ResultOf,
    TupleOf,
    VariantOf,
    WitType,
    nullable,
)

TYPE_DEPTH_MAX: Final = CBOR_DEPTH_MAX - 2
"""Levels that a type's values may have: an event's map and the array of parameters stand around."""


def encoder(wit: WitType) -> Encoder:
    """Return the function that writes values of a type."""
    _check_depth(wit)
    return compile_encoder(wit)


def decoder(wit: WitType) -> Decoder:
    """Return the function that makes values of a type from what `cbor.decode` returned."""
    _check_depth(wit)
    return compile_decoder(wit)


@lru_cache(maxsize=4096)
def encode_all(types: tuple[WitType, ...]) -> Callable[[Sequence[object]], bytes]:
    """Return the function that writes several values, one of each type, as an array."""
    return encode_items(tuple(encoder(wit) for wit in types))


@lru_cache(maxsize=4096)
def decode_all(types: tuple[WitType, ...]) -> Callable[[object], tuple[object, ...]]:
    """Return the function that makes several values, one of each type, from an array."""
    return decode_items(tuple(decoder(wit) for wit in types))


@lru_cache(maxsize=4096)
def depth(wit: WitType) -> int:
    """Return how many levels of arrays and maps the deepest value of a type has."""
    match wit:
        case Prim() | EnumOf() | Resource():
            return 0
        case FlagsOf():
            return 1
        case ListOf(element):
            return 0 if element is Prim.U8 else 1 + depth(element)
        case OptionOf(inner):
            return depth(inner) + nullable(inner)
        case TupleOf(items):
            return 1 + max((depth(item) for item in items), default=0)
        case RecordOf(fields):
            return 1 + max((depth(field) for _, field in fields), default=0)
        case VariantOf(cases):
            return 1 + max((depth(case) for _, case in cases if case is not None), default=0)
        case ResultOf(ok, err):
            return 1 + max((depth(end) for end in (ok, err) if end is not None), default=0)
        case _:
            assert_never(wit)


def _check_depth(wit: WitType) -> None:
    if depth(wit) > TYPE_DEPTH_MAX:
        raise CodecError(f"a type is nested deeper than {TYPE_DEPTH_MAX} levels")
