"""A few seconds under fire, and memory that stays; `tests.engine.fire` is the same for longer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.actions import ACTIONS
from tests.engine.fire import Loaded, fire, leak
from tests.engine.guests import SEND, Host
from theater.engine import Returned

pytestmark = pytest.mark.slow

THREADS = 8
SECONDS = 4
CALLS = 5_000


@pytest.fixture(scope="module")
def guests(artifacts: Path) -> Iterator[Loaded]:
    loaded = Loaded(artifacts)
    yield loaded
    loaded.close()


def test_calls_that_end_in_every_way_at_once_have_each_their_own_end(guests: Loaded) -> None:
    report = fire(guests, SECONDS, THREADS, seed=7)
    assert report.failures == []
    assert [name for name in ACTIONS if report.tally[name] < THREADS] == []
    assert report.tally["bystander"] > 0
    assert report.after.files == report.before.files
    outcome = guests["counter"].instance().call(SEND, [b"41", (b"m",)], Host(), 10_000)
    assert outcome == Returned(b"42", (), b"\x80")


def test_calls_of_every_kind_leave_nothing_behind(guests: Loaded) -> None:
    marks, failures = leak(guests, CALLS, seed=7)
    assert failures == [], marks
