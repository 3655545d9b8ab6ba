"""Counts of what happens in a run, and the way to wait for more of it."""

from __future__ import annotations

import threading
import time
from collections import Counter


class Tally:
    """Counts by name: POSTs that `arrived` and were `answered`, messages that were `acked`."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._broken = False

    def add(self, name: str) -> None:
        with self._changed:
            self._counts[name] += 1
            self._changed.notify_all()

    def wait(self, name: str, more: int, timeout_s: float) -> bool:
        """Return once there are so many more than now, or the run is broken; False if time is over."""
        end = time.monotonic() + timeout_s
        with self._changed:
            goal = self._counts[name] + more
            while self._counts[name] < goal and not self._broken:
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
            return True

    def break_off(self) -> None:
        """Let everybody who waits go on: the run has failed."""
        with self._changed:
            self._broken = True
            self._changed.notify_all()

    @property
    def broken(self) -> bool:
        return self._broken

    def count(self, name: str) -> int:
        return self._counts[name]
