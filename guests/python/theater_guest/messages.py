"""Messages to other actors, answers to their requests, and channels.

Bytes go as they are; everything else goes as compact JSON (dataclasses too). What comes back is
read by the codec of the actor class, `json` or `bytes`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal, ParamSpec, TypeVar

from theater_guest import interfaces, shapes
from theater_guest.errors import BadMessage, HostError

Codec = Literal["json", "bytes"]

P = ParamSpec("P")
T = TypeVar("T")


class Deferred(Enum):
    """The type of DEFERRED."""

    DEFERRED = "deferred"


DEFERRED: Final = Deferred.DEFERRED
"""Return it from `on_request` to answer later: keep `self.request_id` and `respond` to it."""


@dataclass(frozen=True)
class Accept:
    """Returned by `on_channel_open`: the channel is opened; `message` is its first one from here."""

    message: Any = None


@dataclass(frozen=True)
class Refuse:
    """Returned by `on_channel_open`: the channel is not opened."""

    reason: str = ""


class InForce:
    """What holds for the call that is running: the actor's codec and the request to be answered."""

    codec: Codec = "json"
    request_id: str | None = None


def encode(message: Any) -> bytes:
    """A message's bytes: bytes as they are, anything else as JSON. Raises TypeError, ValueError."""
    if isinstance(message, (bytes, bytearray, memoryview)):
        return bytes(message)
    return shapes.dumps(message)


def decode(message: bytes, codec: Codec) -> Any:
    """A message as the codec reads it; nothing at all is null in JSON. Raises BadMessage."""
    if codec == "bytes":
        return message
    if not message:
        return None
    try:
        return shapes.loads(message)
    except ValueError as error:
        raise BadMessage(
            f'not JSON ({error}); an actor that takes bytes says `codec = "bytes"`'
        ) from None


def host(function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Call a host function; its error becomes a HostError."""
    try:
        return function(*arguments, **named)
    except interfaces.Err as error:
        raise HostError(error.value) from None


def send(actor_id: str, message: Any) -> None:
    """Put a message into an actor's mailbox; returns when it is accepted there. Raises HostError."""
    host(interfaces.message_server_host.send, actor_id, encode(message))


def request(actor_id: str, message: Any) -> Any:
    """Send a message and wait for the answer, at most the request time-out. Raises HostError."""
    return decode(request_bytes(actor_id, encode(message)), InForce.codec)


def request_bytes(actor_id: str, message: bytes) -> bytes:
    """`request` with bytes both ways, whatever the codec. Raises HostError."""
    return host(interfaces.message_server_host.request, actor_id, message)


def respond(request_id: str, answer: Any) -> None:
    """Answer a request that was deferred. Raises HostError if it is not outstanding."""
    host(interfaces.message_server_host.respond_to_request, request_id, encode(answer))


def cancel(request_id: str) -> None:
    """Give a deferred request up; the requester gets an error that says so. Raises HostError."""
    host(interfaces.message_server_host.cancel_request, request_id)


def outstanding() -> list[str]:
    """The ids of the requests that this actor has not answered yet, oldest first."""
    return interfaces.message_server_host.list_outstanding_requests()


@dataclass(frozen=True)
class Channel:
    """One end of a channel, by its id; it may be kept among the actor's fields."""

    id: str

    def send(self, message: Any) -> None:
        """Send on the channel; messages arrive in order. Raises HostError."""
        host(interfaces.message_server_host.send_on_channel, self.id, encode(message))

    def close(self) -> None:
        """Close the channel for good; both sides are told. Raises HostError."""
        host(interfaces.message_server_host.close_channel, self.id)


def open_channel(actor_id: str, message: Any) -> Channel:
    """Ask an actor to open a channel, with a first message. Raises HostError if it refuses."""
    return Channel(host(interfaces.message_server_host.open_channel, actor_id, encode(message)))
