"""The message in hand, and who the actor is: `theater:agent/context`.

Every function raises NotGranted in an actor whose manifest has no `context`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from theater_guest import interfaces

Origin = Literal["actor", "client", "host"]


@dataclass(frozen=True)
class MessageInfo:
    """What is known of a message besides its body.

    `sender` is the id of an `actor`, the name of a `client`, and None where the `host` itself sent it:
    a timer. `kind` is `send`, `request`, `timer` and so on. `deadline_ms` is until when somebody waits
    for the answer, milliseconds since the Unix epoch. `traceparent` is the message's place in a trace,
    as W3C Trace Context spells it; messages that are sent in the call have the same.
    """

    id: str
    kind: str
    origin: Origin
    sender: str | None
    deadline_ms: int | None
    traceparent: str | None


def message() -> MessageInfo | None:
    """The message in hand, None in `on_start`."""
    found = interfaces.context.message()
    if found is None:
        return None
    # The bindings have a class for each case, named after it: Origin_Actor.
    origin = cast(Origin, type(found.origin).__name__.rpartition("_")[2].lower())
    sender = getattr(found.origin, "value", None)
    return MessageInfo(found.id, found.kind, origin, sender, found.deadline, found.traceparent)


def self_id() -> str:
    """The actor's own id."""
    return interfaces.context.self_id()


def self_name() -> str:
    """The actor's own name, which others may have too."""
    return interfaces.context.self_name()


def parent_id() -> str | None:
    """The id of the actor that started this one, None if no actor did."""
    return interfaces.context.parent_id()
