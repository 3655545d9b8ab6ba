"""`theater:simple/runtime`: the log, the actor's own history, and its end.

Every actor has it. Source: runtime.wit beside this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from theater import limits
from theater.handlers.port import Effect, HostCall, HostFunction
from theater.handlers.runtime.types import TYPES
from theater.values.types import Err, Ok

INTERFACE: Final = "theater:simple/runtime"


class RuntimeHandler:
    """What an actor may ask of the runtime that hosts it."""

    type = "runtime"
    interfaces = (INTERFACE,)

    def functions(self, grant: object) -> Mapping[str, Mapping[str, HostFunction]]:
        """The three functions; they are the same under every grant."""
        return _FUNCTIONS


def _log(_call: HostCall, _message: str) -> None:
    """The event is the log line."""


def _get_chain(call: HostCall) -> dict[str, object]:
    events: list[dict[str, object]] = []
    for event in call.history():
        if len(events) >= limits.GET_CHAIN_EVENTS_MAX:
            break
        events.append(
            {
                "hash": event.seq,
                "event": {
                    "event-type": event.type,
                    "parent": event.seq - 1 if event.seq else None,
                    "data": event.data or b"",
                },
            }
        )
    return {"events": events}


def _shutdown(call: HostCall, data: bytes | None) -> Ok | Err:
    if data is not None and len(data) > limits.RESULT_BYTES_MAX:
        return Err(
            f"result.too_large: an actor's result has at most {limits.RESULT_BYTES_MAX} bytes"
        )
    call.request_shutdown(data)
    return Ok()


_FUNCTIONS: Final = {
    INTERFACE: {
        "log": HostFunction(Effect.RECORDED, _log, TYPES["log"]),
        "get-chain": HostFunction(Effect.HISTORY, _get_chain, TYPES["get-chain"]),
        "shutdown": HostFunction(Effect.RECORDED, _shutdown, TYPES["shutdown"]),
    }
}
