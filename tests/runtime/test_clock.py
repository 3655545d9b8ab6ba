"""A wall clock that is set back or far forward, while a node runs and between two runs of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.actors import WAIT_S, Theater, manifest, theater, until
from tests.runtime.variants import napping
from theater.chain import shapes
from theater.clock import SystemClock
from theater.engine import wat
from theater.errors import IntegrityError
from theater.runtime.settings import NodeSettings

pytestmark = pytest.mark.slow

YEAR_US = 365 * 24 * 3600 * 1_000_000
NOW_US = 50 * YEAR_US
HOUR_MS = 3_600_000
COUNTER = Path(__file__).parents[2] / "guests" / "wat" / "counter.wat"


class SetClock(SystemClock):
    """A wall clock that somebody sets; monotonic time goes on as it does."""

    __slots__ = ("us",)

    def __init__(self, us: int = NOW_US) -> None:
        self.us = us

    def wall_us(self) -> int:
        self.us += 1
        return self.us


def settings(cache_dir: Path, clock: SetClock) -> NodeSettings:
    return NodeSettings(cache_dir=cache_dir, clock=clock)


@pytest.mark.parametrize(
    "moved", [-20 * YEAR_US, -1_000_000, 150 * YEAR_US], ids=["back", "a second back", "forward"]
)
def test_a_chain_goes_on_in_order_when_the_clock_is_set(
    tmp_path: Path, cache_dir: Path, moved: int
) -> None:
    clock = SetClock()
    with theater(tmp_path / "data", settings(cache_dir, clock)) as stage:
        actor = stage.start("counter")
        assert stage.ask(actor, b"a") == b"1"
        clock.us += moved
        assert stage.ask(actor, b"b") == b"2"
        stage.reopen()
        assert stage.ask(actor, b"c") == b"3"
        clock.us -= moved
        stage.reopen()
        assert stage.ask(actor, b"d") == b"4"
        times = [event.at for event in stage.node.events(actor.id)]
        assert times == sorted(times)
        stage.prove(actor)


@pytest.mark.parametrize("us", [0, 230 * YEAR_US], ids=["1970", "2200"])
def test_a_node_works_at_the_ends_of_time(tmp_path: Path, cache_dir: Path, us: int) -> None:
    with theater(tmp_path / "data", settings(cache_dir, SetClock(us))) as stage:
        actor = stage.start("counter")
        assert stage.ask(actor, b"a") == b"1"
        stage.reopen()
        assert stage.ask(actor, b"b") == b"2"
        stage.prove(actor)


def test_the_systems_clock_stays_within_what_a_chain_can_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for told, expected in ((-5, 0), (2**70, (2**63 - 1) // 1000)):
        monkeypatch.setattr("time.time_ns", lambda told=told: told)
        assert SystemClock().wall_us() == expected


@pytest.mark.parametrize("moved", [-20 * YEAR_US, 150 * YEAR_US], ids=["back", "forward"])
def test_a_key_is_known_for_as_long_as_it_was_promised_whatever_the_clock_says(
    tmp_path: Path, cache_dir: Path, moved: int
) -> None:
    clock = SetClock()
    with theater(tmp_path / "data", settings(cache_dir, clock)) as stage:
        actor = stage.start("counter")

        def asked() -> bytes:
            return stage.node.request(actor.id, b"once", key="key").result(WAIT_S)

        assert asked() == b"1"
        clock.us += moved
        stage.node._forget_keys()
        assert asked() == b"1"
        assert stage.node.state(actor.id) == b"1"


@pytest.mark.parametrize("moved", [-20 * YEAR_US, 150 * YEAR_US], ids=["back", "forward"])
def test_a_request_has_its_whole_time_out_and_no_more_when_the_clock_is_set_between_two_runs(
    tmp_path: Path, cache_dir: Path, moved: int
) -> None:
    clock = SetClock()
    with theater(tmp_path / "data", settings(cache_dir, clock)) as stage:
        callee = stage.start("defer")
        asker = stage.start("relay", state=callee.id.encode())
        stage.node.request(asker.id, b"?", timeout_ms=24 * HOUR_MS)
        until(lambda: outstanding(stage, callee.id) == 1, stage.node)
        stage.node.close()
        clock.us += moved
        stage.reopen()
        waits = stage.node._router.waits
        until(lambda: all(wait.due is not None for wait in waits.values()), stage.node)
        (wait,) = waits.values()
        assert wait.due is not None
        left = wait.due - clock.monotonic()
        assert 60 < left <= 120  # the manifest's default
        stage.tell(callee, b"in time")
        until(lambda: b"in time" in answered(stage, asker.id), stage.node)


def outstanding(stage: Theater, actor: str) -> int:
    return sum(m.state == "outstanding" for m in stage.node.journal.messages(actor))


def answered(stage: Theater, actor: str) -> bytes:
    return b"".join(
        event.data or b"" for event in stage.node.events(actor) if event.type.endswith("/request")
    )


def test_a_sleep_lasts_no_longer_when_the_clock_was_set_back(
    tmp_path: Path, cache_dir: Path
) -> None:
    clock = SetClock()
    with theater(tmp_path / "data", settings(cache_dir, clock)) as stage:
        actor = stage.start(napping())
        stage.tell(actor, b"a")
        assert stage.ask(actor, b"b") == b"2"
        clock.us -= 20 * YEAR_US
        stage.tell(actor, b"c")
        assert stage.ask(actor, b"d") == b"4"
        stage.prove(actor)


def test_a_sleep_that_the_node_s_end_interrupted_ends_when_it_would_have(
    tmp_path: Path, cache_dir: Path
) -> None:
    clock = SetClock()
    with theater(tmp_path / "data", settings(cache_dir, clock)) as stage:
        actor = stage.start(napping(HOUR_MS))
        stage.tell(actor, b"a")
        until(lambda: stage.types(actor)[-1] == shapes.WASM_CALL, stage.node)
        clock.us += HOUR_MS * 1000 // 2
        stage.reopen()
        assert stage.types(actor)[-1] == shapes.WASM_CALL
        clock.us += HOUR_MS * 1000 // 2
        stage.reopen()
        # It is not slept a second time, which would take an hour.
        assert stage.ask(actor, b"b") == b"2"
        assert stage.types(actor).count(shapes.WASM_ERROR) == 0
        stage.prove(actor)


def test_a_component_that_is_lost_keeps_its_actor_waiting_and_comes_back_with_a_start(
    tmp_path: Path, cache_dir: Path
) -> None:
    pad = f'(component (@custom "pad" "{"x" * 100_000}")'
    large = wat(COUNTER.read_text().replace("(component", pad, 1))
    first = NodeSettings(cache_dir=tmp_path / "first")
    with theater(tmp_path / "data", first) as stage:
        actor = stage.start(large)
        assert stage.ask(actor, b"a") == b"1"
        (file,) = (
            path
            for path in (tmp_path / "data" / "content").glob("*/*")
            if path.parent.name != "new"
        )
    file.unlink()
    second = NodeSettings(cache_dir=tmp_path / "second")
    with theater(tmp_path / "data", second) as stage:
        waiting = stage.node.request(actor.id, b"b")
        digest = actor.component
        assert not stage.node.has_component(digest)
        with pytest.raises(IntegrityError):
            stage.node.start(manifest(), component=digest).result(WAIT_S)
        assert not waiting.done()
        assert stage.node.add_component(large) == digest
        assert waiting.result(WAIT_S) == b"2"
        stage.prove(actor)
    assert file.exists()
