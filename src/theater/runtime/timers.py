"""One thread that does small things later: time-outs of clients, ends of grace, sweeps."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from collections.abc import Callable
from typing import Final

from theater.clock import Clock

log = logging.getLogger(__name__)

CANCELLED_MAX: Final = 1024
"""How many cancelled entries may lie about, and as many again as there are others."""


class _Entry:
    __slots__ = ("do", "due", "order")

    def __init__(self, due: float, order: int, do: Callable[[], None]) -> None:
        self.due = due
        self.order = order
        self.do: Callable[[], None] | None = do

    def __lt__(self, other: _Entry) -> bool:
        return (self.due, self.order) < (other.due, other.order)


class Timers:
    """Callables by the time at which they are due. They must not block."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: list[_Entry] = []
        self._cancelled = 0
        self._order = itertools.count()
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="theater-timers", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._due)

    def after(self, seconds: float, do: Callable[[], None]) -> Callable[[], None]:
        """Do something once, `seconds` from now; returns the function that cancels it."""
        entry = _Entry(self._clock.monotonic() + seconds, next(self._order), do)
        with self._wake:
            if not self._closed:
                heapq.heappush(self._due, entry)
                if self._due[0] is entry:
                    self._wake.notify()
        return lambda: self._cancel(entry)

    def close(self) -> None:
        """Forget what was due and end the thread."""
        with self._wake:
            self._closed = True
            self._due.clear()
            self._wake.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _cancel(self, entry: _Entry) -> None:
        with self._wake:
            if entry.do is None:
                return
            entry.do = None
            self._cancelled += 1
            if self._cancelled > CANCELLED_MAX + len(self._due) // 2:
                self._due = [each for each in self._due if each.do is not None]
                heapq.heapify(self._due)
                self._cancelled = 0

    def _run(self) -> None:
        while (do := self._next()) is not None:
            try:
                do()
            except Exception:
                log.exception("something that was due failed")

    def _next(self) -> Callable[[], None] | None:
        with self._wake:
            while not self._closed:
                if not self._due:
                    self._wake.wait()
                    continue
                entry = self._due[0]
                if entry.do is None:
                    heapq.heappop(self._due)
                    self._cancelled -= 1
                    continue
                left = entry.due - self._clock.monotonic()
                if left > 0:
                    self._wake.wait(left)
                    continue
                heapq.heappop(self._due)
                do, entry.do = entry.do, None
                return do
            return None
