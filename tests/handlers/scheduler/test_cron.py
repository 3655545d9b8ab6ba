"""Cron expressions: which are taken, and when they mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theater.errors import UsageError
from theater.handlers.scheduler import cron
from theater.limits import TIMER_CRON_CHARS_MAX

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def us(*when: int) -> int:
    return (datetime(*when, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    "expression, after, expected",
    [
        ("* * * * *", us(2026, 1, 1, 0, 0, 59), us(2026, 1, 1, 0, 1)),
        ("* * * * *", us(2026, 1, 1, 0, 1), us(2026, 1, 1, 0, 2)),
        ("* * * * *", us(2026, 1, 1, 0, 1) - 1, us(2026, 1, 1, 0, 1)),
        ("30 4 * * MON-FRI", us(2026, 11, 20, 4, 30), us(2026, 11, 23, 4, 30)),
        ("0 0 29 2 *", us(2026, 1, 1), us(2028, 2, 29)),
        ("0 12 L * *", us(2026, 2, 3), us(2026, 2, 28, 12)),
        ("0 0 13 * FRI", us(2026, 11, 13), us(2026, 11, 20)),
        ("0 0 1 1 *", us(2026, 3, 29, 1), us(2027, 1, 1)),
    ],
)
def test_the_next_time_is_strictly_later_and_in_utc(
    expression: str, after: int, expected: int
) -> None:
    cron.check(expression)
    assert cron.next_after(expression, after) == expected


@pytest.mark.parametrize(
    "expression",
    [
        *("", "* * * *", "* * * * * *", "@daily", "60 * * * *", "* 24 * * *", "* * 0 * *"),
        *("* * * 13 *", "* * * * 8", "*/0 * * * *", "5-1 * * * *", "a * * * *", "١ * * * *"),
        *("* * 31 2 *", "* * * * MON#6", "L/2 * * * *", "1" * 300 + " * * * *", "\0 * * * *"),
    ],
)
def test_what_is_no_expression_of_five_fields_is_refused(expression: str) -> None:
    with pytest.raises(UsageError) as refused:
        cron.check(expression)
    assert refused.value.code == "timer.cron"


fields = st.text(alphabet="*/-,#L0123456789MONFWJA", min_size=1, max_size=8)


@given(st.lists(fields, min_size=5, max_size=5), st.integers(0, us(2262, 1, 1)))
def test_whatever_is_taken_comes_later_or_never(parts: list[str], after: int) -> None:
    expression = " ".join(parts)
    assert len(expression) <= TIMER_CRON_CHARS_MAX
    try:
        cron.check(expression)
    except UsageError:
        return
    due = cron.next_after(expression, after)
    assert due is None or due > after
