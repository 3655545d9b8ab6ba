"""Channels of clients, as the node's facade offers them: asked for, sent on, closed.

A client's end of a channel lives in this process only (`channel_ends`): whoever asked for it holds it
for as long as its connection does, and the channel is closed when that is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Final

from theater import ids, limits
from theater.clock import Clock
from theater.errors import Conflict, TheaterError
from theater.journal.port import Journal
from theater.journal.records import Message
from theater.runtime.channel_ends import ClientEnd
from theater.runtime.futures import complete
from theater.runtime.outside import Outside, unanswered
from theater.runtime.router import Router

KIND_OPEN: Final = "channel-open"
KIND_MESSAGE: Final = "channel-message"


class ClientChannels:
    """The way in for clients who hold channels. `later` runs a function after some seconds."""

    def __init__(
        self,
        journal: Journal,
        router: Router,
        outside: Outside,
        clock: Clock,
        random: Callable[[int], bytes],
        later: Callable[[float, Callable[[], None]], Callable[[], None]],
        sender: str,
    ) -> None:
        self._journal = journal
        self._router = router
        self._channels = router.channels
        self._outside = outside
        self._clock = clock
        self._random = random
        self._later = later
        self._sender = sender

    def open(
        self,
        actor: str,
        body: bytes,
        woken: Callable[[], None],
        *,
        timeout_ms: int | None = None,
        trace: str | None = None,
    ) -> ClientEnd:
        """Ask an actor for a channel; `opened` of what is returned has its answer.

        Besides what a send may raise Unavailable for too many channels, of the actor or of clients.
        """
        receiver = self._router.living(actor)
        self._channels.check(None, receiver)
        wait_ms = min(timeout_ms or receiver.manifest.request_timeout_ms, limits.WAIT_MS_MAX)
        end = self._channels.ends.new(ids.channel_id(self._random(16)), actor, woken)
        message = self._message(KIND_OPEN, actor, body, end.channel, None, trace, wait_ms)
        try:
            self._outside.send(message)
        except TheaterError:
            self._channels.ends.forget(end)
            raise
        cancel = self._later(wait_ms / 1000, lambda: self._too_late(end, wait_ms))
        end.opened.add_done_callback(lambda _: cancel())
        return end

    def leave(self, end: ClientEnd) -> None:
        """The client is gone: nothing is sent to it any more, and its channel is closed."""
        if not end.leave():
            return
        self._channels.ends.forget(end)
        end.opened.cancel()
        with suppress(
            Conflict
        ):  # it was closed before, or not accepted yet: then that comes too late
            self._channels.close_from_outside(end.channel, self._sender)

    def send(
        self, channel: str, body: bytes, *, key: str | None = None, trace: str | None = None
    ) -> Future[str]:
        """Send on a client's channel; the future has the message's id once it is on disk.

        Conflict if there is no such open channel.
        """
        future: Future[str] = Future()
        message = self._message(KIND_MESSAGE, "", body, channel, key, trace, None)
        known = None if key is None else self._outside.known_key(key, message.id)
        if known is not None:
            complete(self._journal, future, known.message, self._journal.appended())
            return future
        sent, number = self._channels.send_from_outside(message, self._outside.send)
        complete(self._journal, future, sent, number)
        return future

    def close(self, channel: str) -> Future[None]:
        """Close a client's channel; the future is done when that is on disk.

        Conflict if there is no such open channel.
        """
        future: Future[None] = Future()
        number = self._channels.close_from_outside(channel, self._sender)
        complete(self._journal, future, None, number)
        return future

    def _too_late(self, end: ClientEnd, wait_ms: int) -> None:
        if end.give_up(unanswered(self._router, end.actor, wait_ms)):
            self._channels.ends.forget(end)

    def _message(
        self,
        kind: str,
        receiver: str,
        body: bytes,
        channel: str,
        key: str | None,
        trace: str | None,
        wait_ms: int | None,
    ) -> Message:
        source = self._random(16)
        if key is not None:
            source = ids.for_purpose(source, kind.encode(), channel.encode(), body)
        return Message(
            id=ids.message_id(source),
            receiver=receiver,
            kind=kind,
            origin="client",
            sender=self._sender,
            body=body,
            position=self._router.position(),
            subject=channel,
            deadline_us=None if wait_ms is None else self._clock.wall_us() + wait_ms * 1000,
            trace=None if trace is None else ids.traceparent(trace),
            key=key,
        )
