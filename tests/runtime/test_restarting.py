"""Restarting: the same id, mailbox and chain, from the initial or the last state."""

from __future__ import annotations

import pytest

from tests.docs.test_second_verifier import second_problem
from tests.runtime.actors import WAIT_S, Theater, guest, manifest, until
from tests.runtime.households import description, household
from tests.runtime.variants import TRAPS_IN_INIT
from theater.chain import shapes
from theater.errors import ActorFailed, Conflict, NotFound
from theater.runtime import recovery
from theater.runtime.info import ActorInfo
from theater.runtime.node import STARTERS


def proven(stage: Theater, actor: ActorInfo) -> None:
    """Assert that the chain verifies, here and by the second verifier, and replays to its head."""
    stage.prove(actor)
    assert second_problem(list(stage.node.events(actor.id))) is None


def restart_note(stage: Theater, actor: ActorInfo) -> shapes.Note:
    """The last restart's."""
    notes = [e for e in stage.node.events(actor.id) if e.type == shapes.ACTOR_RESTART]
    form = shapes.parse(notes[-1].type, notes[-1].data or b"")
    assert isinstance(form, shapes.Note)
    return form


def test_a_restart_begins_with_the_initial_state_and_calls_init(stage: Theater) -> None:
    actor = stage.start("counter", state=b"40")
    assert stage.ask(actor, b"?") == b"41"
    again = stage.node.restart(actor.id).result(WAIT_S)
    assert (again.id, again.status) == (actor.id, "running")
    assert stage.node.state(actor.id) == b"40"
    assert stage.ask(actor, b"?") == b"41"
    note = restart_note(stage, actor)
    assert (note.by, note.fields.keys()) == ("operator", {"state"})
    place = stage.types(actor).index(shapes.ACTOR_RESTART)
    assert stage.node.state(actor.id, place - 1) == b"41"
    assert stage.node.state(actor.id, place) == b"40"
    proven(stage, actor)
    stage.reopen()
    assert stage.ask(actor, b"?") == b"42"
    proven(stage, actor)


def test_a_restart_that_keeps_the_state_is_a_new_instance_and_nothing_else(stage: Theater) -> None:
    actor = stage.start("counter")
    assert stage.ask(actor, b"?") == b"1"
    assert stage.node.restart(actor.id, keep_state=True).result(WAIT_S).status == "running"
    assert stage.ask(actor, b"?") == b"2"
    assert restart_note(stage, actor).fields == {}
    calls = [
        shapes.parse(e.type, e.data or b"")
        for e in stage.node.events(actor.id)
        if e.type == shapes.WASM_CALL
    ]
    assert [c.instance for c in calls if isinstance(c, shapes.Call)] == [0, 1, 0]
    proven(stage, actor)


def test_an_actor_without_an_initial_state_has_none_again(stage: Theater) -> None:
    actor = stage.start("loop", manifest("loop", deadline_ms=30_000))
    stage.node.restart(actor.id).result(WAIT_S)
    assert restart_note(stage, actor).fields == {"state": None}
    assert stage.ask(actor, b"?") == b"?"
    proven(stage, actor)


@pytest.mark.parametrize("keep_state", [False, True])
def test_the_call_in_hand_is_killed_and_its_message_handled_again_uncounted(
    stage: Theater, keep_state: bool
) -> None:
    callee = stage.start("defer")
    asker = stage.start("relay", state=callee.id.encode())
    answer = stage.node.request(asker.id, b"?")
    for round_ in range(1, 4):
        until(lambda: len(stage.node.journal.messages(callee.id)) == round_, stage.node)  # noqa: B023
        until(lambda: stage.types(asker)[-1] == shapes.WASM_CALL, stage.node)
        stage.node.restart(asker.id, keep_state=keep_state).result(WAIT_S)
    until(lambda: len(stage.node.journal.messages(callee.id)) == 4, stage.node)
    stage.tell(callee, b"at last")
    assert answer.result(WAIT_S) == b"at last"
    ends = [
        shapes.parse(e.type, e.data or b"")
        for e in stage.node.events(asker.id)
        if e.type == shapes.WASM_ERROR
    ]
    assert [e.kind for e in ends if isinstance(e, shapes.Error)] == ["killed"] * 3
    attempts = [
        call.message.attempt
        for e in stage.node.events(asker.id)
        if e.type == shapes.WASM_CALL
        and isinstance(call := shapes.parse(e.type, e.data or b""), shapes.Call)
        and call.message is not None
    ]
    assert attempts == [0, 0, 0, 0]
    assert shapes.MESSAGE_ASIDE not in stage.types(asker)
    assert not stage.node.journal.messages(asker.id)
    proven(stage, asker)
    proven(stage, callee)


def test_a_requester_is_restarted_while_its_callee_runs_on_its_thread(stage: Theater) -> None:
    last = stage.start("defer")
    callee = stage.start("relay", state=last.id.encode())
    asker = stage.start("relay", state=callee.id.encode())
    answer = stage.node.request(asker.id, b"?")
    until(lambda: states(stage, last) == ["outstanding"], stage.node)
    (first,) = stage.node.journal.messages(last.id)
    stage.node.restart(asker.id, keep_state=True).result(WAIT_S)
    until(lambda: stage.node.info(callee.id).mailbox == 1, stage.node)
    stage.tell(last, b"too late for who was killed")
    until(lambda: first not in stage.node.journal.messages(last.id), stage.node)
    until(lambda: states(stage, last) == ["outstanding"], stage.node)
    stage.tell(last, b"in time")
    assert answer.result(WAIT_S) == b"in time"
    for actor in (asker, callee, last):
        proven(stage, actor)


def test_a_call_that_computes_is_killed_for_a_restart(stage: Theater) -> None:
    actor = stage.start("loop", manifest("loop", deadline_ms=600_000))
    stage.tell(actor, b"go")
    stage.tell(actor, b"behind it")
    until(lambda: stage.types(actor)[-1] == shapes.WASM_CALL, stage.node)
    assert stage.node.restart(actor.id).result(WAIT_S).status == "running"
    until(lambda: stage.types(actor)[-1] == shapes.WASM_CALL, stage.node)
    assert stage.node.info(actor.id).mailbox == 1
    stage.node.stop(actor.id, force=True).result(WAIT_S)
    assert stage.node.verify(actor.id).problem is None


def test_the_mailbox_is_kept_and_a_paused_actor_runs_again(stage: Theater) -> None:
    for keep_state, expected in ((False, b"3"), (True, b"13")):
        actor = stage.start("counter", state=b"0")
        for _ in range(10):
            stage.ask(actor, b"?")
        stage.node.pause(actor.id).result(WAIT_S)
        stage.tell(actor, b"kept")
        stage.tell(actor, b"kept")
        again = stage.node.restart(actor.id, keep_state=keep_state).result(WAIT_S)
        assert again.status == "running"
        assert stage.ask(actor, b"?") == expected
        proven(stage, actor)


def test_unanswered_requests_fail_with_a_restart_and_stay_with_the_state(stage: Theater) -> None:
    actor = stage.start("defer")
    kept = stage.node.request(actor.id, b"?")
    until(lambda: states(stage, actor) == ["outstanding"], stage.node)
    stage.node.restart(actor.id, keep_state=True).result(WAIT_S)
    stage.tell(actor, b"still")
    assert kept.result(WAIT_S) == b"still"
    lost = stage.node.request(actor.id, b"?", key="lost")
    until(lambda: states(stage, actor) == ["outstanding"], stage.node)
    stage.node.restart(actor.id).result(WAIT_S)
    for failed in (lost, stage.node.request(actor.id, b"?", key="lost")):
        error = failed.exception(WAIT_S)
        assert isinstance(error, ActorFailed)
        assert error.code == "actor.restarted"
    dead = stage.node.journal.messages(actor.id)
    assert [(m.state, m.reason) for m in dead] == [("dead", "actor.restarted")]
    proven(stage, actor)


def test_an_actor_whose_request_is_lost_with_a_restart_is_told(stage: Theater) -> None:
    callee = stage.start("defer")
    asker = stage.start("relay", state=callee.id.encode())
    answer = stage.node.request(asker.id, b"?")
    until(lambda: states(stage, callee) == ["outstanding"], stage.node)
    stage.node.restart(callee.id).result(WAIT_S)
    error = answer.exception(WAIT_S)
    assert isinstance(error, ActorFailed)
    assert error.message.startswith("actor.restarted")
    proven(stage, asker)


def states(stage: Theater, actor: ActorInfo) -> list[str]:
    """Of the messages that the journal has for an actor."""
    return [message.state for message in stage.node.journal.messages(actor.id)]


def test_a_restart_with_a_known_key_is_done_once(stage: Theater) -> None:
    actor = stage.start("counter")
    stage.node.restart(actor.id, key="once").result(WAIT_S)
    assert stage.ask(actor, b"?") == b"1"
    assert stage.node.restart(actor.id, key="once").result(WAIT_S).status == "running"
    stage.reopen()
    stage.node.restart(actor.id, keep_state=True, key="once").result(WAIT_S)
    assert stage.types(actor).count(shapes.ACTOR_RESTART) == 1
    assert stage.ask(actor, b"?") == b"2"
    stage.node.send(actor.id, b"a", key="a message's").result(WAIT_S)
    with pytest.raises(Conflict) as used:
        stage.node.restart(actor.id, key="a message's")
    assert used.value.code == "key.used"
    stage.node.stop(actor.id).result(WAIT_S)
    assert stage.node.restart(actor.id, key="once").result(WAIT_S).status == "stopped"


def test_an_actor_whose_init_fails_in_a_restart_has_failed_and_may_be_restarted_again(
    stage: Theater,
) -> None:
    with pytest.raises(ActorFailed):
        stage.start(TRAPS_IN_INIT)
    actor = stage.node.list(ended=True)[0]
    for _ in range(2):
        error = stage.node.restart(actor.id).exception(WAIT_S)
        assert isinstance(error, ActorFailed)
        assert error.code == "actor.init_failed"
        assert stage.node.info(actor.id).status == "failed"
    refused = stage.node.restart(actor.id, keep_state=True).exception(WAIT_S)
    assert isinstance(refused, Conflict)
    assert refused.code == "actor.not_initialised"
    for _ in range(2):
        error = stage.node.restart(actor.id, key="once").exception(WAIT_S)
        assert isinstance(error, ActorFailed)
        assert error.code == "actor.init_failed"
    start = ["actor-start", "wasm-call", "wasm-error", "actor-fail"]
    assert stage.types(actor) == [*start, *(["actor-restart", *start[1:]] * 3)]
    proven(stage, actor)


@pytest.mark.parametrize("keep_state", [False, True])
def test_an_actor_that_failed_lives_again_with_its_id_and_chain(
    stage: Theater, monkeypatch: pytest.MonkeyPatch, keep_state: bool
) -> None:
    actor = stage.start("loop", manifest("loop", deadline_ms=1_500))
    stage.tell(actor, b"go")
    until(lambda: stage.types(actor)[-1] == shapes.WASM_CALL, stage.node)

    def broken(*_: object) -> None:
        raise RuntimeError("a mistake of ours")

    with monkeypatch.context() as patched:
        patched.setattr(recovery, "_run_again", broken)
        stage.reopen()
        assert stage.node.wait(actor.id).result(WAIT_S).status == "failed"
    again = stage.node.restart(actor.id, keep_state=keep_state, key="once").result(WAIT_S)
    assert (again.id, again.status, again.outcome) == (actor.id, "running", None)
    assert stage.ask(actor, b"alive") == b"alive"
    stage.reopen()
    assert stage.node.info(actor.id).outcome is None
    assert stage.node.restart(actor.id, keep_state=keep_state, key="once").result(WAIT_S)
    assert stage.ask(actor, b"alive") == b"alive"
    assert stage.types(actor).count(shapes.ACTOR_RESTART) == 1
    stopped = stage.node.stop(actor.id).result(WAIT_S)
    assert (stopped.status, stage.node.info(actor.id).outcome) == ("stopped", None)
    proven(stage, actor)


def test_what_was_stopped_or_never_was_is_not_restarted(stage: Theater) -> None:
    actor = stage.start("counter")
    stage.node.stop(actor.id).result(WAIT_S)
    for keep_state in (False, True):
        refused = stage.node.restart(actor.id, keep_state=keep_state).exception(WAIT_S)
        assert isinstance(refused, Conflict)
        assert refused.code == "actor.ended"
    assert isinstance(stage.node.restart("nobody").exception(WAIT_S), NotFound)
    assert stage.types(actor)[-1] == shapes.ACTOR_STOP


def test_restarts_of_a_failed_actor_that_come_together_keep_nobody_waiting(stage: Theater) -> None:
    actor = stage.start("counter")
    stage.fail(actor)
    for each in [stage.node.restart(actor.id) for _ in range(8)]:
        error = each.exception(WAIT_S)
        assert error is None or (isinstance(error, Conflict) and error.code == "actor.restarted")
    # Those who start actors wait for none of them.
    assert stage.start("counter").status == "running"
    assert stage.ask(actor, b"?") == b"1"
    proven(stage, actor)


def test_restarts_of_one_key_that_come_together_are_one(stage: Theater) -> None:
    callee = stage.start("defer")
    asker = stage.start("relay", state=callee.id.encode())
    stage.node.request(asker.id, b"?")
    until(lambda: states(stage, callee) == ["outstanding"], stage.node)
    for keep_state in (False, True):
        together = [
            stage.node.restart(asker.id, keep_state=keep_state, key=f"{keep_state}")
            for _ in range(8)
        ]
        assert {each.result(WAIT_S).status for each in together} == {"running"}
    assert stage.types(asker).count(shapes.ACTOR_RESTART) == 2
    proven(stage, asker)


def test_restarts_that_come_together_are_done_one_after_the_other(stage: Theater) -> None:
    actor = stage.start("counter")
    orders = [stage.node.restart(actor.id, keep_state=n % 3 == 0) for n in range(12)]
    assert [order.result(WAIT_S).status for order in orders] == ["running"] * 12
    assert stage.types(actor).count(shapes.ACTOR_RESTART) == 12
    assert shapes.WASM_ERROR not in stage.types(actor)
    assert stage.ask(actor, b"?") == b"1"
    proven(stage, actor)


def test_restarts_that_wait_for_children_to_end_keep_nobody_else_from_starting(
    stage: Theater,
) -> None:
    home = household(stage)
    gate = stage.start("defer")
    child = home.spawn(description(stage, more='poison = "fail"'))
    slow = description(stage, more="[supervision]\nshutdown_ms = 3600000")
    grandchild = home.spawn(slow, of=child)
    stage.node.request(grandchild, f"r{gate.id}?".encode(), timeout_ms=3_600_000)
    until(lambda: bool(stage.node._router.actors[gate.id].outstanding), stage.node)
    with pytest.raises(ActorFailed):
        home.ask("f", of=child)
    stage.node.wait(child).result(WAIT_S)
    update = stage.node.update(child, stage.node.add_component(guest("defer")), force=True)
    restarts = [stage.node.restart(child) for _ in range(STARTERS)]
    assert home.status(home.spawn()) == "running"
    assert not any(each.done() for each in restarts)
    stage.tell(gate, b"go on")
    assert any(each.exception(WAIT_S) is None for each in restarts)
    told = update.exception(WAIT_S)
    assert told is None or (isinstance(told, Conflict) and told.code == "actor.restarted")
    assert home.status(grandchild) == "stopped"
