"""The kinds of messages: which export each is handled by, and with which parameters.

The CBOR of the parameters is spelled out here too, since the shape is fixed by the interface and a
message's body need not be walked again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from theater.handlers.supervisor.types import ERROR_PARAMS, EXIT_PARAMS, STOP_PARAMS
from theater.journal.records import Message
from theater.values import cbor, codec
from theater.values.types import WitType

CLIENT: Final = "theater:simple/message-server-client"
SUPERVISOR_HANDLERS: Final = "theater:simple/supervisor-handlers"
TIMER_CLIENT: Final = "theater:agent/scheduler-client@0.1"
INIT: Final = "theater:simple/actor/init"


@dataclass(frozen=True, slots=True)
class Kind:
    """`arguments` are those behind the state; `encoded` is their CBOR array.

    `asks`: somebody waits for what comes of it. `optional`: an actor that does not export it is not
    missing anything, and nobody is told.
    """

    export: str
    arguments: Callable[[Message], tuple[object, ...]]
    encoded: Callable[[Message], bytes]
    asks: bool = False
    optional: bool = False


def no_handler(actor: str, kind: Kind) -> str:
    """What is said of a message to an actor that does not export what would handle it."""
    return (
        f"actor {actor} does not export {kind.export}, so it takes no such messages; ask another "
        "one, or have it go on with a component that exports it (`theater update`)"
    )


def _encode_body(body: bytes) -> bytes:
    return cbor.head(2, len(body)) + body


def _of_child(name: str, params: WitType) -> Kind:
    """A report, whose body is the CBOR of the parameters."""
    decode = codec.decoder(params)
    return Kind(
        f"{SUPERVISOR_HANDLERS}/{name}",
        lambda m: (decode(cbor.decode(m.body)),),
        lambda m: b"\x81" + m.body,
        optional=True,
    )


KINDS: Final[dict[str, Kind]] = {
    "send": Kind(
        f"{CLIENT}/handle-send",
        lambda m: ((m.body,),),
        lambda m: b"\x81\x81" + _encode_body(m.body),
    ),
    "request": Kind(
        f"{CLIENT}/handle-request",
        lambda m: ((m.id, m.body),),
        lambda m: b"\x81\x82" + cbor.encode(m.id) + _encode_body(m.body),
        asks=True,
    ),
    "channel-open": Kind(
        f"{CLIENT}/handle-channel-open",
        lambda m: ((m.subject, m.body),),
        lambda m: b"\x81\x82" + cbor.encode(m.subject) + _encode_body(m.body),
        asks=True,
    ),
    "channel-message": Kind(
        f"{CLIENT}/handle-channel-message",
        lambda m: ((m.subject, m.body),),
        lambda m: b"\x81\x82" + cbor.encode(m.subject) + _encode_body(m.body),
    ),
    "channel-close": Kind(
        f"{CLIENT}/handle-channel-close",
        lambda m: ((m.subject,),),
        lambda m: b"\x81\x81" + cbor.encode(m.subject),
        optional=True,
    ),
    "timer": Kind(
        f"{TIMER_CLIENT}/handle-timer",
        lambda m: ((m.subject, m.body),),
        lambda m: b"\x81\x82" + cbor.encode(m.subject) + _encode_body(m.body),
    ),
    "child-error": _of_child("handle-child-error", ERROR_PARAMS),
    "child-exit": _of_child("handle-child-exit", EXIT_PARAMS),
    "child-stop": _of_child("handle-child-external-stop", STOP_PARAMS),
}
