"""The data of events: a CodecError, or a form."""

from __future__ import annotations

from fuzz.take import Take
from theater.chain import names, shapes
from theater.errors import CodecError

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
    try:
        shapes.parse(type_, take.rest())
    except CodecError:
        return
