"""Cron expressions: five fields, in UTC, as Debian's cron reads them.

Minute, hour, day of the month, month, day of the week; `*`, numbers, names, ranges, lists, steps, `L`
for the last day and `MON#2` for the second Monday. If both days are restricted, either may match.
Pure: the time comes in as an argument.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from cronsim import CronSim, CronSimError

from theater.errors import UsageError
from theater.limits import TIMER_CRON_CHARS_MAX

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIELDS: Final = 5
_WRONG: Final = (CronSimError, ValueError, AssertionError, TypeError)


def check(expression: str) -> None:
    """Raise UsageError for what is no expression of five fields."""
    if len(expression) > TIMER_CRON_CHARS_MAX:
        raise UsageError(
            f"a cron expression has at most {TIMER_CRON_CHARS_MAX} characters", code="timer.cron"
        )
    try:
        if not expression.isascii() or len(expression.split()) != _FIELDS:
            raise ValueError
        CronSim(expression, _EPOCH)
    except _WRONG:
        raise UsageError(
            f"{expression!r} is no cron expression: minute, hour, day of the month, month, day of "
            "the week, as in '30 4 * * MON-FRI'",
            code="timer.cron",
        ) from None


def next_after(expression: str, wall_us: int) -> int | None:
    """Return the first time after `wall_us` that a checked expression means, both microseconds since
    the epoch; None if there is none within 50 years, or in the calendar.
    """
    try:
        found = next(CronSim(expression, _EPOCH + timedelta(microseconds=wall_us)))
    except (StopIteration, OverflowError):
        return None
    return (found - _EPOCH) // timedelta(seconds=1) * 1_000_000
