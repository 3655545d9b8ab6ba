"""Calls that wait without a thread.

A guest that waits holds its worker's thread, and there is a bound on those. So only so many wait
like that (see dispatcher); a call that would wait beyond them is parked: its instance is given up
and its stack is unwound, and when what it waits for has come, its time is over, or it is killed, it
is taken up by the mechanism of recovery, as after the end of a process. What it waits for is kept
where it would be kept across a crash (the wait, the virtual clock), so nothing is sent twice; an
effect that is under way goes on in a thread of its own, without a guest's stack.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from theater import limits
from theater.clock import Clock

log = logging.getLogger(__name__)

Later = Callable[[float, Callable[[], None]], Callable[[], None]]
"""Runs a function after some seconds; returns what cancels it."""


class Threads(Protocol):
    """The dispatcher, as those see it who wait."""

    def enter_wait(self) -> bool: ...
    def leave_wait(self) -> None: ...


class Patience:
    """How long one call may wait with its thread in hand; a short wait costs less than to be parked."""

    __slots__ = ("_clock", "_left_s", "_threads")

    def __init__(self, threads: Threads, clock: Clock) -> None:
        self._threads: Final = threads
        self._clock: Final = clock
        self._left_s = limits.WAIT_ON_THREAD_MS / 1000

    def wait(self, woken: threading.Event, due: float) -> bool:
        """Wait for an event until a time, monotonic seconds; False if the call has to be parked."""
        began = self._clock.monotonic()
        if due <= began:
            return True
        patient = self._threads.enter_wait()
        try:
            if woken.wait(due - began if patient else min(due - began, self._left_s)) or patient:
                return True
        finally:
            self._threads.leave_wait()
        now = self._clock.monotonic()
        self._left_s = max(0.0, self._left_s - (now - began))
        return due <= now


class Waiter(Protocol):
    """The call in progress that was parked."""

    def gives_way(self) -> bool: ...
    def kill(self, kind: str) -> None: ...


class Parked:
    """A call that waits without a thread. Satisfies the actor's Killable.

    `take_up` is called once: whatever comes first of what wakes it.
    """

    __slots__ = ("_call", "_cancel", "_lock", "_over", "_take_up")

    def __init__(self, call: Waiter, take_up: Callable[[], None]) -> None:
        self._call: Final = call
        self._take_up: Final = take_up
        self._lock: Final = threading.Lock()
        self._over = False
        self._cancel: Callable[[], None] | None = None

    def gives_way(self) -> bool:
        """Whether an order of the actor has the call killed."""
        return self._call.gives_way()

    def kill(self, kind: str) -> None:
        """End the call with this kind."""
        self._call.kill(kind)
        self.wake()

    def wake(self) -> None:
        """Have the call taken up, if that has not been done. From any thread, whatever it holds."""
        with self._lock:
            if self._over:
                return
            self._over = True
            cancel = self._cancel
        if cancel is not None:
            cancel()
        self._take_up()

    def wake_after(self, seconds: float, later: Later) -> None:
        """Wake the call at the latest when so much time is over."""
        cancel = later(seconds, self.wake)
        with self._lock:
            if not self._over:
                self._cancel = cancel
                return
        cancel()


class Effects:
    """Threads of effects whose calls are parked; those beyond the bound wait for one that ends."""

    def __init__(self, at_once_max: int = limits.EFFECTS_AT_ONCE_MAX) -> None:
        self._at_once_max = at_once_max
        self._lock = threading.Lock()
        self._running = 0
        self._waiting: deque[Callable[[], None]] = deque()

    def begin(self, perform: Callable[[], None]) -> None:
        """Run `perform` on a thread of its own, as soon as there may be one."""
        with self._lock:
            if self._running >= self._at_once_max:
                self._waiting.append(perform)
                return
            self._running += 1
        threading.Thread(
            target=self._run, args=(perform,), name="theater-effect", daemon=True
        ).start()

    def _run(self, perform: Callable[[], None] | None) -> None:
        while perform is not None:
            try:
                perform()
            except Exception:
                log.exception("what follows an effect failed")
            with self._lock:
                perform = self._waiting.popleft() if self._waiting else None
                if perform is None:
                    self._running -= 1
