"""Where messages go and where answers come back.

A message is journaled before it is visible in a mailbox; an answer is journaled before whoever
waits is told; and whoever waits outside the node is told only once the journal has it on disk.
Whether an answer or its time-out came first is decided under the wait's own lock, in which the
record is queued, so that memory and journal agree.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol

from msgspec.structs import replace

from theater import ids, limits
from theater.clock import Clock
from theater.errors import Conflict, NotFound, TheaterError, TimedOut, TooLarge, Unavailable
from theater.handlers.port import Doing, Done, HostCall, Places, Waiting
from theater.journal.port import Journal
from theater.journal.records import (
    Answer,
    AnswerKey,
    Enqueue,
    Message,
    Settle,
    Step,
)
from theater.runtime.actor import Actor
from theater.runtime.answers import Place, RecordSteps, bounded, bury, refusal
from theater.runtime.channels import Channels
from theater.runtime.clients import Clients
from theater.runtime.cycles import WaitGraph
from theater.runtime.doing import Doings
from theater.runtime.inline import InlineRun, InlineRuns, Moved
from theater.runtime.kinds import KINDS, no_handler
from theater.runtime.mailbox import Budget, size_of
from theater.runtime.names import Names
from theater.runtime.waits import NOTHING, Asking, Beside, Wait, Waits


class Schedule(Protocol):
    """The dispatcher, as the router uses it."""

    def schedule(self, runnable: Actor) -> None: ...


class Sender(Protocol):
    """The call that sends, as far as it waits for a place: see HostCall."""

    @property
    def has_place(self) -> Callable[[Places, int], bool]: ...
    @property
    def await_place(self) -> Callable[[Places, int, float], bool]: ...


class Router:
    """The actors of a node by id and name, their mailboxes, and everybody who waits."""

    def __init__(
        self,
        journal: Journal,
        dispatcher: Schedule,
        clock: Clock,
        later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self.actors: dict[str, Actor] = {}
        self.names: Final = Names()
        self.mailboxes: Final = Budget()
        self._waits: Final = Waits(journal, clock)
        self.waits: Final = self._waits.table
        self._journal: Final = journal
        self._dispatcher: Final = dispatcher
        self._clock: Final = clock
        self.clients: Final = Clients(journal)
        self._opened_us: Final = clock.wall_us()
        self._last_us: int | None = None
        self._graph: Final = WaitGraph()
        self._doings: Final = Doings(self._waits, self._graph, journal, clock)
        self._inline: Final = InlineRuns(clock, later)
        self._positions = itertools.count(1)
        self._depth = threading.local()
        self.channels: Final = Channels(journal, self)

    def start_positions_at(self, first: int) -> None:
        """Number the messages to come from `first` on."""
        self._positions = itertools.count(first)

    def was_here(self, at_us: int) -> None:
        """The node did something at this time, before it was opened."""
        self._last_us = max(at_us, self._last_us or 0)

    def _away_us(self) -> int:
        last = self._opened_us if self._last_us is None else self._last_us
        return max(0, self._opened_us - last)

    # Who is there

    def living(self, actor: str) -> Actor:
        """Return the actor of that id; NotFound if there is none that lives."""
        found = self.actors.get(actor)
        if found is None or found.ended:
            shown = "`theater list` shows those that live"
            if not ids.ACTOR_ID.fullmatch(actor):
                shown = "an actor is called by its id or by a name that it has registered"
            raise NotFound(
                f"there is no living actor {actor[:80]}; {shown}",
                code="actor.not_found",
                actor=actor,
            )
        return found

    # Sending

    def admit(self, message: Message, timeout_ms: int, sender: Sender) -> Callable[[], None]:
        """Reserve a place in the receiver's mailbox; returns what puts the message there."""
        receiver = self._receiver(message)
        size = size_of(message)
        if not sender.has_place(receiver.mailbox, size):
            self._await_room(receiver, message, size, timeout_ms / 1000, sender)
        return lambda: self._fill(receiver, message)

    def _await_room(
        self, receiver: Actor, message: Message, size: int, timeout_s: float, sender: Sender
    ) -> None:
        # Who asks is known to wait for the receiver already.
        sends = not KINDS[message.kind].asks
        if sends:
            full = receiver.mailbox.is_full
            self._graph.enter(message.sender, receiver.id, lambda: full(size))
        try:
            taken = sender.await_place(receiver.mailbox, size, timeout_s)
        except Moved:
            raise  # it waits on, and is here again when it is taken up
        except BaseException:
            if sends:
                self._graph.leave(message.sender)
            raise
        if sends:
            self._graph.leave(message.sender)
        if not taken:
            self._refuse_full(receiver)

    def give_back(self, message: Message) -> None:
        """Give the place back that a message was admitted to, and will not be put into."""
        self.actors[message.receiver].mailbox.release(size_of(message))

    def put(self, message: Message) -> None:
        """Put a message whose record is queued into its mailbox, whatever the bounds."""
        receiver = self.actors.get(message.receiver)
        if receiver is not None and receiver.mailbox.restore(message):
            if not receiver.scheduled:
                self.wake(receiver)
        else:
            self.fail_message(message, "actor.stopped", "the actor has ended")

    def position(self) -> int:
        """The next message's place in the order of all messages."""
        return next(self._positions)

    def enqueue(self, message: Message, steps: Sequence[Step]) -> int:
        """Put a message that nobody inside waits to send into its mailbox, in one record with `steps`.

        Returns the record's number. Besides the errors of `admit` Conflict for an actor that stops.
        """
        receiver = self._receiver(message)
        size = size_of(message)
        if not receiver.mailbox.reserve(size):
            self._refuse_full(receiver)
        try:
            number = self._journal.append((*steps, Enqueue(message)))
        except BaseException:
            receiver.mailbox.release(size)
            raise
        self._fill(receiver, message)
        return number

    def _receiver(self, message: Message) -> Actor:
        receiver = self.living(message.receiver)
        if (
            receiver.status == "stopping"
            or receiver.stop_requested is not None
            or receiver.shutdown
        ):
            raise Conflict(
                f"actor {receiver.id} is stopping and takes no messages", code="actor.stopping"
            )
        if message.kind == "request" and len(receiver.outstanding) >= limits.OUTSTANDING_MAX:
            raise Unavailable(
                f"actor {receiver.id} has {limits.OUTSTANDING_MAX} requests that it has not answered",
                code="requests.full",
            )
        if len(message.body) > receiver.manifest.limits.message_bytes:
            raise TooLarge(
                f"the message has {len(message.body)} bytes; actor {receiver.id} takes at most "
                f"{receiver.manifest.limits.message_bytes} (limits.message_bytes)",
                code="message.too_large",
            )
        program = receiver.program
        if program is not None and KINDS[message.kind].export not in program.exports:
            raise NotFound(
                no_handler(receiver.id, KINDS[message.kind]),
                code="actor.no_handler",
            )
        return receiver

    def _refuse_full(self, receiver: Actor) -> None:
        mailbox = receiver.mailbox
        if mailbox.closed:
            raise NotFound(f"actor {receiver.id} has ended", code="actor.not_found")
        raise TimedOut(
            f"the mailbox of actor {receiver.id} is full ({len(mailbox)} of {mailbox.capacity} "
            f"messages, {mailbox.bytes} of {mailbox.bytes_max} bytes; all mailboxes have "
            f"{self.mailboxes.used} of {self.mailboxes.bytes_max})",
            code="mailbox.full",
        )

    def _fill(self, receiver: Actor, message: Message) -> None:
        if receiver.mailbox.fill(message):
            # Whoever has the actor now looks, under the mailbox's lock, for what was put in before.
            if not receiver.scheduled:
                self.wake(receiver)
        else:
            self.fail_message(
                message, "actor.stopped", "the actor ended before it took the message"
            )

    def forget(self, actor: str) -> None:
        """An actor has ended: it may have been killed while it waited without a thread."""
        self._graph.leave(actor)

    def wake(self, actor: Actor) -> None:
        """See to it that a worker comes to the actor."""
        with actor.mailbox.lock:
            if actor.scheduled:
                return
            actor.scheduled = True
        self._dispatcher.schedule(actor)

    # Asking, from inside

    def ask(self, waiting: Waiting, asking: Asking) -> Answer:
        """Send a request and return its answer; attaches to the wait if it exists already.

        Runs the receiver's call on this very thread if the receiver has nothing else to do.
        """
        wait = self.waits.get(asking.wait)
        try:
            if wait is None:
                wait = self._waits.new(waiting.timeout_ms)
                self._enter(wait, waiting, asking)
                self._open_wait(wait, waiting, asking)
            else:
                self._waits.attach(wait, asking.wait, self._away_us(), waiting.timeout_ms)
                with suppress(Conflict):  # it was let in when it was opened
                    self._enter(wait, waiting, asking)
        except TheaterError as error:
            self._graph.leave(asking.actor)
            return refusal(error.code, error.message)
        try:
            answer = self._waits.answer(
                wait,
                asking,
                lambda: self._abandon(waiting.receiver, asking.wait, "request.timed_out"),
            )
        except Moved:
            raise  # it waits on, and is here again when it is taken up
        except BaseException:
            self._graph.leave(asking.actor)
            raise
        self._graph.leave(asking.actor)
        return answer

    def do(self, doing: Doing, asking: Asking) -> Done:
        """Have something done to an actor and wait for it; joins what was begun already."""
        return self._doings.do(doing, asking, self._away_us())

    def _enter(self, wait: Wait, waiting: Waiting, asking: Asking) -> None:
        def waits() -> bool:
            return wait.answer is None and not wait.closed and asking.cancelled() is None

        self._graph.enter(asking.actor, waiting.receiver, waits)

    def restored(self, message: Message) -> None:
        """Whoever sent a request before the node was opened waits for its receiver, as it did then.

        Known before anybody is taken up: whoever comes first could otherwise ask the one that waits.
        """
        if message.wait is not None:
            self.restored_wait(message.wait, message.sender, message.receiver)

    def restored_wait(self, wait_id: str, waiter: str, awaited: str) -> None:
        """An actor waited for another before the node was opened, and does so still."""
        wait = self.waits.get(wait_id)
        if wait is None or wait.answer is not None:
            return

        def waits() -> bool:
            return wait.answer is None and not wait.closed

        with suppress(Conflict):
            self._graph.enter(waiter, awaited, waits)

    def _open_wait(self, wait: Wait, waiting: Waiting, asking: Asking) -> None:
        message = Message(
            id=asking.wait,
            receiver=waiting.receiver,
            kind=waiting.kind,
            origin="actor",
            sender=asking.actor,
            body=waiting.body,
            position=self.position(),
            deadline_us=self._clock.wall_us() + waiting.timeout_ms * 1000,
            trace=asking.trace,
            cause=asking.head,
            wait=asking.wait,
            subject=waiting.subject,
        )
        receiver = self._receiver(message)
        if waiting.kind == "channel-open":
            self.channels.check(self.actors[asking.actor], receiver)
        inline = self._claim_idle(receiver)
        put = None if inline else self.admit(message, waiting.timeout_ms, asking)
        opening = self._waits.open(
            wait, asking, message, waiting.receiver if waiting.named else None
        )
        if put is not None:
            self._journal.append(opening)
            put()
        else:
            self._run_inline(receiver, message, opening, self._inline.begin(asking, wait))

    def _claim_idle(self, receiver: Actor) -> bool:
        if getattr(self._depth, "value", 0) >= limits.INLINE_DEPTH_MAX:
            return False
        with receiver.mailbox.lock:
            if receiver.scheduled or len(receiver.mailbox) or receiver.mailbox.closed:
                return False
            # Only under the lock: whoever had the actor may have ended it just now.
            if receiver.status != "running" or receiver.interrupted or receiver.stop_requested:
                return False
            if receiver.orders or receiver.planned is not None:
                return False
            receiver.scheduled = True
            return True

    def _run_inline(
        self, receiver: Actor, message: Message, opening: Sequence[Step], run: InlineRun
    ) -> None:
        self._depth.value = getattr(self._depth, "value", 0) + 1
        try:
            more = receiver.run_inline(message, opening)
        finally:
            self._depth.value -= 1
            stays = self._inline.finish(run)
        if more:
            self._dispatcher.schedule(receiver)
        if not stays:
            raise Moved

    def opened(self, message: Message) -> None:
        """The record that makes an inline request durable is queued."""
        wait = None if message.wait is None else self.waits.get(message.wait)
        if wait is not None:
            wait.opened = True

    def close_wait(self, wait_id: str) -> None:
        """Forget a wait; an answer that comes now is too late."""
        wait = self.waits.pop(wait_id, None)
        if wait is not None:
            wait.closed = True

    def shut_wait(self, wait_id: str) -> None:
        """The call that waits is about to end: what comes now is too late."""
        wait = self.waits.get(wait_id)
        if wait is not None:
            with wait.lock:
                wait.closed = True

    # Answering

    def conclude(
        self,
        message: Message,
        answer: Answer | None,
        record: RecordSteps,
        first: bytes | None = None,
    ) -> None:
        """Settle a message as done and give its answer, if it has one, in the record that `record` makes.

        `first` is what goes with the consent to a channel.
        """
        done = Settle(message.id, "done")
        if answer is None or not KINDS[message.kind].asks:
            record(lambda _: (done,))
            return
        if message.kind == "channel-open":
            self.channels.conclude(message, answer, first, record)
            return
        if message.wait is not None:
            self.give(message, answer, record)
            return
        answer = bounded(answer)

        def steps(place: Place | None) -> Sequence[Step]:
            if message.key is None:
                return (done,)
            return (AnswerKey(message.key, replace(answer, event=place)), done)

        _, number = record(steps)
        self.clients.tell(message.id, answer, number)

    def give(
        self, message: Message, answer: Answer, record: RecordSteps, beside: Beside = NOTHING
    ) -> None:
        """Give an answer to the actor that waits for it."""
        assert message.wait is not None
        answer = bounded(answer, self._bytes_max(message.sender))
        self._waits.give(message, message.wait, answer, record, beside)

    def _bytes_max(self, actor: str) -> int | None:
        found = self.actors.get(actor)
        return None if found is None else found.manifest.limits.message_bytes

    def conclude_outstanding(self, call: HostCall, request: str, ok: bool, body: bytes) -> None:
        """Answer an outstanding request with the record of a host call.

        NotFound if the calling actor has no such request, TooLarge for an answer above its own
        bound; TimedOut, with a record all the same, if nobody waits for it any more.
        """
        asked = self.actors[call.actor]
        message = asked.outstanding.get(request)
        if message is None:
            raise NotFound(
                f"there is no outstanding request {request[:80]!r}", code="request.not_found"
            )
        bytes_max = asked.manifest.limits.message_bytes
        if len(body) > bytes_max:
            raise TooLarge(
                f"the answer has {len(body)} bytes, at most {bytes_max} (limits.message_bytes)",
                code="answer.too_large",
            )
        answer = Answer(ok, body)

        def forget() -> None:
            asked.outstanding.pop(request, None)

        call.after(forget)
        if message.wait is not None:
            answer = bounded(answer, self._bytes_max(message.sender))
            self._waits.give_with(call, message, message.wait, answer)
            return
        answer = bounded(answer)
        if message.key is not None:
            key = message.key
            call.step(lambda place: (AnswerKey(key, replace(answer, event=place)),))
        call.step(Settle(message.id, "done"))
        call.after(lambda: self.clients.tell(message.id, answer, self._journal.appended()))

    # Giving up

    def _abandon(self, receiver: str, message: str, reason: str) -> Sequence[Step]:
        """Return what makes a message a dead letter if its receiver has left it unanswered."""
        found = self.actors.get(receiver)
        if found is None or found.outstanding.pop(message, None) is None:
            return ()
        return (Settle(message, "dead", reason, at_us=self._clock.wall_us()),)

    def fail_outstanding(self, actor: Actor, reason: str, text: str) -> None:
        """Make every request that an actor has not answered a dead letter, and tell those who wait."""
        for request in list(actor.outstanding):
            message = actor.outstanding.pop(request, None)  # its time-out may have come just now
            if message is not None:
                self.fail_message(message, reason, text)

    def expire(self, actor: Actor) -> None:
        """Give up the outstanding requests of an actor that nobody waits for any more."""
        now = self._clock.wall_us()
        for message in list(actor.outstanding.values()):
            if message.wait is not None:
                wait = self.waits.get(message.wait)
                if wait is None or wait.answer is not None:
                    steps = self._abandon(actor.id, message.id, "request.abandoned")
                    if steps:
                        self._journal.append(tuple(steps))
            elif (message.deadline_us or now) < now and message.id not in self.clients:
                self._expire_client(actor, message)

    def _expire_client(self, actor: Actor, message: Message) -> None:
        if actor.outstanding.pop(message.id, None) is not None:
            text = "the actor did not answer before the client's deadline"
            self.fail_message(message, "request.timed_out", text)

    def send_timeout_ms(self, actor: str) -> int:
        """How long this actor's sends wait for a place in a full mailbox."""
        return self.actors[actor].manifest.send_timeout_ms

    def request_timeout_ms(self, actor: str) -> int:
        """How long this actor's requests wait for their answer."""
        return self.actors[actor].manifest.request_timeout_ms

    def fail_message(self, message: Message, reason: str, text: str) -> None:
        """Make a message a dead letter and tell whoever waits for its answer."""

        def record(build: Callable[[Place | None], Sequence[Step]]) -> tuple[None, int]:
            steps = build(None)
            if not KINDS[message.kind].optional:
                steps = bury(steps, reason, self._clock.wall_us())
            return None, self._journal.append(tuple(steps))

        self.conclude(message, refusal(reason, text), record)

    def close(self, error: TheaterError) -> None:
        """Tell everybody outside who waits, or will, that no answer comes from this process."""
        self.clients.close(error)
        self.channels.ends.close(error)
