"""The virtual clock, and waiting on it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.handlers.wasi.calls import HANDLER, NOW, Call
from theater.handlers.port import Trap
from theater.limits import WAIT_MS_MAX, WASI_POLL_LIST_MAX, WASI_RESOURCES_MAX

WALL = "wasi:clocks/wall-clock@0.2"
MONOTONIC = "wasi:clocks/monotonic-clock@0.2"
POLL = "wasi:io/poll@0.2"
READY = POLL + "/[method]pollable.ready"
BLOCK = POLL + "/[method]pollable.block"
HOUR_NS = 3600 * 10**9


def test_both_clocks_tell_the_time_of_the_call() -> None:
    call = Call()
    assert call.run(f"{WALL}/now") == {"seconds": NOW // 10**9, "nanoseconds": NOW % 10**9}
    assert call.run(f"{MONOTONIC}/now") == NOW
    assert call.run(f"{WALL}/resolution") == {"seconds": 0, "nanoseconds": 1}
    assert call.run(f"{MONOTONIC}/resolution") == 1


def test_a_clock_stands_still_until_the_guest_sleeps() -> None:
    call = Call()
    timer = call.run(f"{MONOTONIC}/subscribe-duration", 250)
    assert call.run(f"{MONOTONIC}/now") == NOW
    assert call.run(READY, timer) is False
    assert call.run(BLOCK, timer) is None
    assert call.slept == [250]
    assert call.run(f"{MONOTONIC}/now") == NOW + 250
    assert call.run(READY, timer) is True


def test_waiting_for_what_has_passed_does_not_sleep() -> None:
    call = Call()
    for timer in (
        call.run(f"{MONOTONIC}/subscribe-duration", 0),
        call.run(f"{MONOTONIC}/subscribe-instant", NOW),
        call.run(f"{MONOTONIC}/subscribe-instant", 0),
    ):
        assert call.run(READY, timer) is True
        call.run(BLOCK, timer)
        assert call.run(f"{POLL}/poll", [timer]) == [0]
    assert call.slept == []


@given(st.lists(st.integers(-HOUR_NS, HOUR_NS), min_size=1, max_size=20))
def test_poll_sleeps_until_the_earliest_and_tells_all_that_are_due(offsets: list[int]) -> None:
    call = Call()
    timers = [call.run(f"{MONOTONIC}/subscribe-instant", NOW + offset) for offset in offsets]
    wake = max(0, min(offsets))
    assert call.run(f"{POLL}/poll", timers) == [i for i, at in enumerate(offsets) if at <= wake]
    assert call.now_ns() == NOW + wake


def test_a_stream_is_ready_while_a_timer_is_not() -> None:
    call = Call()
    stream = call.run("wasi:cli/stdin@0.2/get-stdin")
    readable = call.run("wasi:io/streams@0.2/[method]input-stream.subscribe", stream)
    timer = call.run(f"{MONOTONIC}/subscribe-duration", 2**64 - 1)
    assert call.run(f"{POLL}/poll", [timer, readable]) == [1]
    assert call.slept == []


def test_a_pollable_named_twice_is_told_twice() -> None:
    call = Call()
    timer = call.run(f"{MONOTONIC}/subscribe-duration", 5)
    assert call.run(f"{POLL}/poll", [timer, timer]) == [0, 1]


@pytest.mark.parametrize(
    "length, code", [(0, "abi"), (WASI_POLL_LIST_MAX, None), (WASI_POLL_LIST_MAX + 1, "denied")]
)
def test_the_list_that_is_polled_has_its_bounds(length: int, code: str | None) -> None:
    call = Call()
    timer = call.run(f"{MONOTONIC}/subscribe-duration", 0)
    if code is None:
        assert call.run(f"{POLL}/poll", [timer] * length) == list(range(length))
    else:
        with pytest.raises(Trap) as trap:
            call.run(f"{POLL}/poll", [timer] * length)
        assert trap.value.code == code


@pytest.mark.parametrize("wait", ["block", "poll"])
def test_a_sleep_has_its_bound(wait: str) -> None:
    longest = WAIT_MS_MAX * 10**6
    call = Call()
    timers = [call.run(f"{MONOTONIC}/subscribe-duration", longest + over) for over in (0, 1)]

    def sleep(timer: object) -> object:
        return call.run(BLOCK, timer) if wait == "block" else call.run(f"{POLL}/poll", [timer])

    with pytest.raises(Trap) as trap:
        sleep(timers[1])
    assert trap.value.code == "denied"
    assert call.slept == []
    sleep(timers[0])
    assert call.slept == [longest]


def test_numbers_are_counted_from_one_in_each_instance_and_never_given_twice() -> None:
    call = Call()
    first = call.run(f"{MONOTONIC}/subscribe-duration", 1)
    HANDLER.drop(call.memory, "wasi:io/poll@0.2/pollable", 1)
    second = call.run(f"{MONOTONIC}/subscribe-duration", 1)
    later = Call(memory=call.memory).run(f"{MONOTONIC}/subscribe-duration", 1)
    fresh = Call().run(f"{MONOTONIC}/subscribe-duration", 1)
    assert (first, second, later, fresh) == (1, 2, 3, 1)


def test_an_instance_holds_so_many_resources_and_dropping_makes_room() -> None:
    call = Call()
    for _ in range(WASI_RESOURCES_MAX):
        call.run(f"{MONOTONIC}/subscribe-duration", 1)
    with pytest.raises(Trap) as trap:
        call.run("wasi:cli/stdout@0.2/get-stdout")
    assert trap.value.code == "denied"
    HANDLER.drop(call.memory, "wasi:io/poll@0.2/pollable", 7)
    assert call.run("wasi:cli/stdout@0.2/get-stdout") == WASI_RESOURCES_MAX + 1
