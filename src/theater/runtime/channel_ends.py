"""The ends of channels that clients hold: what waits there for its client, and who is told of it.

A client's end lives in this process and with its connection. What an actor sends to it waits here,
within bounds, and is given out once the record of its sending is on disk.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from msgspec.structs import replace

from theater import limits
from theater.errors import ActorFailed, Conflict, TheaterError, TimedOut, Unavailable
from theater.handlers.port import HostCall
from theater.journal.port import Journal
from theater.journal.records import Answer, Message, Settle
from theater.runtime.answers import RecordSteps, actor_error, bounded
from theater.runtime.mailbox import Budget, Mailbox, size_of
from theater.runtime.waits import Beside


class ClientEnd:
    """One client's end of a channel.

    `opened` completes when the actor has accepted and that is on disk; ActorFailed if it refuses.
    `woken` is called, on any thread, whenever `take` or `over` may say something new.
    """

    def __init__(
        self,
        channel: str,
        actor: str,
        journal: Journal,
        mailboxes: Budget,
        woken: Callable[[], None],
    ) -> None:
        self.channel: Final = channel
        self.actor: Final = actor
        self.opened: Final[Future[None]] = Future()
        self.lock: Final = threading.Lock()
        self.gone = self.answered = False
        """Whether the client has left, and whether the actor has answered; the lock guards them."""
        self.mailbox: Final = Mailbox(
            limits.CHANNEL_CLIENT_MESSAGES_MAX, mailboxes, limits.CHANNEL_CLIENT_BYTES_MAX
        )
        self._journal = journal
        self._woken = woken
        self._numbers: deque[int] = deque()
        self._closed_at: int | None = None

    def put(self, message: Message) -> None:
        """A message for which there is a place, and whose record is queued."""
        with self.lock:
            if not self.mailbox.fill(message):
                return  # the client has left; the actor is told of that
            number = self._journal.appended()
            self._numbers.append(number)
        self._tell(number)

    def close(self) -> None:
        """The record that closes the channel is queued."""
        with self.lock:
            number = self._closed_at = self._journal.appended()
        self._tell(number)

    def begin_with(self, message: Message, number: int) -> None:
        """What the actor said with its consent; under the lock.

        Beyond the bounds: the actor's call is over and can't wait for a place.
        """
        self.mailbox.restore(message)
        self._numbers.append(number)

    def conclude(self, answer: Answer, error: BaseException | None) -> None:
        """The actor's answer is on disk, or won't be because of `error`."""
        if error is None and not answer.ok:
            error = actor_error(answer)
            if error.code == "actor.error":
                error = ActorFailed(error.message, code="channel.refused")
        if not self.opened.set_running_or_notify_cancel():
            return
        if error is None:
            self.opened.set_result(None)
        else:
            self.opened.set_exception(error)

    def give_up(self, error: TheaterError) -> bool:
        """The client waits no longer for the actor's answer; False if that is there already."""
        with self.lock:
            if self.answered or self.gone:
                return False
            self._leave()
        if self.opened.set_running_or_notify_cancel():
            self.opened.set_exception(error)
        return True

    def take(self) -> list[bytes]:
        """Return the messages that have come and are on disk, oldest first."""
        taken = []
        durable = self._journal.durable()
        with self.lock:
            while self._numbers and self._numbers[0] <= durable:
                self._numbers.popleft()
                message = self.mailbox.pop()
                assert message is not None, "each message here has a number"
                taken.append(message.body)
        return taken

    @property
    def over(self) -> bool:
        """Whether the channel is closed, that is on disk, and all that came before is taken."""
        with self.lock:
            at = self._closed_at
            return at is not None and not self._numbers and at <= self._journal.durable()

    def leave(self) -> bool:
        """The client takes nothing any more; False if it had left before."""
        with self.lock:
            if self.gone:
                return False
            self._leave()
            return True

    def _leave(self) -> None:
        self.gone = True
        self._numbers.clear()
        self.mailbox.close()

    def _tell(self, number: int) -> None:
        self._journal.when_durable(number, lambda _: self._woken())


class ClientEnds:
    """All of a node, by channel."""

    def __init__(
        self,
        journal: Journal,
        mailboxes: Budget,
    ) -> None:
        self._journal = journal
        self._mailboxes = mailboxes
        self._lock = threading.Lock()
        self._ends: dict[str, ClientEnd] = {}
        self._over: TheaterError | None = None

    def __len__(self) -> int:
        return len(self._ends)

    def new(self, channel: str, actor: str, woken: Callable[[], None]) -> ClientEnd:
        """Make the end of a channel that is about to be asked for. Unavailable if there are too many."""
        end = ClientEnd(channel, actor, self._journal, self._mailboxes, woken)
        with self._lock:
            if self._over is not None:
                raise self._over
            if len(self._ends) >= limits.CHANNELS_OUTSIDE_MAX:
                raise Unavailable(
                    f"clients have {limits.CHANNELS_OUTSIDE_MAX} channels already; close one, or "
                    "try again later",
                    code="channels.full",
                )
            self._ends[channel] = end
        return end

    def forget(self, end: ClientEnd) -> None:
        """The client has left. Nobody is told."""
        end.leave()
        with self._lock:
            self._ends.pop(end.channel, None)

    def conclude(
        self,
        message: Message,
        answer: Answer,
        first: bytes | None,
        record: RecordSteps,
        beside: Beside,
    ) -> None:
        """Settle a client's message that asks for a channel; see `Channels.conclude`."""
        end = self._ends.get(message.subject or "")
        done = Settle(message.id, "done")
        if end is not None:
            with end.lock:
                if not end.gone:
                    end.answered = True
                    _, number = record(lambda _: (*beside.in_time, done))
                    beside.then(True)
                    if answer.ok and first is not None:
                        end.begin_with(replace(message, body=first), number)
                    self._journal.when_durable(
                        number, lambda error: end.conclude(bounded(answer), error)
                    )
                    return
        record(lambda _: (*beside.late, done))
        beside.then(False)

    def admit(self, message: Message, timeout_ms: int, sender: HostCall) -> Callable[[], None]:
        """Reserve a place at a client's end; returns what puts the message there.

        TimedOut if there is none in time, Conflict if the client has left.
        """
        end = self._ends.get(message.subject or "")
        size = size_of(message)
        if end is None or end.mailbox.closed:
            raise closed(message.subject or "")
        if not sender.has_place(end.mailbox, size) and not sender.await_place(
            end.mailbox, size, timeout_ms / 1000
        ):
            if end.mailbox.closed:
                raise closed(end.channel)
            raise TimedOut(
                f"the client of channel {end.channel} does not take what was sent to it",
                code="mailbox.full",
            )
        return lambda: end.put(message)

    def give_back(self, message: Message) -> None:
        """Give a place back that is not used."""
        end = self._ends.get(message.subject or "")
        if end is not None:
            end.mailbox.release(size_of(message))

    def closed(self, channel: str) -> None:
        """The record that closes a channel is queued."""
        with self._lock:
            end = self._ends.pop(channel, None)
        if end is not None:
            end.close()

    def close(self, error: TheaterError) -> None:
        """Tell everybody who waits, and who would, that nothing comes from this process."""
        with self._lock:
            self._over = error
            ends = list(self._ends.values())
            self._ends.clear()
        for end in ends:
            end.give_up(error)


def closed(channel: str) -> Conflict:
    """Return the error for a channel that is not open, or not to who asks: the same, so that nobody
    learns which channels others have.
    """
    return Conflict(
        f"there is no open channel {channel[:80]!r} here (any more); open another one",
        code="channel.closed",
    )
