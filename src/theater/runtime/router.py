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
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Final, Protocol

from theater import limits
from theater.clock import Clock
from theater.errors import ActorFailed, Conflict, NotFound, TheaterError, TimedOut, TooLarge
from theater.handlers.port import Waiting
from theater.journal.port import Journal
from theater.journal.records import (
    Answer,
    AnswerKey,
    Enqueue,
    GiveAnswer,
    Message,
    OpenKey,
    OpenWait,
    Settle,
    Step,
)
from theater.runtime.actor import Actor
from theater.runtime.kinds import KINDS

Place = tuple[int, bytes]
"""Seq and hash of an event."""

RUNTIME_ERRORS: Final = frozenset(
    {
        "actor.ended",
        "actor.failed",
        "actor.no_handler",
        "actor.stopped",
        "request.cancelled",
    }
)
"""Codes with which the runtime, and not the actor, answers a request."""

RecordSteps = Callable[[Callable[[Place | None], Sequence[Step]]], tuple[Place | None, int]]
"""Appends a record with the steps that the function makes of its event's place, None if the record
has no event; returns that place and the record's number."""


class Wait:
    """Somebody inside the node waits for an answer."""

    __slots__ = ("answer", "done", "lock")

    def __init__(self, answer: Answer | None = None) -> None:
        self.lock = threading.Lock()
        self.done = threading.Event()
        self.answer = answer
        if answer is not None:
            self.done.set()


class Schedule(Protocol):
    """The dispatcher, as the router uses it."""

    def schedule(self, runnable: Actor) -> None: ...
    def blocking(self) -> AbstractContextManager[None]: ...


@dataclass(frozen=True, slots=True)
class Asking:
    """Which host call asks: its actor, its place, its wait's id, and the head of its chain."""

    actor: str
    call: int
    number: int
    wait: str
    head: tuple[int, bytes]
    input_digest: bytes
    cancelled: Callable[[], str | None]
    on_cancel: Callable[[Callable[[], None]], Callable[[], None]]


class Router:
    """The actors of a node by id and name, their mailboxes, and everybody who waits."""

    def __init__(self, journal: Journal, dispatcher: Schedule, clock: Clock) -> None:
        self.actors: dict[str, Actor] = {}
        self.waits: dict[str, Wait] = {}
        self._journal: Final = journal
        self._dispatcher: Final = dispatcher
        self._clock: Final = clock
        self._clients: dict[str, list[Future[bytes]]] = {}
        self._positions = itertools.count(1)
        self._depth = threading.local()
        self._keys_lock = threading.Lock()

    def start_positions_at(self, first: int) -> None:
        """Number the messages to come from `first` on."""
        self._positions = itertools.count(first)

    # Who is there

    def living(self, actor: str) -> Actor:
        """Return the actor of that id; NotFound if there is none that lives."""
        found = self.actors.get(actor)
        if found is None or found.ended:
            raise NotFound(
                f"there is no living actor {actor}; `theater list` shows those that live",
                code="actor.not_found",
                actor=actor,
            )
        return found

    def resolve(self, actor: str) -> str | None:
        """The id of the living actor of that id, None if there is none."""
        found = self.actors.get(actor)
        return None if found is None or found.ended else found.id

    # Sending

    def admit(self, message: Message, timeout_ms: int) -> Callable[[], None]:
        """Reserve a place in the receiver's mailbox; returns what puts the message there."""
        receiver = self._receiver(message)
        if not receiver.mailbox.reserve(0):
            with self._dispatcher.blocking():
                if not receiver.mailbox.reserve(timeout_ms / 1000):
                    self._refuse_full(receiver)
        return lambda: self._fill(receiver, message)

    def position(self) -> int:
        """The next message's place in the order of all messages."""
        return next(self._positions)

    def send_from_outside(self, message: Message) -> tuple[str, int]:
        """Journal a client's message and put it into its mailbox; returns its id and record number.

        With a key that is already known nothing is sent: the id is that of the first message.
        """
        if message.key is None:
            return message.id, self._enqueue(message, ())
        with self._keys_lock:
            kept = self._journal.key(message.key)
            if kept is not None:
                return kept.message, self._journal.appended()
            opened = OpenKey(message.key, message.id, self._clock.wall_us())
            return message.id, self._enqueue(message, (opened,))

    def request_from_outside(self, message: Message) -> Future[bytes]:
        """Journal a client's request; the future has the answer once that is on disk.

        With a key that is already known the future has the first message's answer.
        """
        future: Future[bytes] = Future()
        if message.key is None:
            self._enqueue_expected(message, (), future)
            return future
        with self._keys_lock:
            kept = self._journal.key(message.key)
            if kept is None:
                opened = OpenKey(message.key, message.id, self._clock.wall_us())
                self._enqueue_expected(message, (opened,), future)
                return future
        self._expect(kept.message, future)
        again = self._journal.key(message.key)  # it may have been answered in between
        if again is not None and again.answer is not None:
            self._tell_clients(kept.message, again.answer, self._journal.appended())
        return future

    def forget_client(self, message: str, future: Future[bytes]) -> None:
        """Nobody waits for this future any more."""
        futures = self._clients.get(message)
        if futures is not None and future in futures:
            futures.remove(future)

    def _expect(self, message: str, future: Future[bytes]) -> None:
        self._clients.setdefault(message, []).append(future)

    def _enqueue_expected(
        self, message: Message, steps: Sequence[Step], future: Future[bytes]
    ) -> None:
        self._expect(message.id, future)
        try:
            self._enqueue(message, steps)
        except TheaterError:
            self._clients.pop(message.id, None)
            raise

    def _enqueue(self, message: Message, steps: Sequence[Step]) -> int:
        receiver = self._receiver(message)
        if not receiver.mailbox.reserve(0):
            self._refuse_full(receiver)
        try:
            number = self._journal.append((*steps, Enqueue(message)))
        except BaseException:
            receiver.mailbox.release()
            raise
        self._fill(receiver, message)
        return number

    def _receiver(self, message: Message) -> Actor:
        receiver = self.living(message.receiver)
        if receiver.status == "stopping":
            raise Conflict(
                f"actor {receiver.id} is stopping and takes no messages", code="actor.stopping"
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
                f"actor {receiver.id} does not export {KINDS[message.kind].export}",
                code="actor.no_handler",
            )
        return receiver

    def _refuse_full(self, receiver: Actor) -> None:
        raise TimedOut(
            f"the mailbox of actor {receiver.id} is full ({receiver.mailbox.capacity} messages)",
            code="mailbox.full",
        )

    def _fill(self, receiver: Actor, message: Message) -> None:
        if receiver.mailbox.fill(message):
            self.wake(receiver)
        else:
            self.fail_message(
                message, "actor.stopped", "the actor ended before it took the message"
            )

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
        wait_id = asking.wait
        wait = self.waits.get(wait_id)
        if wait is not None:
            kept = self._journal.wait_row(wait_id)
            due_us = kept[0].due_us if kept is not None else self._clock.wall_us()
        else:
            due_us = self._clock.wall_us() + waiting.timeout_ms * 1000
            opened = self._open_wait(waiting, asking, wait_id, due_us)
            if isinstance(opened, Answer):
                return opened
            wait = opened
        return self._await(wait, wait_id, due_us, asking)

    def _open_wait(
        self, waiting: Waiting, asking: Asking, wait_id: str, due_us: int
    ) -> Wait | Answer:
        message = Message(
            id=wait_id,
            receiver=waiting.receiver,
            kind="request",
            origin="actor",
            sender=asking.actor,
            body=waiting.body,
            position=self.position(),
            deadline_us=due_us,
            cause=asking.head,
            wait=wait_id,
        )
        if waiting.receiver == asking.actor:
            return refusal("request.cycle", f"{asking.actor} asks itself and would wait for ever")
        try:
            receiver = self._receiver(message)
            inline = self._claim_idle(receiver)
            put = None if inline else self.admit(message, waiting.timeout_ms)
        except TheaterError as error:
            return refusal(error.code, error.message)
        wait = self.waits[wait_id] = Wait()
        self._journal.append(
            (
                OpenWait(
                    wait_id,
                    asking.actor,
                    asking.call,
                    asking.number,
                    due_us,
                    asking.input_digest,
                ),
                Enqueue(message),
            )
        )
        if put is not None:
            put()
        else:
            self._run_inline(receiver, message)
        return wait

    def _claim_idle(self, receiver: Actor) -> bool:
        if getattr(self._depth, "value", 0) >= limits.INLINE_DEPTH_MAX:
            return False
        if receiver.status != "running" or receiver.interrupted or receiver.stop_requested:
            return False
        with receiver.mailbox.lock:
            if receiver.scheduled or len(receiver.mailbox):
                return False
            receiver.scheduled = True
            return True

    def _run_inline(self, receiver: Actor, message: Message) -> None:
        self._depth.value = getattr(self._depth, "value", 0) + 1
        try:
            receiver.mailbox.restore(message)
            more = receiver.run_batch(1)
        finally:
            self._depth.value -= 1
        if more:
            self._dispatcher.schedule(receiver)

    def _await(self, wait: Wait, wait_id: str, due_us: int, asking: Asking) -> Answer:
        if not wait.done.is_set():
            undo = asking.on_cancel(wait.done.set)
            try:
                with self._dispatcher.blocking():
                    left = (due_us - self._clock.wall_us()) / 1e6
                    wait.done.wait(max(0.0, min(left, limits.WAIT_MS_MAX / 1000)))
            finally:
                undo()
        with wait.lock:
            if wait.answer is None and asking.cancelled() is None:
                wait.answer = refusal("request.timed_out", "no answer came in time")
                self._journal.append((GiveAnswer(wait_id, wait.answer),))
            return wait.answer or refusal("request.cancelled", "the asking call was killed")

    def close_wait(self, wait_id: str) -> None:
        """Forget a wait; an answer that comes now is too late."""
        self.waits.pop(wait_id, None)

    # Answering

    def conclude(self, message: Message, answer: Answer | None, record: RecordSteps) -> None:
        """Settle a message as done and give its answer, if it has one, in the record that `record` makes."""
        done = Settle(message.id, "done")
        if answer is None or message.kind != "request":
            record(lambda _: (done,))
            return
        if message.wait is not None:
            self._answer_actor(message, message.wait, answer, record)
            return

        def steps(place: Place | None) -> Sequence[Step]:
            if message.key is None:
                return (done,)
            return (AnswerKey(message.key, replace(answer, event=place)), done)

        _, number = record(steps)
        self._tell_clients(message.id, answer, number)

    def _answer_actor(
        self, message: Message, wait_id: str, answer: Answer, record: RecordSteps
    ) -> None:
        late = Settle(message.id, "dead", "answer.late")
        wait = self.waits.get(wait_id)
        if wait is None:
            record(lambda _: (late,))
            return
        with wait.lock:
            if wait.answer is not None:
                record(lambda _: (late,))
                return
            place, _ = record(
                lambda place: (
                    GiveAnswer(wait_id, replace(answer, event=place)),
                    Settle(message.id, "done"),
                )
            )
            wait.answer = replace(answer, event=place)
        wait.done.set()

    def _tell_clients(self, message: str, answer: Answer, number: int) -> None:
        futures = self._clients.pop(message, None)
        if not futures:
            return

        def on_disk(error: BaseException | None) -> None:
            for future in futures:
                if not future.set_running_or_notify_cancel():
                    continue
                if error is not None:
                    future.set_exception(error)
                elif answer.ok:
                    future.set_result(answer.body)
                else:
                    future.set_exception(actor_error(answer))

        self._journal.when_durable(number, on_disk)

    def conclude_outstanding(
        self, actor: str, request: str, ok: bool, body: bytes
    ) -> tuple[tuple[Step, ...], Callable[[], None]] | None:
        """The steps that answer an outstanding request, and what tells the requester afterwards."""
        asked = self.actors[actor]
        message = asked.outstanding.get(request)
        if message is None:
            return None
        answer = Answer(ok, body)
        steps: tuple[Step, ...] = (Settle(message.id, "done"),)
        if message.wait is not None:
            steps = (GiveAnswer(message.wait, answer), *steps)
        elif message.key is not None:
            steps = (AnswerKey(message.key, answer), *steps)

        def tell() -> None:
            asked.outstanding.pop(request, None)
            wait = None if message.wait is None else self.waits.get(message.wait)
            if wait is not None:
                with wait.lock:
                    if wait.answer is None:
                        wait.answer = answer
                wait.done.set()
            else:
                self._tell_clients(message.id, answer, self._journal.appended())

        return steps, tell

    def send_timeout_ms(self, actor: str) -> int:
        """How long this actor's sends wait for a place in a full mailbox."""
        return self.actors[actor].manifest.send_timeout_ms

    def request_timeout_ms(self, actor: str) -> int:
        """How long this actor's requests wait for their answer."""
        return self.actors[actor].manifest.request_timeout_ms

    def fail_message(self, message: Message, reason: str, text: str) -> None:
        """Make a message a dead letter and tell whoever waits for its answer."""

        def record(build: Callable[[Place | None], Sequence[Step]]) -> tuple[None, int]:
            return None, self._journal.append(tuple(bury(build(None), reason)))

        self.conclude(message, refusal(reason, text), record)

    def close(self, error: TheaterError) -> None:
        """Tell everybody outside who still waits that no answer will come from this process."""
        for message in list(self._clients):
            for future in self._clients.pop(message, ()):
                if future.set_running_or_notify_cancel():
                    future.set_exception(error)


def bury(steps: Sequence[Step], reason: str) -> Sequence[Step]:
    """Return the steps with every message that they settle made a dead letter instead."""
    return [Settle(s.message, "dead", reason) if isinstance(s, Settle) else s for s in steps]


def refusal(code: str, text: str) -> Answer:
    return Answer(False, f"{code}: {text}".encode())


def actor_error(answer: Answer) -> ActorFailed:
    """Return the error that a client gets for a request that was answered with one."""
    text = answer.body.decode()
    code, colon, _ = text.partition(": ")
    return ActorFailed(text, code=code if colon and code in RUNTIME_ERRORS else "actor.error")
