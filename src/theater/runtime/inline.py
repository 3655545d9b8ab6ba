"""Requests that run on their requester's own thread, and what becomes of a requester that can't wait.

The callee's call stands on the requester's stack, so the requester can't go on before it ends: not
when its time-out is over, not when it is killed, not when its answer has come from elsewhere. Then
the requester moves: its call is taken up on another worker, as after the end of a process, and what
stands on the old stack is thrown away when the callee has come to its end. The callee is left alone:
an effect that it has begun would be interrupted for nothing that it did.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from theater.clock import Clock
from theater.runtime.waits import Asking, Wait

WATCH_S: Final = 0.05
"""How often it is looked whether a requester can't wait any more."""


MOVED: Final = "the call goes on elsewhere"


class Moved(Exception):
    """The call was taken up on another thread; what is left of it here has nothing to say."""


class InlineRun:
    """A requester under whose call another one's runs."""

    __slots__ = ("answered", "asking", "wait")

    def __init__(self, asking: Asking, wait: Wait) -> None:
        self.asking = asking
        self.wait = wait
        self.answered = False
        """Whether the answer was there when it was looked last."""

    def is_over(self, now: float) -> bool:
        """Whether the requester can go on although the callee has not ended."""
        if not self.wait.opened:
            # Taken up now it would end a wait that is only journaled afterwards, and then for ever.
            return False
        if self.asking.cancelled() is not None:
            return True
        if self.wait.answer is not None:
            # The callee may just be returning with it; not so when it was there before.
            before, self.answered = self.answered, True
            return before
        return self.wait.due is not None and now >= self.wait.due


class InlineRuns:
    """All of a node. `later` runs a function after some seconds."""

    def __init__(self, clock: Clock, later: Callable[[float, Callable[[], None]], object]) -> None:
        self._clock = clock
        self._later = later
        self._lock = threading.Lock()
        self._runs: set[InlineRun] = set()
        self._watching = False

    def begin(self, asking: Asking, wait: Wait) -> InlineRun:
        """The callee is about to run."""
        run = InlineRun(asking, wait)
        with self._lock:
            self._runs.add(run)
            if not self._watching:
                self._watching = True
                self._later(WATCH_S, self._watch)
        return run

    def finish(self, run: InlineRun) -> bool:
        """The callee has ended; False if the requester has moved meanwhile."""
        with self._lock:
            if run not in self._runs:
                return False
            self._runs.remove(run)
            return True

    def _watch(self) -> None:
        now = self._clock.monotonic()
        with self._lock:
            over = [run for run in self._runs if run.is_over(now)]
            self._runs.difference_update(over)
            self._watching = bool(self._runs)
            if self._watching:
                self._later(WATCH_S, self._watch)
            # Under the lock: whoever is told by `finish` that it has moved must find it moved.
            for run in over:
                run.asking.move()
