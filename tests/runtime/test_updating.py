"""Updating: the same actor, state and mailbox, and another component that was tried before."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.docs.test_second_verifier import second_problem
from tests.runtime.actors import WAIT_S, Theater, guest, manifest, theater, until
from tests.runtime.households import household
from tests.runtime.variants import (
    ASKS_IN_INIT,
    COUNTS_ALIKE,
    COUNTS_BY_TWO,
    LOGS_LESS,
    LOGS_NOTHING,
    LOGS_TWICE,
    LOOPS,
    TAKES_NO_SENDS,
    TRAPS_IN_INIT,
    alike,
)
from theater.chain import shapes
from theater.errors import (
    ActorFailed,
    ComponentError,
    Conflict,
    Denied,
    Diverged,
    NotFound,
    TheaterError,
    Unavailable,
    UsageError,
)
from theater.runtime import trial, updates, updating
from theater.runtime.info import ActorInfo
from theater.runtime.settings import NodeSettings

SEND = "theater:simple/message-server-client/handle-send"
LOG = "theater:simple/runtime/log"


def proven(stage: Theater, actor: ActorInfo) -> None:
    """Assert that the chain verifies, here and by the second verifier, and replays to its head."""
    stage.prove(actor)
    assert second_problem(list(stage.node.events(actor.id))) is None


def update(
    stage: Theater, actor: ActorInfo, wasm: bytes, *, force: bool = False, key: str | None = None
) -> ActorInfo:
    component = stage.node.add_component(wasm)
    return stage.node.update(actor.id, component, force=force, key=key).result(WAIT_S)


def refusal(
    stage: Theater, actor: ActorInfo, wasm: bytes, *, force: bool = False
) -> BaseException | None:
    component = stage.node.add_component(wasm)
    return stage.node.update(actor.id, component, force=force).exception(WAIT_S)


def notes(stage: Theater, actor: ActorInfo) -> list[shapes.Note]:
    """Those of updates."""
    return [
        form
        for event in stage.node.events(actor.id)
        if event.type == shapes.ACTOR_UPDATE
        and isinstance(form := shapes.parse(event.type, event.data or b""), shapes.Note)
    ]


def calls(stage: Theater, actor: ActorInfo) -> list[shapes.Call]:
    return [
        form
        for event in stage.node.events(actor.id)
        if event.type == shapes.WASM_CALL
        and isinstance(form := shapes.parse(event.type, event.data or b""), shapes.Call)
    ]


def test_an_actor_goes_on_with_another_component_and_everything_else_as_it_was(
    stage: Theater,
) -> None:
    actor = stage.start("counter", state=b"40")
    assert stage.ask(actor, b"?") == b"41"
    component = stage.node.add_component(COUNTS_ALIKE)
    updated = update(stage, actor, COUNTS_ALIKE)
    assert (updated.id, updated.status, updated.component) == (actor.id, "running", component)
    assert stage.ask(actor, b"?") == b"42"
    (note,) = notes(stage, actor)
    assert (note.by, note.why) == ("operator", "update")
    assert note.fields == {"component": bytes.fromhex(component), "calls": 2}
    assert [call.instance for call in calls(stage, actor)] == [0, 1, 0]
    with pytest.raises(ActorFailed, match="asked tO"):
        stage.ask(actor, b"fail")
    proven(stage, actor)
    stage.reopen()
    assert stage.node.info(actor.id).component == component
    assert stage.ask(actor, b"?") == b"43"
    proven(stage, actor)
    stage.node.stop(actor.id).result(WAIT_S)
    assert stage.node.info(actor.id).component == component
    proven(stage, actor)


def test_a_component_that_behaves_otherwise_is_refused_with_the_difference(stage: Theater) -> None:
    actor = stage.start("counter")
    stage.tell(actor, b"one")
    assert stage.ask(actor, b"?") == b"2"
    before = stage.types(actor)
    refused = refusal(stage, actor, COUNTS_BY_TWO)
    assert isinstance(refused, Diverged)
    assert refused.code == "update.diverged"
    call = before.index(shapes.WASM_CALL, 2)
    assert refused.facts == {
        "actor": actor.id,
        "call": call,
        "function": SEND,
        "seq": call + 2,
        "expected": "the state 1",
        "actual": "the state 2",
    }
    assert stage.types(actor) == before
    assert stage.node.info(actor.id).component == actor.component
    assert stage.ask(actor, b"?") == b"3"
    proven(stage, actor)


@pytest.mark.parametrize(
    ("wasm", "expected", "actual"),
    [
        (LOGS_NOTHING, f"a call of {LOG}", "a result"),
        (LOGS_TWICE, "the end of the call", f'a call of {LOG} with ["one"]'),
        (TRAPS_IN_INIT, f"a call of {LOG}", "an end of kind trap"),
        (LOOPS, "a result", "an end of kind deadline"),
    ],
    ids=["a host call less", "a host call more", "a trap", "no end"],
)
def test_whatever_comes_out_otherwise_is_a_difference(
    stage: Theater, wasm: bytes, expected: str, actual: str
) -> None:
    actor = stage.start("counter", manifest("counter", deadline_ms=1_000))
    stage.tell(actor, b"one")
    refused = refusal(stage, actor, wasm)
    assert isinstance(refused, Diverged)
    assert refused.facts["expected"] == expected
    assert str(refused.facts["actual"]).startswith(actual)
    assert stage.ask(actor, b"?") == b"2"
    proven(stage, actor)


def test_values_are_shown_as_they_are_recorded_and_as_they_came(stage: Theater) -> None:
    actor = stage.start("counter")
    stage.tell(actor, b"one")
    refused = refusal(stage, actor, LOGS_LESS)
    assert isinstance(refused, Diverged)
    assert refused.facts["expected"] == f'{LOG} with ["one"]'
    assert refused.facts["actual"] == f'{LOG} with ["o"]'
    actor = stage.start("counter")
    with pytest.raises(ActorFailed):
        stage.ask(actor, b"fail")
    refused = refusal(stage, actor, COUNTS_ALIKE)
    assert isinstance(refused, Diverged)
    assert refused.facts["expected"] == "the error 'failed as it was asked to'"
    assert refused.facts["actual"] == "the error 'failed as it was asked tO'"


def test_a_forced_update_is_not_tried_and_says_so(stage: Theater) -> None:
    actor = stage.start("counter")
    stage.tell(actor, b"one")
    update(stage, actor, COUNTS_BY_TWO, force=True)
    stage.tell(actor, b"two")
    assert stage.ask(actor, b"?") == b"4"
    (note,) = notes(stage, actor)
    assert note.fields.keys() == {"component", "forced"}
    assert note.fields["forced"] is True
    proven(stage, actor)


def test_calls_in_front_of_an_update_say_nothing_about_the_next_one(stage: Theater) -> None:
    actor = stage.start("counter")
    stage.tell(actor, b"one")
    update(stage, actor, COUNTS_BY_TWO, force=True)
    stage.tell(actor, b"two")
    assert isinstance(refusal(stage, actor, COUNTS_ALIKE), Diverged)
    update(stage, actor, alike(COUNTS_BY_TWO))
    assert notes(stage, actor)[-1].fields["calls"] == 1
    update(stage, actor, COUNTS_ALIKE)
    assert notes(stage, actor)[-1].fields["calls"] == 0
    assert stage.ask(actor, b"?") == b"4"
    proven(stage, actor)


def test_a_component_is_tried_from_where_an_instance_began(
    stage: Theater, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "UPDATE_CALLS", 5)
    monkeypatch.setattr(trial, "STEP_BACK", 3)
    actor = stage.start("impure", manifest("impure", instance_calls=3))
    drawn = [stage.ask(actor, b"?") for _ in range(9)]
    assert [call.instance for call in calls(stage, actor)] == [0, 1, 2] * 3 + [0]
    update(stage, actor, alike(guest("impure")))
    # One of the last instance, three of the one before, three more to have five in all.
    assert notes(stage, actor)[0].fields["calls"] == 7
    assert stage.ask(actor, b"?") not in drawn
    proven(stage, actor)


def test_calls_that_ended_by_a_fact_from_outside_are_left_out(stage: Theater) -> None:
    actor = stage.start(LOOPS, manifest("loops", deadline_ms=300))
    stage.tell(actor, b"set aside in the end")
    until(lambda: shapes.MESSAGE_ASIDE in stage.types(actor), stage.node)
    update(stage, actor, COUNTS_ALIKE)
    assert notes(stage, actor)[0].fields["calls"] == 1
    stage.tell(actor, b"counts now")
    assert stage.ask(actor, b"?") == b"2"
    assert stage.node.verify(actor.id).problem is None


def test_a_trap_that_a_new_component_does_not_have_is_a_difference(stage: Theater) -> None:
    actor = stage.start("counter")
    stage.tell(actor, b"trap")
    until(lambda: shapes.MESSAGE_ASIDE in stage.types(actor), stage.node)
    mended = guest("counter").replace(b"failtrap", b"failTRAP")
    refused = refusal(stage, actor, mended)
    assert isinstance(refused, Diverged)
    assert refused.facts["expected"] == "an end of kind trap (unreachable)"
    update(stage, actor, mended, force=True)
    stage.tell(actor, b"trap")
    assert stage.ask(actor, b"?") == b"2"
    proven(stage, actor)


def test_a_component_that_is_not_granted_what_it_imports_is_refused_forced_or_not(
    stage: Theater,
) -> None:
    actor = stage.start("counter", manifest("counter", handlers=""))
    for force in (False, True):
        refused = refusal(stage, actor, guest("relay"), force=force)
        assert isinstance(refused, Denied)
        assert refused.code == "permission.missing_handlers"
        assert 'type = "message-server"' in refused.message
        assert "start a new actor" in refused.message
    assert shapes.ACTOR_UPDATE not in stage.types(actor)
    assert stage.ask(actor, b"?") == b"1"


def test_a_component_without_an_export_that_is_needed_is_refused_unless_forced(
    stage: Theater,
) -> None:
    actor = stage.start("counter")
    refused = refusal(stage, actor, TAKES_NO_SENDS)
    assert isinstance(refused, Conflict)
    assert (refused.code, refused.facts) == ("update.exports", {"functions": [SEND]})
    stage.node.restart(actor.id).result(WAIT_S)
    update(stage, actor, TAKES_NO_SENDS, force=True)
    assert stage.ask(actor, b"?") == b"1"
    with pytest.raises(NotFound) as gone:
        stage.tell(actor, b"nobody takes it")
    assert gone.value.code == "actor.no_handler"


def test_what_is_no_component_or_not_here_is_refused(stage: Theater) -> None:
    actor = stage.start("counter")
    assert isinstance(refusal(stage, actor, b"\0asm, but no more"), ComponentError)
    unknown = stage.node.update(actor.id, "0" * 64).exception(WAIT_S)
    assert isinstance(unknown, NotFound)
    assert unknown.code == "component.not_found"
    with pytest.raises(UsageError):
        stage.node.update(actor.id, "counter.wasm")
    nobody = stage.node.update("nobody", actor.component).exception(WAIT_S)
    assert isinstance(nobody, NotFound)
    assert nobody.code == "actor.not_found"


def test_an_update_to_what_it_is_already_is_no_error_and_no_event(stage: Theater) -> None:
    actor = stage.start("counter")
    before = stage.types(actor)
    assert update(stage, actor, guest("counter")).component == actor.component
    assert stage.types(actor) == before


def test_an_update_with_a_known_key_is_done_once(stage: Theater) -> None:
    actor = stage.start("counter")
    update(stage, actor, COUNTS_ALIKE, key="once")
    update(stage, actor, guest("counter"), force=True)
    again = update(stage, actor, COUNTS_ALIKE, key="once")
    assert again.component == actor.component
    stage.reopen()
    assert update(stage, actor, COUNTS_ALIKE, key="once").component == actor.component
    assert len(notes(stage, actor)) == 2
    other = stage.node.add_component(COUNTS_BY_TWO)
    for wrong in (
        stage.node.update(actor.id, other, key="once"),
        stage.node.restart(actor.id, keep_state=True),
    ):
        error = wrong.exception(WAIT_S)
        assert error is None or (isinstance(error, Conflict) and error.code == "key.used")
    with pytest.raises(Conflict) as used:
        stage.node.restart(actor.id, key="once")
    assert used.value.code == "key.used"


def test_updates_of_one_key_that_come_together_are_one(stage: Theater) -> None:
    actor = stage.start("counter")
    component = stage.node.add_component(COUNTS_ALIKE)
    together = [stage.node.update(actor.id, component, key="k") for _ in range(8)]
    assert {each.result(WAIT_S).component for each in together} == {component}
    assert len(notes(stage, actor)) == 1
    proven(stage, actor)


def test_the_call_in_hand_is_killed_and_its_message_handled_first_uncounted(
    stage: Theater,
) -> None:
    callee = stage.start("defer")
    asker = stage.start("relay", state=callee.id.encode())
    answer = stage.node.request(asker.id, b"?")
    for round_ in range(1, 4):
        until(lambda: len(stage.node.journal.messages(callee.id)) == round_, stage.node)  # noqa: B023
        until(lambda: stage.types(asker)[-1] == shapes.WASM_CALL, stage.node)
        if round_ == 1:
            stage.tell(asker, b"behind it")
        update(stage, asker, alike(guest("relay"), str(round_)))
    until(lambda: len(stage.node.journal.messages(callee.id)) == 4, stage.node)
    stage.tell(callee, b"at last")
    assert answer.result(WAIT_S) == b"at last"
    ended = [e.type for e in stage.node.events(asker.id) if e.type == shapes.WASM_ERROR]
    assert len(ended) == 3
    attempts = [call.message.attempt for call in calls(stage, asker) if call.message is not None]
    assert set(attempts) == {0}
    assert shapes.MESSAGE_ASIDE not in stage.types(asker)
    until(lambda: not stage.node.journal.messages(asker.id), stage.node)
    proven(stage, asker)
    proven(stage, callee)


def test_mailbox_timers_and_unanswered_requests_are_kept(stage: Theater) -> None:
    handlers = "".join(
        f'[[handler]]\ntype = "{each}"\n' for each in ("message-server", "scheduler")
    )
    alarm = stage.start("alarm", manifest("alarm", handlers=handlers))
    stage.ask(alarm, b"a300000 much later")
    update(stage, alarm, alike(guest("alarm")))
    assert len(stage.node.journal.timers(alarm.id)) == 1
    actor = stage.start("defer")
    kept = stage.node.request(actor.id, b"?")
    until(lambda: shapes.WASM_RESULT in stage.types(actor)[4:], stage.node)
    update(stage, actor, alike(guest("defer")))
    stage.tell(actor, b"still")
    assert kept.result(WAIT_S) == b"still"
    waiting = stage.start("counter")
    stage.node.pause(waiting.id).result(WAIT_S)
    for _ in range(3):
        stage.tell(waiting, b"waits")
    # As after a restart, a paused actor runs.
    assert update(stage, waiting, COUNTS_ALIKE).status == "running"
    assert stage.ask(waiting, b"?") == b"4"
    for each in (alarm, actor, waiting):
        proven(stage, each)


def test_children_stay_and_are_not_started_again_by_a_trial(stage: Theater) -> None:
    home = household(stage)
    child = home.spawn()
    grandchild = home.spawn(of=child)
    everybody = sorted(info.id for info in stage.node.list(ended=True))
    for one in (home.parent.id, child):
        before = stage.node.info(one)
        wasm = stage.node.content(bytes.fromhex(before.component))
        assert wasm is not None
        update(stage, before, alike(wasm))
        assert notes(stage, before)[0].fields["calls"]
        proven(stage, before)
    assert home.children() == [child]
    assert home.children(of=child) == [grandchild]
    assert sorted(info.id for info in stage.node.list(ended=True)) == everybody
    stage.reopen()
    assert home.children() == [child]
    proven(stage, home.parent)


def test_an_actor_works_on_while_a_component_is_tried(stage: Theater) -> None:
    actor = stage.start("counter")
    over = threading.Event()
    sent = 0

    def pump() -> None:
        nonlocal sent
        while not over.is_set():
            stage.ask(actor, b"?")
            sent += 1

    pumping = threading.Thread(target=pump)
    pumping.start()
    try:
        for round_ in range(3):
            wanted = round_ * 20
            until(lambda: sent > wanted, stage.node)  # noqa: B023
            update(stage, actor, alike(COUNTS_ALIKE, str(round_)))
    finally:
        over.set()
        pumping.join(WAIT_S)
    assert stage.ask(actor, b"?") == str(sent + 1).encode()
    assert len(notes(stage, actor)) == 3
    proven(stage, actor)


@pytest.mark.parametrize("tries", [1, 2])
def test_what_was_recorded_since_the_trial_is_tried_too_or_the_update_is_refused(
    stage: Theater, monkeypatch: pytest.MonkeyPatch, tries: int
) -> None:
    monkeypatch.setattr(updating, "UPDATE_CALLS_BETWEEN_MAX", 0)
    monkeypatch.setattr(updates, "UPDATE_TRIES", tries)
    callee = stage.start("defer")
    component = stage.node.add_component(ASKS_IN_INIT)
    chosen = manifest("asks")
    starting = stage.node.start(chosen, component=component, state=callee.id.encode())
    until(lambda: len(stage.node.journal.messages(callee.id)) == 1, stage.node)
    (actor,) = [each for each in stage.node.list() if each.status == "starting"]
    other = stage.node.add_component(alike(ASKS_IN_INIT))
    # The order waits for the `init`, which is one call more than the trial had.
    updated = stage.node.update(actor.id, other)
    until(lambda: bool(stage.node._router.actors[actor.id].orders), stage.node)
    stage.tell(callee, b"go")
    starting.result(WAIT_S)
    if tries == 1:
        error = updated.exception(WAIT_S)
        assert isinstance(error, Unavailable)
        assert error.code == "update.busy"
        assert stage.node.info(actor.id).component == component
    else:
        assert updated.result(WAIT_S).component == other
        assert notes(stage, actor)[0].fields["calls"] == 1
    proven(stage, actor)


def test_an_actor_that_failed_goes_on_with_a_component_that_does_better(stage: Theater) -> None:
    actor = stage.start("counter", state=b"7")
    stage.tell(actor, b"!")
    until(lambda: stage.node.state(actor.id) == b"8", stage.node)
    stage.fail(actor)
    same = refusal(stage, actor, guest("counter"))
    assert isinstance(same, Conflict)
    assert same.code == "update.same"
    assert isinstance(refusal(stage, actor, LOGS_TWICE), Diverged)
    assert stage.node.info(actor.id).status == "failed"
    updated = update(stage, actor, COUNTS_ALIKE, key="once")
    assert (updated.id, updated.status, updated.outcome) == (actor.id, "running", None)
    assert stage.ask(actor, b"?") == b"9"
    stage.reopen()
    assert update(stage, actor, COUNTS_ALIKE, key="once").status == "running"
    assert stage.ask(actor, b"?") == b"10"
    assert len(notes(stage, actor)) == 1
    proven(stage, actor)


def test_one_that_never_ran_or_was_stopped_is_not_updated(stage: Theater) -> None:
    with pytest.raises(ActorFailed):
        stage.start(TRAPS_IN_INIT)
    never = stage.node.list(ended=True)[0]
    refused = refusal(stage, never, COUNTS_ALIKE, force=True)
    assert isinstance(refused, Conflict)
    assert refused.code == "actor.not_initialised"
    stopped = stage.start("counter")
    stage.node.stop(stopped.id).result(WAIT_S)
    ended = refusal(stage, stopped, COUNTS_ALIKE, force=True)
    assert isinstance(ended, Conflict)
    assert ended.code == "actor.ended"
    assert stage.types(stopped)[-1] == shapes.ACTOR_STOP


def test_a_node_that_closes_ends_what_is_tried(tmp_path: Path, cache_dir: Path) -> None:
    with theater(tmp_path / "data", NodeSettings(cache_dir=cache_dir)) as stage:
        actor = stage.start("counter", manifest("counter", deadline_ms=600_000))
        stage.tell(actor, b"one")
        component = stage.node.add_component(LOOPS)
        endless = stage.node.update(actor.id, component)
        until(lambda: bool(stage.node._updates._trials), stage.node)
        stage.node.close()
        assert isinstance(endless.exception(WAIT_S), TheaterError)
    with theater(tmp_path / "data", NodeSettings(cache_dir=cache_dir)) as stage:
        assert stage.node.info(actor.id).component == actor.component
        assert stage.ask(actor, b"?") == b"2"


def test_a_replay_runs_each_component_up_to_where_the_next_one_began(stage: Theater) -> None:
    actor = stage.start("counter")
    assert stage.ask(actor, b"?") == b"1"
    update(stage, actor, COUNTS_BY_TWO)
    stage.tell(actor, b"!")
    assert stage.ask(actor, b"?") == b"4"
    place = stage.types(actor).index(shapes.ACTOR_UPDATE)
    for last in (place - 1, place, place + 3):
        report = stage.node.replay(actor.id, until=last)
        assert (report.divergence, report.events) == (None, last + 1)
    proven(stage, actor)
