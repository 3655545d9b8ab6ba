"""Timers that survive a crash of the node: `theater:agent/scheduler`.

What a timer carries comes back to the actor's `on_timer`, as a message would. One that was missed,
because the node was down or the mailbox full, comes once. Every function that asks the host raises
HostError, and NotGranted in an actor whose manifest has no `scheduler`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from theater_guest import interfaces
from theater_guest.messages import encode, host


def _ms(time: float | timedelta) -> int:
    seconds = time.total_seconds() if isinstance(time, timedelta) else time
    if not 0 <= seconds < 1e15:
        raise ValueError(f"a timer can't wait {seconds} seconds")
    return round(seconds * 1000)


def after(delay: float | timedelta, message: Any = None) -> str:
    """Once, after a delay (seconds). Returns the timer's id."""
    return host(interfaces.scheduler.after, _ms(delay), encode(message))


def every(period: float | timedelta, message: Any = None) -> str:
    """Again and again, the first time after one period (seconds). Returns the timer's id."""
    return host(interfaces.scheduler.every, _ms(period), encode(message))


def cron(expression: str, message: Any = None) -> str:
    """By a cron expression of five fields, in UTC: `30 4 * * MON-FRI`. Returns the timer's id."""
    return host(interfaces.scheduler.cron, expression, encode(message))


def cancel(timer: str) -> None:
    """Cancel a timer; what it sent before still comes. `timer.not_found` if it is over."""
    host(interfaces.scheduler.cancel, timer)


def pending() -> list[str]:
    """The ids of the actor's timers, in the order in which they were set."""
    return interfaces.scheduler.pending()
