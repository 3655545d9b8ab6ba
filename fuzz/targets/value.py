"""Values of a WIT type, as CBOR and as JSON: a CodecError, or a value that is written the same."""

from __future__ import annotations

import json

from fuzz.take import Take
from theater.errors import CodecError
from theater.values import cbor, codec, view
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
)

_PRIMS = tuple(Prim)
_NAMES = ("a", "b-c", "d", "ok", "err", "data")


def one(data: bytes) -> None:
    take = Take(data)
    wit = wit_type(take, 5)
    written = take.rest()
    try:
        value = codec.decoder(wit)(cbor.decode(written))
    except CodecError:
        pass
    else:
        assert codec.encoder(wit)(value) == written
    try:
        shown = json.loads(written)
    except (ValueError, RecursionError):
        return
    try:
        codec.encoder(wit)(codec.decoder(wit)(view.read(shown, wit)))
    except CodecError:
        return


def wit_type(take: Take, depth: int) -> WitType:
    """A type made of a few bytes."""
    kind = take.byte() % (11 if depth else 3)
    if kind == 0:
        return take.choice(_PRIMS)
    if kind == 1:
        return Resource("wasi:io/streams@0.2/output-stream", take.flag())
    names = _NAMES[: 1 + take.byte() % len(_NAMES)]
    if kind == 2:
        return EnumOf(names)
    if kind == 3:
        return FlagsOf(names)
    if kind in (4, 5):
        return ListOf(Prim.U8) if take.flag() else ListOf(wit_type(take, depth - 1))
    if kind == 6:
        return TupleOf(tuple(wit_type(take, depth - 1) for _ in names[:3]))
    if kind == 7:
        return RecordOf(tuple((name, wit_type(take, depth - 1)) for name in names))
    if kind == 8:
        return VariantOf(tuple((name, _perhaps(take, depth)) for name in names))
    if kind == 9:
        return OptionOf(wit_type(take, depth - 1))
    return ResultOf(_perhaps(take, depth), _perhaps(take, depth))


def _perhaps(take: Take, depth: int) -> WitType | None:
    return wit_type(take, depth - 1) if take.flag() else None
