"""The kinds of messages: which export each is handled by, and with which parameters.

The CBOR of the parameters is spelled out here too, since the shape is fixed by the interface and a
message's body need not be walked again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from theater.journal.records import Message
from theater.values import cbor

CLIENT: Final = "theater:simple/message-server-client"
TIMER_CLIENT: Final = "theater:agent/scheduler-client@0.1"
INIT: Final = "theater:simple/actor/init"


@dataclass(frozen=True, slots=True)
class Kind:
    """`arguments` are those behind the state; `encoded` is their CBOR array."""

    export: str
    arguments: Callable[[Message], tuple[object, ...]]
    encoded: Callable[[Message], bytes]


def _encode_body(body: bytes) -> bytes:
    return cbor.head(2, len(body)) + body


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
    ),
    "timer": Kind(
        f"{TIMER_CLIENT}/handle-timer",
        lambda m: ((m.subject, m.body),),
        lambda m: b"\x81\x82" + cbor.encode(m.subject) + _encode_body(m.body),
    ),
}
