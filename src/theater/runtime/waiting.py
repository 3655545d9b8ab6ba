"""How a call in progress waits, for time, effects and answers, with a thread or without.

While there is room it holds its worker's thread; beyond that it leaves it (see parking), and so does
a requester whose thread another one's call holds (see inline). Either way the call is unwound here
and taken up elsewhere, and what must not be done twice, or be waited for twice, is handed on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from theater import limits
from theater.engine import EndCall
from theater.handlers.port import Places, Turn
from theater.journal.records import Message
from theater.runtime.actor import Actor, Killable, LiveInstance, MovedCall
from theater.runtime.inline import MOVED, Moved
from theater.runtime.parking import Parked, Patience
from theater.runtime.ports import Performed
from theater.runtime.services import Services
from theater.runtime.session import Session

SLEEP_S_MAX: Final = limits.WAIT_MS_MAX / 1000


class WaitingCall:
    """What an execution is as far as it waits, and ends from outside. Satisfies the actor's Killable."""

    def __init__(self, services: Services, actor: Actor, message: Message | None) -> None:
        self.actor: Final = actor
        self.message: Final = message
        self.killed: str | None = None
        self.patience: Final = Patience(services.dispatcher, services.clock)
        self._services: Final = services
        self._session: Session | None = None
        self._live: LiveInstance | None = None
        self._cancelled: threading.Event | None = None
        self._moved = False
        self._slept_ns = 0
        self._performed: Performed | None = None
        self.turn: Turn | None = None
        """A place in a mailbox that the call waited for without a thread and has not asked for again."""

    def kill(self, kind: str) -> None:
        """End the call with this kind, wherever it is; from any thread."""
        self.killed = kind
        # Its own, and not what its actor has by now: the next call must not be hit.
        live = self._live
        if live is not None:
            live.instance.kill()
        if self._session is not None:
            self._session.cancel()
        cancelled = self._cancelled
        if cancelled is not None:
            cancelled.set()

    def gives_way(self) -> bool:
        """Whether an order of the actor, or its supervisor's plan, has the call killed. An `init` is
        never killed for one: its actor would fail with it.
        """
        return self.message is not None and (
            self.actor.held or any(order.kills for order in self.actor.orders)
        )

    # Leaving the thread

    def go_on_from(self, moved: MovedCall) -> None:
        """Go on from where this same process has interrupted the call: its sleep, its effect."""
        self._slept_ns, self._performed = moved.slept_ns, moved.performed
        self.turn = moved.turn

    def move(self) -> None:
        """Have the call taken up on another worker: this one's thread runs another actor's call.

        What stands here is thrown away when that has ended. From any thread, while nothing of the
        call can be running.
        """
        self._leave_thread(None)
        self._go_on_elsewhere()

    def _leave_thread(self, running: Killable | None) -> None:
        self._moved = True
        # The instance is this call's until it has come back.
        self.actor.live, self.actor.running = None, running

    def _go_on_elsewhere(self) -> None:
        actor = self.actor
        actor.running = None
        number = self._services.journal.appended()
        actor.moved = MovedCall(self.killed, number, self._slept_ns, self._performed, self.turn)
        actor.interrupted = True
        self._services.dispatcher.schedule(actor)

    def park(self, seconds: float | None, register: Callable[[Callable[[], None]], None]) -> Moved:
        """Give the thread up; the call is taken up after so many seconds or when what `register` is
        given is called. What is returned is to be raised.
        """
        parked = Parked(self, self._go_on_elsewhere)
        self._leave_thread(parked)
        register(parked.wake)
        if seconds is not None:
            parked.wake_after(seconds, self._services.later)
        if self.killed is not None:
            parked.wake()  # it was killed before there was something to be woken
        return Moved()

    # What is waited for

    def sleep_until(self, wall_ns: int, at_most_ns: int) -> None:
        """Wait for real until a wall time, or until the call is killed; not again what was slept."""
        if wall_ns <= self._slept_ns:
            return
        clock = self._services.clock
        left = min(wall_ns / 1e9 - clock.wall_us() / 1e6, at_most_ns / 1e9, SLEEP_S_MAX)
        if left > 0:
            cancelled = self._cancelled = threading.Event()
            if self.killed is not None:
                return  # before the event was there to be set
            due = clock.monotonic() + left
            over = self.patience.wait(cancelled, due)
            self._slept_ns = wall_ns
            if not over:
                with thread_left():
                    raise self.park(due - clock.monotonic(), lambda _: None)

    def has_place(self, places: Places, size: int) -> bool:
        """Take a place in a mailbox, if there is one now and the call has not waited for it."""
        if self.turn is not None and not self.turn.is_for(places, size):
            # What it waited for is refused by now: this is the next message.
            self.turn.give_up()
            self.turn = None
        return self.turn is None and places.reserve(size)

    def await_place(self, places: Places, size: int, timeout_s: float) -> bool:
        """Take a place in a mailbox when there is one; False if there was none in time.

        Raises Moved if the call waits on without this thread.
        """
        turn, self.turn = self.turn, None
        if turn is not None:
            return turn.take(places, size)
        session, clock, dispatcher = self._session, self._services.clock, self._services.dispatcher
        assert session is not None
        due = clock.monotonic() + timeout_s
        patient = dispatcher.enter_wait()
        try:
            if patient or not places.is_full(size):
                return places.reserve(size, timeout_s, session.on_cancel)
        finally:
            dispatcher.leave_wait()

        def register(wake: Callable[[], None]) -> None:
            self.turn = places.turn(size, wake)
            self.turn.stand_in_line()

        raise self.park(due - clock.monotonic(), register)

    def perform(self, key: str, perform: Callable[[str], object]) -> object:
        """Perform an effect, on this thread or, where too many threads wait, without it."""
        dispatcher = self._services.dispatcher
        patient = dispatcher.enter_wait()
        try:
            if patient:
                return perform(key)
        finally:
            dispatcher.leave_wait()
        session = self._session
        assert session is not None

        def register(wake: Callable[[], None]) -> None:
            def run() -> None:
                value, failed = None, None
                try:
                    value = perform(key)
                except Exception as error:  # noqa: BLE001 - it is raised where the call goes on
                    failed = error
                self._performed = Performed(key, value, dict(session.facts), failed)
                wake()

            self._services.effects.begin(run)

        with thread_left():
            raise self.park(None, register)

    def performed(self, key: str) -> Performed | None:
        """What the effect with this key came to while the call had no thread, None if it had one."""
        performed, self._performed = self._performed, None
        return performed if performed is not None and performed.key == key else None


@contextmanager
def thread_left() -> Iterator[None]:
    """Unwind the guest of a call that has left its thread."""
    try:
        yield
    except Moved:
        raise EndCall("killed", None, MOVED) from None
