"""The thread that advances the epoch of every engine of this process, every 10 ms.

It starts with the first engine and ends with the last. Stores whose guest computes are called back
when the epoch passes their deadline; all others don't notice.
"""

from __future__ import annotations

import threading
from typing import Final

from theater.engine import native
from theater.limits import EPOCH_TICK_MS


class Ticker:
    """Advances the epochs of the engines that are joined to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._engines: dict[int, object] = {}
        """What keeps each engine alive, by its address: one that was freed must never be touched."""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def join(self, engine: int, owner: object) -> None:
        """Advance the epoch of the engine at this address, which `owner` keeps alive, from now on."""
        with self._lock:
            self._engines[engine] = owner
            if self._thread is None:
                self._stop = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._stop,), name="theater-epoch", daemon=True
                )
                self._thread.start()

    def leave(self, engine: int) -> None:
        """Never touch this engine again; the last one to leave ends the thread."""
        with self._lock:
            self._engines.pop(engine, None)
            if self._engines or self._thread is None:
                return
            thread, self._thread = self._thread, None
            self._stop.set()
        thread.join()

    @property
    def running(self) -> bool:
        """Whether there is a thread."""
        return self._thread is not None

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(EPOCH_TICK_MS / 1000):
            with self._lock:
                for engine in self._engines:
                    native.increment_epoch(engine)


TICKER: Final = Ticker()
