"""The open channels of a node: who takes part in them, how they open, carry messages and close.

A channel has two participants, an actor that accepted it and who asked for it: an actor, or a client
of this process. Under a channel's own lock the record is queued that uses or closes it, so that
memory and journal agree on what came first: nothing is sent on a channel behind its close. What
tells the participants of the close goes past the bounds of their mailboxes, so that nobody misses it.

A channel that is closed is forgotten. Its id can't come again, since it is derived from the place of
the host call that asked for it, so it is never opened a second time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

import msgspec

from theater import ids, limits
from theater.chain import rules
from theater.errors import NotFound, TooLarge, Unavailable
from theater.handlers.port import HostCall
from theater.journal.port import Journal
from theater.journal.records import (
    Answer,
    Channel,
    CloseChannel,
    Enqueue,
    Message,
    OpenChannel,
    OriginKind,
    Step,
)
from theater.runtime.actor import Actor
from theater.runtime.answers import RecordSteps, refusal
from theater.runtime.channel_ends import ClientEnds, closed
from theater.runtime.kinds import KINDS
from theater.runtime.waits import Beside

if TYPE_CHECKING:
    from theater.runtime.router import Router

_FIRST: Final = 0
_TELL_OPENER: Final = 1
_TELL_ACCEPTOR: Final = 2
"""What a message of a channel is for that no host call makes; its id is derived from that."""

USED: Final = ("channel-message", "channel-close")
"""The kinds that an actor must handle to open a channel."""


class Closer(msgspec.Struct, frozen=True, gc=False):
    """Who closes a channel. `told`: whether an actor that closes it is told as the other side is."""

    origin: OriginKind
    sender: str
    cause: tuple[int, bytes] | None = None
    told: bool = True


class OpenedChannel:
    """An open channel in memory. `lock` is held while what uses or closes it is recorded."""

    __slots__ = ("channel", "closed", "lock")

    def __init__(self, channel: Channel) -> None:
        self.channel: Final = channel
        self.lock: Final = threading.Lock()
        self.closed = False


class Channels:
    """All of a node. Satisfies the message server's ChannelPort."""

    def __init__(self, journal: Journal, router: Router) -> None:
        self.ends: Final = ClientEnds(journal, router.mailboxes)
        self._journal: Final = journal
        self._router: Final = router
        self._lock = threading.Lock()
        self._open: dict[str, OpenedChannel] = {}
        self._of: dict[str, set[str]] = {}

    def of(self, actor: str) -> list[str]:
        """The ids of the channels that an actor takes part in, in their order."""
        with self._lock:
            return sorted(self._of.get(actor, ()))

    def restore(self, channel: Channel) -> None:
        """Take in a channel that the journal holds, or whose record is queued."""
        with self._lock:
            self._open[channel.id] = OpenedChannel(channel)
            for actor in _actors(channel):
                self._of.setdefault(actor, set()).add(channel.id)

    def __len__(self) -> int:
        return len(self._open)

    # Opening

    def check(self, opener: Actor | None, acceptor: Actor) -> None:
        """Raise a TheaterError if no channel can be opened between these now."""
        for actor in (opener, acceptor):
            if actor is not None and len(self._of.get(actor.id, ())) >= _bound():
                raise _full(actor.id)
        if opener is not None and opener.program is not None:
            for kind in USED:
                if KINDS[kind].export not in opener.program.exports:
                    raise NotFound(
                        f"an actor that opens channels exports {KINDS[kind].export}",
                        code="actor.no_handler",
                    )

    def conclude(
        self, message: Message, answer: Answer, first: bytes | None, record: RecordSteps
    ) -> None:
        """Settle a message that asks for a channel, in the record that `record` makes of it.

        `first` is what the acceptor says with its consent. If nobody waits for that any more the
        acceptor is told that the channel is closed.
        """
        assert message.subject is not None
        opener = None if message.wait is None else message.sender
        channel = Channel(message.subject, opener, message.receiver)
        told: Sequence[Message] = ()
        if answer.ok:
            told = (self._notice(channel, _TELL_ACCEPTOR, Closer(message.origin, message.sender)),)
            answer = self._let_in(channel, first) or answer
        late = tuple(map(Enqueue, told))
        if answer.ok:
            words = (
                [] if opener is None or first is None else [self._first(channel, message, first)]
            )

            def then(in_time: bool) -> None:
                if in_time:
                    self.restore(channel)
                self._put(words if in_time else told)

            beside = Beside((OpenChannel(channel), *map(Enqueue, words)), late, then)
        else:
            # What it has consented to may be refused all the same: then it is told, too.
            beside = Beside(late, late, lambda _: self._put(told))
        if message.wait is not None:
            self._router.give(message, answer, record, beside)
        else:
            self.ends.conclude(message, answer, first, record, beside)

    def _let_in(self, channel: Channel, first: bytes | None) -> Answer | None:
        """The refusal of a channel that was accepted but can't be opened, None if it can."""
        for actor in _actors(channel):
            if len(self._of.get(actor, ())) >= _bound():
                error = _full(actor)
                return refusal(error.code, error.message)
        opener = None if channel.opener is None else self._router.actors.get(channel.opener)
        if opener is not None and first is not None:
            bytes_max = opener.manifest.limits.message_bytes
            if len(first) > bytes_max:
                return refusal(
                    "answer.too_large",
                    f"the first message of the channel has {len(first)} bytes, its opener takes "
                    f"at most {bytes_max} (limits.message_bytes)",
                )
        return None

    def _first(self, channel: Channel, asked: Message, body: bytes) -> Message:
        return Message(
            id=_id(channel, _FIRST),
            receiver=channel.opener or "",
            kind="channel-message",
            origin="actor",
            sender=channel.acceptor,
            body=body,
            position=self._router.position(),
            subject=channel.id,
            trace=asked.trace,
        )

    # Using

    def send(self, call: HostCall, channel: str, body: bytes) -> None:
        """Send on a channel with the record of a host call; waits like any send for a place.

        Conflict if the calling actor takes part in no such open channel, TooLarge, TimedOut.
        """
        found = self._mine(channel, call.actor)
        sender = self._router.actors[call.actor]
        receiver = _other(found.channel, call.actor)
        message = Message(
            id=ids.message_id(call.derive()),
            receiver=receiver or "",
            kind="channel-message",
            origin="actor",
            sender=call.actor,
            body=body,
            position=self._router.position(),
            subject=channel,
            cause=call.head,
            trace=None if call.message is None else call.message.trace,
        )
        timeout_ms = sender.manifest.send_timeout_ms
        if receiver is not None:
            put = self._router.admit(message, timeout_ms, call)
        else:
            _check_size(body, sender)
            put = self.ends.admit(message, timeout_ms, call)
        call.hold(found.lock)
        if found.closed:
            if receiver is not None:
                self._router.give_back(message)
            else:
                self.ends.give_back(message)
            raise closed(channel)
        if receiver is not None:
            call.step(Enqueue(message))
        call.after(put)

    def send_from_outside(
        self, message: Message, enqueue: Callable[[Message], tuple[str, int]]
    ) -> tuple[str, int]:
        """Have a client's message on a channel enqueued; returns what that gives.

        Conflict if it is not open. `message.receiver` is filled in here.
        """
        found = self._outsides(message.subject or "")
        with found.lock:
            if found.closed:
                raise closed(found.channel.id)
            return enqueue(msgspec.structs.replace(message, receiver=found.channel.acceptor))

    # Closing

    def close(self, call: HostCall, channel: str) -> None:
        """Close a channel with the record of a host call, and tell both participants.

        Conflict if the calling actor takes part in no such open channel.
        """
        found = self._mine(channel, call.actor)
        call.hold(found.lock)
        if found.closed:
            raise closed(channel)
        notices = self._notices(found.channel, Closer("actor", call.actor, call.head))
        call.step(CloseChannel(channel))
        for notice in notices:
            call.step(Enqueue(notice))
        call.after(lambda: self._closed([found], notices))

    def close_from_outside(self, channel: str, sender: str) -> int:
        """Close a client's channel; returns the number of a record behind which it is closed.

        Conflict if it is not open.
        """
        self._outsides(channel)
        with self.closing([channel], Closer("client", sender)) as steps:
            if not steps:
                raise closed(channel)
            return self._journal.append(tuple(steps))

    @contextmanager
    def closing(self, channels: Iterable[str], by: Closer) -> Iterator[list[Step]]:
        """Close those of the channels that are open.

        Yields the steps for a record that is made before the context is left without an error.
        """
        with ExitStack() as held:
            found: list[OpenedChannel] = []
            for id_ in sorted(channels):  # in one order, so that nobody waits in a circle
                each = self._open.get(id_)
                if each is None:
                    continue
                held.enter_context(each.lock)
                if not each.closed:
                    found.append(each)
            notices = [n for each in found for n in self._notices(each.channel, by)]
            steps: list[Step] = [CloseChannel(each.channel.id) for each in found]
            yield [*steps, *map(Enqueue, notices)]
            self._closed(found, notices)

    def recover(self) -> None:
        """Close channels, before anything runs, whose participants are not all here any more.

        A client of an earlier process is gone; actors close theirs with their own end.
        """
        over = [
            each.channel
            for each in self._open.values()
            if each.channel.opener is None
            or any(actor not in self._router.actors for actor in _actors(each.channel))
        ]
        for channel in over:
            with self.closing([channel.id], Closer("host", "")) as steps:
                self._journal.append(tuple(steps))

    def _closed(self, found: Sequence[OpenedChannel], notices: Sequence[Message]) -> None:
        """The record that closes them is queued."""
        with self._lock:
            for each in found:
                each.closed = True
                self._open.pop(each.channel.id, None)
                for actor in _actors(each.channel):
                    own = self._of.get(actor, set())
                    own.discard(each.channel.id)
                    if not own:
                        self._of.pop(actor, None)
        for each in found:
            if each.channel.opener is None:
                self.ends.closed(each.channel.id)
        self._put(notices)

    def _put(self, messages: Iterable[Message]) -> None:
        for message in messages:
            if message.receiver:
                self._router.put(message)

    def _notices(self, channel: Channel, by: Closer) -> list[Message]:
        sides = ((channel.opener, _TELL_OPENER), (channel.acceptor, _TELL_ACCEPTOR))
        return [
            self._notice(channel, what, by)
            for actor, what in sides
            if actor in self._router.actors and (by.told or actor != by.sender)
        ]

    def _notice(self, channel: Channel, what: int, by: Closer) -> Message:
        receiver = channel.opener if what == _TELL_OPENER else channel.acceptor
        return Message(
            id=_id(channel, what),
            receiver=receiver or "",
            kind="channel-close",
            origin=by.origin,
            sender=by.sender,
            body=b"",
            position=self._router.position(),
            subject=channel.id,
            cause=by.cause,
        )

    def _mine(self, channel: str, actor: str) -> OpenedChannel:
        found = self._open.get(channel)
        if found is None or actor not in _actors(found.channel):
            raise closed(channel)
        return found

    def _outsides(self, channel: str) -> OpenedChannel:
        found = self._open.get(channel)
        if found is None or found.channel.opener is not None:
            raise closed(channel)
        return found


def _id(channel: Channel, what: int) -> str:
    return ids.message_id(rules.derive(channel.id, what, 0))


def _actors(channel: Channel) -> tuple[str, ...]:
    return (channel.acceptor,) if channel.opener is None else (channel.opener, channel.acceptor)


def _other(channel: Channel, actor: str) -> str | None:
    """Return the other participant, None for a client."""
    return channel.opener if actor == channel.acceptor else channel.acceptor


def _check_size(body: bytes, sender: Actor) -> None:
    bytes_max = sender.manifest.limits.message_bytes
    if len(body) > bytes_max:
        raise TooLarge(
            f"the message has {len(body)} bytes, at most {bytes_max} (limits.message_bytes)",
            code="message.too_large",
        )


def _bound() -> int:
    return limits.CHANNELS_PER_ACTOR_MAX


def _full(actor: str) -> Unavailable:
    return Unavailable(
        f"actor {actor} has {limits.CHANNELS_PER_ACTOR_MAX} open channels already; close one",
        code="channels.full",
    )
