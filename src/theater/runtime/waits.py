"""Actors that wait for the answers to their requests.

Whether an answer or its time-out came first is decided under the wait's own lock, in which the
record is queued, so that memory and journal agree. An answer that comes after the time-out is not
given any more, also if nobody has noticed that the time is over: a requester whose callee ran on
its own thread can't look at the clock meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from theater import limits
from theater.clock import Clock
from theater.errors import TimedOut
from theater.handlers.port import HostCall, Places
from theater.journal.port import Journal
from theater.journal.records import (
    Answer,
    CloseWait,
    Enqueue,
    GiveAnswer,
    Message,
    OpenWait,
    Settle,
    Step,
)
from theater.runtime.answers import Place, RecordSteps, refusal

TIMED_OUT: Final = refusal("request.timed_out", "no answer came in time")


class Beside(NamedTuple):
    """What goes into the record of an answer, or else into that of one that is too late.

    `then` is told which, once that is queued and before the waiter is woken.
    """

    in_time: Sequence[Step] = ()
    late: Sequence[Step] = ()
    then: Callable[[bool], None] = lambda _: None


NOTHING: Final = Beside()


class Wait:
    """Somebody inside the node waits for an answer.

    `due` is monotonic seconds; None while the waiter has not come back after a restart of the node.
    `opened` says that the record of an inline request is queued, `closed` that the call is over
    which waited, whether or not it came to take the answer. Most answers are there before
    anybody waits for them, so what a waiter is woken by is made late.
    """

    __slots__ = ("_tell", "_woken", "answer", "closed", "due", "lock", "opened")

    def __init__(self, answer: Answer | None = None, due: float | None = None) -> None:
        self.lock = threading.Lock()
        self.answer = answer
        self.due = due
        self.opened = False
        self.closed = False
        self._woken: threading.Event | None = None
        self._tell: Callable[[], None] | None = None

    def awaited(self) -> threading.Event | None:
        """What is set when there is an answer, None if there is one already."""
        with self.lock:
            if self.answer is None and self._woken is None:
                self._woken = threading.Event()
            return None if self.answer is not None else self._woken

    def when_answered(self, tell: Callable[[], None]) -> None:
        """Call `tell` once the answer is there; it must not need this wait's lock."""
        with self.lock:
            if self.answer is None:
                self._tell = tell
                return
        tell()

    def wake(self) -> None:
        """Tell whoever waits that the answer is there."""
        if self._woken is not None:
            self._woken.set()
        if self._tell is not None:
            self._tell()


class Asking(msgspec.Struct, frozen=True, gc=False):
    """Which host call asks: its actor, its place, its wait's id, and the head of its chain.

    `move` takes the call up on another thread. `hold` waits for an event until a monotonic time and
    returns whether that was all; if not, `park` gives the thread up: what it returns is to be raised, and the call is
    taken up after so many seconds, or when what it has registered is called. `has_place` and
    `await_place` are those of a host call, the latter raising Moved.
    """

    actor: str
    call: int
    number: int
    wait: str
    head: tuple[int, bytes]
    input_digest: bytes
    cancelled: Callable[[], str | None]
    on_cancel: Callable[[Callable[[], None]], Callable[[], None]]
    trace: str | None
    move: Callable[[], None]
    hold: Callable[[threading.Event, float], bool]
    park: Callable[[float, Callable[[Callable[[], None]], None]], Exception]
    has_place: Callable[[Places, int], bool]
    await_place: Callable[[Places, int, float], bool]


class Waits:
    """The waits of a node by id; `table` is filled by whoever opens the node."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self.table: Final[dict[str, Wait]] = {}
        self._journal = journal
        self._clock = clock

    def new(self, timeout_ms: int) -> Wait:
        """Make a wait that nobody knows yet."""
        return Wait(due=self._clock.monotonic() + timeout_ms / 1000)

    def open(
        self, wait: Wait, asking: Asking, message: Message, meant: str | None
    ) -> tuple[Step, ...]:
        """Let answers find a wait; returns the steps that make it and its message durable together.

        `meant` is the receiver where it was named, and not asked for by its id.
        """
        assert message.deadline_us is not None
        return self.announce(wait, asking, message.deadline_us, meant), Enqueue(message)

    def announce(
        self, wait: Wait, asking: Asking, due_us: int, meant: str | None = None
    ) -> OpenWait:
        """Let others find a wait; returns the step that makes it durable."""
        self.table[asking.wait] = wait
        return OpenWait(
            *(asking.wait, asking.actor, asking.call, asking.number, due_us),
            *(asking.input_digest, meant),
        )

    def attach(self, wait: Wait, wait_id: str, away_us: int, timeout_ms: int) -> None:
        """The waiter is back after a restart: time in which the node was away does not count.

        Never more than the whole time-out is left, wherever the wall clock has been set meanwhile.
        """
        with wait.lock:
            if wait.answer is not None or wait.due is not None:
                return
            kept = self._journal.wait_row(wait_id)
            assert kept is not None, "a wait that was restored is kept"
            opened = kept[0]
            if away_us:
                opened = replace(opened, due_us=opened.due_us + away_us)
                # The next restart adds its own time to this.
                self._journal.append((CloseWait(wait_id), opened))
            left = (opened.due_us - self._clock.wall_us()) / 1e6
            wait.due = self._clock.monotonic() + min(left, timeout_ms / 1000)

    def answer(self, wait: Wait, asking: Asking, abandon: Callable[[], Sequence[Step]]) -> Answer:
        """Wait for the answer; `abandon` gives the steps that go with a time-out's record.

        Moved if the call goes on waiting without this thread.
        """
        woken = wait.awaited()
        if woken is None:
            assert wait.answer is not None
            return wait.answer
        now = self._clock.monotonic()
        due = now if wait.due is None else min(wait.due, now + limits.WAIT_MS_MAX / 1000)
        undo = asking.on_cancel(woken.set)
        try:
            over = asking.hold(woken, due)
        finally:
            undo()
        if not over:
            raise asking.park(due - self._clock.monotonic(), wait.when_answered)
        with wait.lock:
            if wait.answer is None and asking.cancelled() is None:
                wait.answer = TIMED_OUT
                self._journal.append((GiveAnswer(asking.wait, TIMED_OUT), *abandon()))
            return wait.answer or refusal("request.cancelled", "the asking call was killed")

    def give(
        self,
        message: Message,
        wait_id: str,
        answer: Answer,
        record: RecordSteps,
        beside: Beside = NOTHING,
    ) -> None:
        """Settle a request in the record that `record` makes, with its answer if that is in time."""
        wait = self.table.get(wait_id)
        if wait is None:
            record(lambda _: (*beside.late, self._late(message)))
            beside.then(False)
            return
        with wait.lock:
            late = self._is_late(wait)
            if late:
                record(lambda _: (*beside.late, *self._late_steps(wait, message, wait_id)))
            else:
                given = answer

                def steps(place: Place | None) -> Sequence[Step]:
                    nonlocal given
                    given = Answer(answer.ok, answer.body, place)
                    return (*beside.in_time, GiveAnswer(wait_id, given), Settle(message.id, "done"))

                record(steps)
                wait.answer = given
            beside.then(not late)
        wait.wake()

    def give_with(self, call: HostCall, message: Message, wait_id: str, answer: Answer) -> None:
        """Settle a request with its answer in the record of the host call that answers it.

        TimedOut, with a record all the same, if it comes too late.
        """
        wait = self.table.get(wait_id)
        late: Sequence[Step] = (self._late(message),)
        if wait is not None:
            with ExitStack() as held:
                held.enter_context(wait.lock)
                late = self._late_steps(wait, message, wait_id) if self._is_late(wait) else ()
                if not late:
                    call.hold(held.pop_all())
        if wait is None or late:
            for step in late:
                call.step(step)
            if wait is not None:
                call.after(wait.wake)
            raise TimedOut("nobody waits for this answer any more", code="answer.late")

        def steps(place: Place) -> Sequence[Step]:
            wait.answer = replace(answer, event=place)
            return (GiveAnswer(wait_id, wait.answer), Settle(message.id, "done"))

        call.step(steps)
        call.after(wait.wake)

    def _is_late(self, wait: Wait) -> bool:
        """Whether an answer that comes now is too late. Under the wait's lock."""
        return (
            wait.closed
            or wait.answer is not None
            or (wait.due is not None and self._clock.monotonic() >= wait.due)
        )

    def _late_steps(self, wait: Wait, message: Message, wait_id: str) -> Sequence[Step]:
        """Make a message whose answer is late a dead letter, and its wait timed out, if it is not."""
        if wait.answer is not None:
            return (self._late(message),)
        wait.answer = TIMED_OUT
        return (GiveAnswer(wait_id, TIMED_OUT), self._late(message))

    def _late(self, message: Message) -> Settle:
        return Settle(message.id, "dead", "answer.late", at_us=self._clock.wall_us())
