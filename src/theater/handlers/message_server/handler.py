"""`theater:simple/message-server-host`: messages to other actors, and late answers to requests, channels.

Source: message-server.wit beside this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from theater.errors import TheaterError
from theater.handlers.message_server.grant import MessageServerGrant
from theater.handlers.message_server.types import TYPES
from theater.handlers.port import (
    ChannelPort,
    Effect,
    HostCall,
    HostFunction,
    RouterPort,
    Waiting,
)
from theater.ids import channel_id, message_id
from theater.journal.records import Enqueue, Message
from theater.values.types import Err, Ok

INTERFACE: Final = "theater:simple/message-server-host"


class MessageServerHandler:
    """What an actor imports to send messages."""

    type = "message-server"
    interfaces = (INTERFACE,)

    def __init__(self, router: RouterPort, channels: ChannelPort) -> None:
        self._router = router
        self._channels = channels

    def functions(self, grant: object) -> Mapping[str, Mapping[str, HostFunction]]:
        """Its functions under a MessageServerGrant."""
        assert isinstance(grant, MessageServerGrant)
        bound = _Bound(self._router, self._channels, grant)
        runs: dict[str, tuple[Effect, Callable[..., object]]] = {
            "send": (Effect.RECORDED, bound.send),
            "request": (Effect.WAITING, bound.request),
            "open-channel": (Effect.WAITING, bound.open_channel),
            "send-on-channel": (Effect.RECORDED, bound.send_on_channel),
            "close-channel": (Effect.RECORDED, bound.close_channel),
            "list-outstanding-requests": (Effect.RECORDED, _list_outstanding),
            "respond-to-request": (Effect.RECORDED, bound.respond),
            "cancel-request": (Effect.RECORDED, bound.cancel),
        }
        return {
            INTERFACE: {
                name: HostFunction(effect, run, TYPES[name]) for name, (effect, run) in runs.items()
            }
        }


class _Bound:
    def __init__(
        self, router: RouterPort, channels: ChannelPort, grant: MessageServerGrant
    ) -> None:
        self._router = router
        self._channels = channels
        self._grant = grant

    def _refused(self, actor: str, meant: str) -> Err | None:
        if self._grant.allows(meant, actor):
            return None
        return Err(f"permission.denied: the manifest's allowed_peers do not include {actor[:80]!r}")

    def send(self, call: HostCall, actor: str, body: bytes) -> Ok | Err:
        receiver = call.resolve(actor)
        if refused := self._refused(actor, receiver):
            return refused
        message = Message(
            id=message_id(call.derive()),
            receiver=receiver,
            kind="send",
            origin="actor",
            sender=call.actor,
            body=body,
            position=self._router.position(),
            cause=call.head,
            trace=None if call.message is None else call.message.trace,
        )
        try:
            timeout_ms = self._router.send_timeout_ms(call.actor)
            put = self._router.admit(message, timeout_ms, call)
        except TheaterError as error:
            return Err(f"{error.code}: {error.message}")
        call.step(Enqueue(message))
        call.after(put)
        return Ok()

    def request(self, call: HostCall, actor: str, body: bytes) -> Waiting | Err:
        # Whether the receiver lives is asked when the wait is opened: the answer may be kept already.
        receiver = call.resolve(actor)
        return self._refused(actor, receiver) or Waiting(
            receiver, body, self._router.request_timeout_ms(call.actor), named=receiver != actor
        )

    def open_channel(self, call: HostCall, actor: str, body: bytes) -> Waiting | Err:
        receiver = call.resolve(actor)
        return self._refused(actor, receiver) or Waiting(
            receiver,
            body,
            self._router.request_timeout_ms(call.actor),
            named=receiver != actor,
            kind="channel-open",
            subject=channel_id(call.derive()),
        )

    def send_on_channel(self, call: HostCall, channel: str, body: bytes) -> Ok | Err:
        try:
            self._channels.send(call, channel, body)
        except TheaterError as error:
            return Err(f"{error.code}: {error.message}")
        return Ok()

    def close_channel(self, call: HostCall, channel: str) -> Ok | Err:
        try:
            self._channels.close(call, channel)
        except TheaterError as error:
            return Err(f"{error.code}: {error.message}")
        return Ok()

    def respond(self, call: HostCall, request: str, answer: bytes) -> Ok | Err:
        return self._conclude(call, request, True, answer)

    def cancel(self, call: HostCall, request: str) -> Ok | Err:
        return self._conclude(
            call, request, False, b"request.cancelled: the actor that was asked gave it up"
        )

    def _conclude(self, call: HostCall, request: str, ok: bool, body: bytes) -> Ok | Err:
        try:
            self._router.conclude_outstanding(call, request, ok, body)
        except TheaterError as error:
            return Err(f"{error.code}: {error.message}")
        return Ok()


def _list_outstanding(call: HostCall) -> list[str]:
    return call.outstanding()
