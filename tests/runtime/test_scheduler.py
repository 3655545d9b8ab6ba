"""Timers: when they come, how often, and what becomes of them when anything else happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.guests.components import built
from tests.runtime.actors import GUESTS, WAIT_S, Theater, manifest, theater, until
from tests.runtime.languages import HANDLERS
from tests.runtime.test_clock import HOUR_MS, NOW_US, YEAR_US, SetClock
from theater.chain import rules, shapes
from theater.chain.shapes import CallMessage
from theater.engine import wat
from theater.errors import ActorFailed
from theater.ids import message_id
from theater.limits import (
    MIB,
    TIMER_CRON_CHARS_MAX,
    TIMER_DELAY_MS_MAX,
    TIMER_PAYLOAD_BYTES_MAX,
    TIMER_PERIOD_MS_MIN,
)
from theater.manifest.model import Manifest
from theater.runtime.info import ActorInfo
from theater.runtime.settings import NodeSettings

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
TIMERS = '[[handler]]\ntype = "scheduler"\n'
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def set_stage(tmp_path: Path, cache_dir: Path, clock: SetClock) -> Iterator[Theater]:
    """A node whose wall clock stands still until it is set."""
    with theater(tmp_path / "data", NodeSettings(cache_dir=cache_dir, clock=clock)) as opened:
        yield opened


def granted(settings: str = "", **limits: int) -> Manifest:
    return manifest("alarm", handlers=TIMERS + settings, **limits)


def alarm(stage: Theater) -> ActorInfo:
    return stage.start("alarm", granted())


def tell(stage: Theater, actor: ActorInfo, text: str) -> str:
    """What the alarm answers: the id of a timer."""
    return stage.ask(actor, text.encode()).decode()


def rung(stage: Theater, actor: ActorInfo) -> list[str]:
    """What its timers carried, in the order in which they came."""
    return (stage.node.state(actor.id) or b"").decode().splitlines()


def rings(stage: Theater, actor: ActorInfo, *expected: str) -> None:
    """Wait until its timers have carried this, and no more."""
    until(lambda: len(rung(stage, actor)) >= len(expected), stage.node)
    assert rung(stage, actor) == list(expected)


def calls(stage: Theater, actor: ActorInfo) -> list[CallMessage]:
    """The timers' messages, as the chain has them."""
    found = [
        shapes.parse(event.type, event.data)
        for event in stage.node.events(actor.id)
        if event.type == shapes.WASM_CALL and event.data is not None
    ]
    messages = [call.message for call in found if isinstance(call, shapes.Call)]
    return [each for each in messages if each is not None and each.kind == "timer"]


def quiet(stage: Theater, actor: ActorInfo) -> None:
    """Wait until the scheduler has looked at its clock, and the actor has done what came of it."""
    scheduler = stage.node._services.scheduler
    with scheduler._lock:
        scheduler._look()
    until(lambda: stage.node.info(actor.id).mailbox == 0, stage.node)
    with pytest.raises(ActorFailed):
        tell(stage, actor, "xnothing")


def test_a_timer_comes_once_as_a_message_of_the_host(stage: Theater) -> None:
    actor = alarm(stage)
    timer = tell(stage, actor, "a0 now")
    rings(stage, actor, "now")
    (message,) = calls(stage, actor)
    assert (message.origin, message.attempt, message.deadline) == ("host", 0, None)
    assert message.id == message_id(rules.derive(timer, 0, 0))
    assert stage.node.journal.timers() == []
    stage.reopen()
    assert rung(stage, actor) == ["now"]
    stage.prove(actor)


def test_an_answer_to_a_timer_that_is_set_is_its_id_and_its_due_time_is_a_fact(
    set_stage: Theater, clock: SetClock
) -> None:
    actor = alarm(set_stage)
    timer = tell(set_stage, actor, "a5000 later")
    (kept,) = set_stage.node.journal.timers(actor.id)
    assert (kept.id, kept.payload, kept.fired) == (timer, b"later", 0)
    (event,) = (e for e in set_stage.node.events(actor.id) if e.type.endswith("/after"))
    assert event.type == "theater:agent/scheduler@0.1/after"
    assert event.data is not None
    host = shapes.parse(event.type, event.data)
    assert isinstance(host, shapes.Host)
    assert host.facts == {"due": kept.due_us}
    assert 0 <= kept.due_us - 5_000_000 - NOW_US < 1000
    set_stage.prove(actor)
    assert set_stage.node.journal.timers(actor.id) == [kept]


def test_a_period_keeps_its_beat_and_skips_what_was_missed(
    set_stage: Theater, clock: SetClock
) -> None:
    actor = alarm(set_stage)
    timer = tell(set_stage, actor, "e3600000 tick")
    (first,) = set_stage.node.journal.timers()
    clock.us += HOUR_US
    rings(set_stage, actor, "tick")
    clock.us += 5 * HOUR_US + HOUR_US // 2
    rings(set_stage, actor, "tick", "tick")
    quiet(set_stage, actor)
    kept = next(t for t in set_stage.node.journal.timers() if t.id == timer)
    assert (kept.due_us, kept.fired) == (first.due_us + 6 * HOUR_US, 2)
    ids = [message_id(rules.derive(timer, fired, 0)) for fired in range(2)]
    assert [message.id for message in calls(set_stage, actor)] == ids
    set_stage.prove(actor)


def test_a_cron_expression_comes_at_its_times(set_stage: Theater, clock: SetClock) -> None:
    clock.us = (datetime(2026, 11, 20, 4, 29, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    actor = alarm(set_stage)
    tell(set_stage, actor, "c30 4 * * MON-FRI")
    clock.us += 60_000_000
    rings(set_stage, actor, "30 4 * * MON-FRI")
    (kept,) = set_stage.node.journal.timers()
    assert EPOCH + timedelta(microseconds=kept.due_us) == datetime(2026, 11, 23, 4, 30, tzinfo=UTC)
    set_stage.prove(actor)


def test_what_was_missed_while_the_node_was_down_comes_once(
    set_stage: Theater, clock: SetClock
) -> None:
    actor = alarm(set_stage)
    for what in ("a3600000 once", "e3600000 tick", "c0 * * * *"):
        tell(set_stage, actor, what)
    set_stage.node.close()
    clock.us += DAY_US
    set_stage.reopen()
    until(lambda: len(rung(set_stage, actor)) >= 3, set_stage.node)
    quiet(set_stage, actor)
    assert sorted(rung(set_stage, actor)) == ["0 * * * *", "once", "tick"]
    due = [timer.due_us - clock.us for timer in set_stage.node.journal.timers(actor.id)]
    assert all(0 < left <= HOUR_US for left in due)
    set_stage.prove(actor)


@pytest.mark.parametrize("moved", [-20 * YEAR_US, 150 * YEAR_US], ids=["back", "forward"])
def test_a_clock_that_is_set_makes_no_delay_longer_and_no_period_come_twice(
    set_stage: Theater, clock: SetClock, moved: int
) -> None:
    actor = alarm(set_stage)
    ticking = tell(set_stage, actor, "e300 tick")
    tell(set_stage, actor, "a300 once")

    def ticks(more: int) -> None:
        before = rung(set_stage, actor).count("tick")
        until(lambda: rung(set_stage, actor).count("tick") >= before + more, set_stage.node)

    clock.us += moved
    until(lambda: "once" in rung(set_stage, actor), set_stage.node)
    ticks(2)
    set_stage.node.close()
    clock.us -= moved
    set_stage.reopen()
    ticks(2)
    set_stage.node.close()
    clock.us += moved
    set_stage.reopen()
    ticks(2)
    tell(set_stage, actor, f"x{ticking}")
    assert rung(set_stage, actor).count("once") == 1
    ids = [message.id for message in calls(set_stage, actor)]
    assert len(set(ids)) == len(ids)
    set_stage.prove(actor)


@pytest.mark.parametrize("reopened", [False, True])
@pytest.mark.parametrize("again", [False, True])
def test_a_cron_time_comes_again_only_if_the_clock_was_wrong_by_hours(
    set_stage: Theater, clock: SetClock, again: bool, reopened: bool
) -> None:
    clock.us = (datetime(2026, 11, 20, 11, 59, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    actor = alarm(set_stage)
    tell(set_stage, actor, "c0 */2 * * *")
    clock.us += 2 * 60_000_000
    rings(set_stage, actor, "0 */2 * * *")
    if reopened:
        set_stage.node.close()
    clock.us -= (5 if again else 2) * HOUR_US
    if reopened:
        set_stage.reopen()
    quiet(set_stage, actor)
    for _ in range(2):
        clock.us += HOUR_US
        quiet(set_stage, actor)
    assert len(rung(set_stage, actor)) == (2 if again else 1)
    set_stage.prove(actor)


def test_a_cancelled_timer_never_comes_and_only_its_own_actor_can_cancel_it(
    set_stage: Theater, clock: SetClock
) -> None:
    actor, other = alarm(set_stage), alarm(set_stage)
    timer = tell(set_stage, actor, "a60000 no")
    kept = tell(set_stage, actor, "a60000 yes")
    with pytest.raises(ActorFailed) as refused:
        tell(set_stage, other, f"x{timer}")
    assert refused.value.message.startswith("timer.not_found: ")
    assert tell(set_stage, actor, f"x{timer}") == ""
    assert [each.id for each in set_stage.node.journal.timers()] == [kept]
    clock.us += HOUR_US
    rings(set_stage, actor, "yes")
    with pytest.raises(ActorFailed, match=r"timer\.not_found"):
        tell(set_stage, actor, f"x{kept}")
    set_stage.prove(actor)


def test_timers_end_with_their_actor(set_stage: Theater, clock: SetClock) -> None:
    actor, other = alarm(set_stage), alarm(set_stage)
    for each in (actor, other):
        tell(set_stage, each, "e60000 tick")
    set_stage.node.stop(actor.id).result(WAIT_S)
    assert [timer.actor for timer in set_stage.node.journal.timers()] == [other.id]
    clock.us += HOUR_US
    rings(set_stage, other, "tick")
    assert not set_stage.node.journal.messages(actor.id)
    set_stage.prove(actor)


@pytest.mark.parametrize("keep_state", [False, True])
def test_a_restart_cancels_timers_unless_it_keeps_the_state(
    set_stage: Theater, clock: SetClock, keep_state: bool
) -> None:
    actor = alarm(set_stage)
    tell(set_stage, actor, "a60000 once")
    set_stage.node.restart(actor.id, keep_state=keep_state).result(WAIT_S)
    assert len(set_stage.node.journal.timers()) == int(keep_state)
    clock.us += HOUR_US
    quiet(set_stage, actor)
    assert rung(set_stage, actor) == ["once"] * keep_state
    set_stage.reopen()
    quiet(set_stage, actor)
    assert rung(set_stage, actor) == ["once"] * keep_state
    set_stage.prove(actor)


def test_a_timer_of_a_paused_actor_is_handled_once_it_goes_on(
    set_stage: Theater, clock: SetClock
) -> None:
    actor = alarm(set_stage)
    tell(set_stage, actor, "a60000 once")
    set_stage.node.pause(actor.id).result(WAIT_S)
    clock.us += HOUR_US
    until(lambda: set_stage.node.info(actor.id).mailbox == 1, set_stage.node)
    assert rung(set_stage, actor) == []
    set_stage.node.resume(actor.id).result(WAIT_S)
    rings(set_stage, actor, "once")
    set_stage.prove(actor)


@pytest.mark.slow
def test_timers_end_with_an_actor_that_did_not_start(
    request: pytest.FixtureRequest, stage: Theater
) -> None:
    python = built("conformance", Path(request.config.cache.mkdir("guests"))).read_bytes()
    state = json.dumps({"notes": ["set a timer", "refuse to start"]}).encode()
    with pytest.raises(ActorFailed):
        stage.start(python, manifest(handlers=HANDLERS), state)
    (info,) = stage.node.list(ended=True)
    assert "theater:agent/scheduler@0.1/every" in stage.types(info)
    assert stage.node.journal.timers() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, delay, period",
    [("conformance", 1.5, 3600), ("conformance-js", 1500, HOUR_MS)],
)
def test_an_actor_of_an_sdk_sets_lists_and_cancels_timers(
    request: pytest.FixtureRequest,
    set_stage: Theater,
    clock: SetClock,
    name: str,
    delay: float,
    period: int,
) -> None:
    guest = built(name, Path(request.config.cache.mkdir("guests"))).read_bytes()
    actor = set_stage.start(guest, manifest(handlers=HANDLERS, memory=256 * MIB))

    def timer(how: str, *given: object) -> object:
        body = json.dumps({"do": "timer", "how": how, "with": given}).encode()
        return json.loads(set_stage.ask(actor, body))

    once = timer("after", delay, "hello")
    rest = [timer("every", period, [1, 2]), timer("cron", "0 0 1 1 *")]
    assert timer("pending") == [once, *rest]
    assert timer("cron", "whenever") == {"code": "timer.cron"}
    clock.us += 2_000_000
    until(lambda: b"hello" in (set_stage.node.state(actor.id) or b""), set_stage.node)
    set_stage.reopen()
    assert timer("cancel", rest[0]) is None
    assert timer("cancel", rest[0]) == {"code": "timer.not_found"}
    assert timer("pending") == rest[1:]
    set_stage.prove(actor)


def test_a_timer_whose_actor_has_no_room_waits_its_turn_and_comes_once(
    set_stage: Theater, clock: SetClock
) -> None:
    actor = set_stage.start("alarm", granted(mailbox=2))
    tell(set_stage, actor, "e60000 tick")
    tell(set_stage, actor, "a60000 once")
    node = set_stage.node
    router, scheduler = node._router, node._services.scheduler
    held = router.actors[actor.id]
    with held.mailbox.lock:
        assert not held.scheduled
        held.scheduled = True  # as if a worker had it, that is busy elsewhere
    for _ in range(2):
        node.send(actor.id, b"a9000000 far").result(WAIT_S)
    clock.us += 10 * 60_000_000
    until(lambda: len(scheduler._late.get(actor.id, ())) == 2, node)
    assert {message.kind for message in node.journal.messages(actor.id)} == {"send"}
    assert {timer.fired for timer in node.journal.timers(actor.id)} == {0}
    with held.mailbox.lock:
        held.scheduled = False
    router.wake(held)
    rings(set_stage, actor, "tick", "once")
    until(lambda: not scheduler._late, node)
    assert not held.mailbox._waiting
    quiet(set_stage, actor)
    assert rung(set_stage, actor) == ["tick", "once"]
    set_stage.prove(actor)


def test_a_restart_while_a_timer_waits_for_room_leaves_the_room_to_others(
    set_stage: Theater, clock: SetClock
) -> None:
    actor = set_stage.start("alarm", granted(mailbox=1))
    tell(set_stage, actor, "a60000 once")
    node = set_stage.node
    held = node._router.actors[actor.id]
    node.pause(actor.id).result(WAIT_S)
    node.send(actor.id, b"a9000000 far").result(WAIT_S)
    clock.us += HOUR_US
    until(lambda: actor.id in node._services.scheduler._late, node)
    node.restart(actor.id, keep_state=False).result(WAIT_S)
    until(lambda: len(held.mailbox) == 0, node)
    assert (held.mailbox._waiting, node._services.scheduler._late) == ([], {})
    quiet(set_stage, actor)
    assert rung(set_stage, actor) == []
    set_stage.prove(actor)


@pytest.mark.parametrize(
    "asked, code",
    [
        (f"a{TIMER_DELAY_MS_MAX + 1} x", "timer.delay"),
        (f"a{2**64 - 1} x", "timer.delay"),
        (f"e{TIMER_PERIOD_MS_MIN - 1} x", "timer.period"),
        (f"e{TIMER_DELAY_MS_MAX + 1} x", "timer.period"),
        ("a1 " + "x" * (TIMER_PAYLOAD_BYTES_MAX + 1), "timer.too_large"),
        ("c61 * * * *", "timer.cron"),
        ("c* * * * " + "*," * TIMER_CRON_CHARS_MAX, "timer.cron"),
        ("c0 0 30 2 *", "timer.cron"),
        ("xnothing", "timer.not_found"),
    ],
)
def test_what_can_not_be_is_an_error_with_a_code_and_leaves_nothing(
    stage: Theater, asked: str, code: str
) -> None:
    actor = alarm(stage)
    with pytest.raises(ActorFailed) as refused:
        tell(stage, actor, asked)
    assert refused.value.message.startswith(f"{code}: ")
    assert stage.node.journal.timers() == []
    stage.prove(actor)


def test_the_longest_and_largest_are_taken_and_no_more_than_are_granted(stage: Theater) -> None:
    actor = stage.start("alarm", granted("max_timers = 2\n"))
    timer = tell(stage, actor, f"a{TIMER_DELAY_MS_MAX} {'x' * TIMER_PAYLOAD_BYTES_MAX}")
    tell(stage, actor, f"e{TIMER_DELAY_MS_MAX} x")
    with pytest.raises(ActorFailed, match=r"timers\.full"):
        tell(stage, actor, "a0 x")
    tell(stage, actor, f"x{timer}")
    tell(stage, actor, "a0 x")
    rings(stage, actor, "x")
    stage.prove(actor)


def test_an_actor_that_can_not_be_called_by_timers_can_not_set_any(stage: Theater) -> None:
    text = (GUESTS / "alarm.wat").read_text()
    deaf, _, rest = text.partition('  (instance (export "theater:agent/scheduler-client')
    assert rest
    actor = stage.start(wat(deaf + ")"), granted())
    with pytest.raises(ActorFailed, match=r"actor\.no_handler"):
        tell(stage, actor, "a0 x")
    assert stage.node.journal.timers() == []


def test_removed_timers_leave_nothing_behind(stage: Theater) -> None:
    actor = alarm(stage)
    scheduler = stage.node._services.scheduler
    for _ in range(30):
        tell(stage, actor, "x" + tell(stage, actor, "a9000000 x"))
    assert (scheduler._bytes, scheduler._actors) == (0, {})
