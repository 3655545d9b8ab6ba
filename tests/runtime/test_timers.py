"""Things that are done later: in order, once, and not at all when cancelled."""

from __future__ import annotations

import threading

from theater.clock import SystemClock
from theater.runtime.timers import CANCELLED_MAX, Timers

WAIT_S = 20.0


def test_what_is_due_is_done_in_order_and_once() -> None:
    timers = Timers(SystemClock())
    done: list[int] = []
    last = threading.Event()
    for number in (3, 1, 2):
        timers.after(number / 100, lambda number=number: done.append(number))  # type: ignore[misc]
    timers.after(0.05, last.set)
    assert last.wait(WAIT_S)
    assert done == [1, 2, 3]
    timers.close()


def test_what_was_cancelled_is_not_done_and_leaves_no_trace() -> None:
    timers = Timers(SystemClock())
    done: list[int] = []
    cancels = [timers.after(600, lambda: done.append(1)) for _ in range(10 * CANCELLED_MAX)]
    for cancel in cancels:
        cancel()
        cancel()
    assert len(timers) <= 2 * CANCELLED_MAX
    first = timers.after(0.5, lambda: done.append(2))
    first()
    last = threading.Event()
    timers.after(0.6, last.set)
    assert last.wait(WAIT_S)
    assert done == []
    timers.close()


def fail() -> None:
    raise ValueError("on purpose")


def test_an_error_ends_nothing_else() -> None:
    timers = Timers(SystemClock())
    last = threading.Event()
    timers.after(0, fail)
    timers.after(0.01, last.set)
    assert last.wait(WAIT_S)
    timers.close()
    timers.after(0, last.clear)
    assert len(timers) == 0
