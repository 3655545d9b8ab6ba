"""One thread that does small things later: time-outs of clients, ends of grace, sweeps."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from collections.abc import Callable

from theater.clock import Clock

log = logging.getLogger(__name__)


class Timers:
    """Callables by the time at which they are due. They must not block."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="theater-timers", daemon=True)
        self._thread.start()

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        """Do something once, `seconds` from now."""
        with self._wake:
            if self._closed:
                return
            due = self._clock.monotonic() + seconds
            heapq.heappush(self._due, (due, next(self._order), do))
            if self._due[0][0] == due:
                self._wake.notify()

    def close(self) -> None:
        """Forget what was due and end the thread."""
        with self._wake:
            self._closed = True
            self._due.clear()
            self._wake.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

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
                left = self._due[0][0] - self._clock.monotonic()
                if left <= 0:
                    return heapq.heappop(self._due)[2]
                self._wake.wait(left)
            return None
