"""Worker threads that run whatever has something to do.

There is no thread per actor: those that have work stand in one queue, a few workers take one, let
it do a bounded amount, and put it back if there is more. A worker that waits for somebody else
says so with `blocking()`, and another one takes its place while there is work, up to a limit. Only
half of that many may wait for long: what would wait beyond them is parked (see parking), so that
whatever has something to do always finds a thread.

Those whose mailbox is full and has somebody waiting at it stand in a queue of their own, and every
other turn is theirs: one that a thousand others send to would otherwise have a thousandth of the
turns, and all of them would wait for it.

Worker stacks are large because requests run inline: the callee's call stands on the requester's
stack, up to INLINE_DEPTH_MAX deep.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from theater import limits
from theater.runtime.black_box import BlackBox

log = logging.getLogger(__name__)

_stack_size_lock = threading.Lock()


class Runnable(Protocol):
    """Something that a worker runs. `run_batch` returns whether there is more to do."""

    @property
    def crowded(self) -> bool:
        """Whether others wait for a place in its mailbox."""
        ...

    def run_batch(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class DispatcherStatistics:
    """How many worker threads there are, how many of them wait, and how much is ready to run."""

    threads: int
    idle: int
    blocked: int
    ready: int


class Dispatcher:
    """The ready queue and its workers."""

    def __init__(self, workers: int, workers_max: int, black_box: BlackBox | None = None) -> None:
        assert (
            limits.INLINE_DEPTH_MAX * (limits.WASM_STACK_BYTES + limits.MIB)
            < limits.WORKER_STACK_BYTES
        )
        self._workers = workers
        self._workers_max = workers_max
        self._waiting_max = workers_max // 2
        self._black_box = black_box or BlackBox()
        self._ready: deque[Runnable] = deque()
        self._crowded: deque[Runnable] = deque()
        self._crowded_next = True
        self._wake = threading.Condition(threading.Lock())
        self._threads: set[threading.Thread] = set()
        self._idle = 0
        self._blocked = 0
        self._closed = False

    def schedule(self, runnable: Runnable) -> None:
        """Put `runnable` into the ready queue; the caller sees to it that it stands there once."""
        with self._wake:
            if self._closed:
                return
            (self._crowded if runnable.crowded else self._ready).append(runnable)
            if self._idle:
                self._wake.notify()
            self._add_worker_if_needed()

    @contextmanager
    def blocking(self) -> Iterator[None]:
        """Say that the current thread waits inside this block, so that another may work meanwhile."""
        self.enter_wait()
        try:
            yield
        finally:
            self.leave_wait()

    def enter_wait(self) -> bool:
        """The current thread waits.

        Returns whether it may do so for long: not if half of all threads do so already.
        """
        self._black_box.step_out()
        return self.enter_long()

    def leave_wait(self) -> None:
        """The opposite of `enter_wait`."""
        self._black_box.step_in()
        self.leave_long()

    def enter_long(self) -> bool:
        """The current thread computes so long that it counts as waiting; returns as `enter_wait` does."""
        with self._wake:
            self._blocked += 1
            self._add_worker_if_needed()
            return self._blocked <= self._waiting_max

    def leave_long(self) -> None:
        """The opposite of `enter_long`."""
        with self._wake:
            self._blocked -= 1

    def statistics(self) -> DispatcherStatistics:
        """Return the counts of this moment."""
        with self._wake:
            return DispatcherStatistics(
                len(self._threads), self._idle, self._blocked, self._waiting()
            )

    def stop(self) -> None:
        """Take nothing up any more; workers end after what they have in hand."""
        with self._wake:
            self._closed = True
            self._ready.clear()
            self._crowded.clear()
            self._wake.notify_all()

    def close(self, timeout_s: float) -> bool:
        """Stop, and wait for the workers; return whether all ended in time."""
        self.stop()
        with self._wake:
            threads = list(self._threads)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(timeout_s)
        return not any(t.is_alive() for t in threads)

    def _add_worker_if_needed(self) -> None:
        # Those that were notified count as idle until they have taken what they were notified for.
        if self._waiting() <= self._idle:
            return
        active = len(self._threads) - self._blocked
        if active >= self._workers or len(self._threads) >= self._workers_max:
            return
        thread = threading.Thread(target=self._work, name="theater-worker", daemon=True)
        self._threads.add(thread)
        with _stack_size_lock:
            before = threading.stack_size(limits.WORKER_STACK_BYTES)
            try:
                thread.start()
            finally:
                threading.stack_size(before)

    def _work(self) -> None:
        while (runnable := self._take()) is not None:
            try:
                more = runnable.run_batch()
            except Exception:
                log.exception("a worker's batch failed")
                more = False
            if more:
                self.schedule(runnable)

    def _waiting(self) -> int:
        return len(self._ready) + len(self._crowded)

    def _next(self) -> Runnable:
        takes = self._crowded and (self._crowded_next or not self._ready)
        self._crowded_next = not takes
        return (self._crowded if takes else self._ready).popleft()

    def _take(self) -> Runnable | None:
        with self._wake:
            while not self._closed:
                if self._waiting():
                    return self._next()
                if len(self._threads) - self._blocked > self._workers:
                    break
                self._idle += 1
                try:
                    self._wake.wait()
                finally:
                    self._idle -= 1
            self._threads.discard(threading.current_thread())
            return None
