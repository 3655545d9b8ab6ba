"""The data of events: a CodecError, or a form of data that has no other encoding."""

from __future__ import annotations

from fuzz.take import Take
from theater.chain import names, shapes
from theater.errors import CodecError
from theater.values import cbor

TYPES = (
    *sorted(names.NOTES),
    names.ACTOR_START,
    names.WASM_CALL,
    names.WASM_RESULT,
    names.WASM_ERROR,
    "theater:simple/runtime/log",
    "theater:simple/http-client/send!",
    "wasi:cli/stdout@0.2/line",
    "a-note-of-later",
)


def one(data: bytes) -> None:
    take = Take(data)
    type_ = take.choice(TYPES)
    written = take.rest()
    try:
        shapes.parse(type_, written)
    except CodecError:
        return
    assert cbor.encode(cbor.decode(written)) == written
