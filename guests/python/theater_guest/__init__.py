"""What an actor written in Python imports: the base class, messages, log, store, HTTP and more.

The package is pure Python and goes into the component beside the actor's own modules. It hides the
tuples and options of the WIT interfaces; whoever wants them has `wit_world.imports` and
`wit_world.exports`, the generated bindings, in every component. An interface that the manifest does
not grant is missed at use, not at import.
"""

from theater_guest import children, context, names, timers
from theater_guest.actor import Actor
from theater_guest.errors import HostError, NotGranted, Rejected
from theater_guest.messages import (
    DEFERRED,
    Accept,
    Channel,
    Deferred,
    Refuse,
    cancel,
    open_channel,
    outstanding,
    request,
    request_bytes,
    respond,
    send,
)
from theater_guest.runtime import log, shutdown
from theater_guest.store import Store

__all__ = [
    "DEFERRED",
    "Accept",
    "Actor",
    "Channel",
    "Deferred",
    "HostError",
    "NotGranted",
    "Refuse",
    "Rejected",
    "Store",
    "cancel",
    "children",
    "context",
    "log",
    "names",
    "open_channel",
    "outstanding",
    "request",
    "request_bytes",
    "respond",
    "send",
    "shutdown",
    "timers",
]
