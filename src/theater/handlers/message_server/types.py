"""The types of both of the message server's interfaces, as message-server.wit has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from theater.values.types import (
    BYTES,
    STATE,
    FuncType,
    ListOf,
    OptionOf,
    Prim,
    RecordOf,
    ResultOf,
    TupleOf,
    WitType,
)

_ACTOR: Final = ("actor-id", Prim.STRING)
_CHANNEL: Final = ("channel-id", Prim.STRING)
_MESSAGE: Final = ("msg", BYTES)
_REQUEST: Final = ("request-id", Prim.STRING)
_ACCEPT: Final = RecordOf((("accepted", Prim.BOOL), ("message", OptionOf(BYTES))))


def _function(*params: tuple[str, WitType], gives: WitType | None = None) -> FuncType:
    return FuncType(params, ResultOf(gives, Prim.STRING))


TYPES: Final[Mapping[str, FuncType]] = {
    "send": _function(_ACTOR, _MESSAGE),
    "request": _function(_ACTOR, _MESSAGE, gives=BYTES),
    "open-channel": _function(_ACTOR, ("initial-msg", BYTES), gives=Prim.STRING),
    "send-on-channel": _function(_CHANNEL, _MESSAGE),
    "close-channel": _function(_CHANNEL),
    "list-outstanding-requests": FuncType((), ListOf(Prim.STRING)),
    "respond-to-request": _function(_REQUEST, ("response", BYTES)),
    "cancel-request": _function(_REQUEST),
}
"""What the host provides, by function."""


def _callback(params: TupleOf, *gives: WitType) -> FuncType:
    return FuncType(
        (("state", STATE), ("params", params)), ResultOf(TupleOf((STATE, *gives)), Prim.STRING)
    )


CALLBACKS: Final[Mapping[str, FuncType]] = {
    "handle-send": _callback(TupleOf((BYTES,))),
    "handle-request": _callback(TupleOf((Prim.STRING, BYTES)), TupleOf((OptionOf(BYTES),))),
    "handle-channel-open": _callback(TupleOf((Prim.STRING, BYTES)), TupleOf((_ACCEPT,))),
    "handle-channel-message": _callback(TupleOf((Prim.STRING, BYTES))),
    "handle-channel-close": _callback(TupleOf((Prim.STRING,))),
}
"""What the host calls of `message-server-client`, by function."""
