"""`theater:agent/context`: the message in hand, and who the actor is.

All of it follows from what the chain holds, and still each call is an event: the recording rules
(version 1) leave out the clock and the random bytes of WASI and nothing else, because every other
host call is counted for the ids that a call derives, and whoever re-executes a chain must count
alike. Source: context.wit beside this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from theater.handlers.context.types import TYPES
from theater.handlers.port import Effect, HostCall, HostFunction
from theater.journal.records import Message
from theater.values.types import Case

INTERFACE: Final = "theater:agent/context@0.1"


class ContextHandler:
    """What an actor imports to know what it is called for."""

    type = "context"
    interfaces = (INTERFACE,)

    def functions(self, grant: object) -> Mapping[str, Mapping[str, HostFunction]]:
        """The four functions; they are the same under every grant."""
        return _FUNCTIONS


def _message(call: HostCall) -> dict[str, object] | None:
    message = call.message
    if message is None:
        return None
    return {
        "id": message.id,
        "origin": _origin(message),
        "kind": "child" if message.kind.startswith("child-") else message.kind,
        "deadline": None if message.deadline_us is None else message.deadline_us // 1000,
        "traceparent": message.trace,
    }


def _origin(message: Message) -> Case:
    return Case("host") if message.origin == "host" else Case(message.origin, message.sender)


_RUNS: Final = {
    "message": _message,
    "self-id": lambda call: call.actor,
    "self-name": lambda call: call.name,
    "parent-id": lambda call: call.parent,
}

_FUNCTIONS: Final = {
    INTERFACE: {
        name: HostFunction(Effect.RECORDED, run, TYPES[name]) for name, run in _RUNS.items()
    }
}
