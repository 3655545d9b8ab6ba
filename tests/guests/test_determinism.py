"""A guest's outcome is a function of its instance's inputs, whatever it leans on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.guests.components import Guests
from tests.guests.host import Host

pytestmark = pytest.mark.slow


def session(guests: Guests, renewed: tuple[int, ...] = ()) -> tuple[list[Any], Host]:
    host = Host(guests.load("impure"))
    host.init()
    answers: list[Any] = []
    for number in range(6):
        if number in renewed:
            host.renew()
        answers.append(host.request({"number": number}))
    return answers, host


def test_the_same_inputs_give_the_same_answers_states_and_lines(guests: Guests) -> None:
    first, one = session(guests)
    second, two = session(guests)
    assert first == second
    assert (one.state, one.lines) == (two.state, two.lines)


def test_the_same_renewals_give_the_same_answers(guests: Guests) -> None:
    assert session(guests, (2, 3))[0] == session(guests, (2, 3))[0]


def test_globals_live_as_long_as_the_instance(guests: Guests) -> None:
    answers, _ = session(guests, (4,))
    assert [answer["global_calls"] for answer in answers] == [1, 2, 3, 4, 1, 2]
    assert [answer["seen"] for answer in answers] == [1, 2, 3, 4, 5, 6]


def test_other_entropy_and_time_give_other_answers(guests: Guests) -> None:
    answers, _ = session(guests)
    for what in ("uuid", "token", "random", "time"):
        assert len({answer[what] for answer in answers}) == len(answers)
    other = Host(guests.load("impure"), seed=1000)
    other.init()
    assert other.request({"number": 0})["random"] != answers[0]["random"]


def test_the_clock_is_the_calls(guests: Guests) -> None:
    host = Host(guests.load("impure"))
    host.init()
    seen = host.request(None)
    assert host.running is not None
    assert seen["monotonic"] == pytest.approx(host.running.now / 1e9, rel=1e-12)
    assert seen["time"] == pytest.approx(host.running.now / 1e9, rel=1e-12)
