"""The node as the supervisor of actors that have no parent."""

from __future__ import annotations

import pytest

from tests.runtime.actors import WAIT_S, Theater, until
from tests.runtime.supervision.supervised import course, notes, restarts, supervised
from theater.chain import shapes
from theater.errors import ActorFailed, NotFound
from theater.runtime.supervision.decision import ASIDES_MAX

TIMERS = '[[handler]]\ntype = "message-server"\n[[handler]]\ntype = "scheduler"\n'
ENDING = '[[handler]]\ntype = "message-server"\n[[handler]]\ntype = "runtime"\n'


def failing(stage: Theater, actor: str) -> None:
    """Have a request trap its actor twice, so that it is set aside."""
    with pytest.raises(ActorFailed):
        stage.node.request(actor, b"trap").result(WAIT_S)


def test_a_message_that_is_set_aside_costs_no_restart(stage: Theater) -> None:
    actor = stage.start("counter", supervised(handlers=ENDING, intensity=1))
    for n in range(ASIDES_MAX - 1):
        failing(stage, actor.id)
        assert stage.node.info(actor.id).status == "running", n
    assert stage.ask(actor, b"?") == b"1"
    assert restarts(stage, actor.id) == ["trap"] * 2 * (ASIDES_MAX - 1)
    stage.prove(actor)


def test_ten_set_aside_in_a_row_count_as_one_failure(stage: Theater) -> None:
    actor = stage.start("counter", supervised(handlers=ENDING, intensity=1))
    waiting = stage.node.wait(actor.id)
    for _ in range(ASIDES_MAX):
        failing(stage, actor.id)
    assert stage.ask(actor, b"?") == b"1"
    with pytest.raises(ActorFailed):
        stage.node.request(actor.id, b"trap").result(WAIT_S)
    ended = waiting.result(WAIT_S)
    assert ended.status == "failed"
    assert ended.outcome is not None
    [note] = notes(stage, actor.id, shapes.ACTOR_FAIL)
    assert note.by == "supervisor"
    assert note.why.startswith("supervision.intensity")
    assert not stage.node.journal.supervision()
    stage.prove(actor)


def test_one_that_is_handled_begins_the_row_anew_also_over_a_restart_of_the_node(
    stage: Theater,
) -> None:
    actor = stage.start("counter", supervised(handlers=ENDING, intensity=0, period_s=1))
    # With no restart allowed the first failure of a message would already be too much.
    with pytest.raises(ActorFailed):
        stage.node.request(actor.id, b"trap").result(WAIT_S)
    assert stage.node.wait(actor.id).result(WAIT_S).status == "failed"
    other = stage.start("counter", supervised(handlers=ENDING, intensity=1))
    for _ in range(ASIDES_MAX - 1):
        failing(stage, other.id)
    [kept] = stage.node.journal.supervision()
    assert kept.asides == ((other.id, ASIDES_MAX - 1),)
    assert not kept.failures
    stage.reopen()
    assert stage.ask(other, b"?") == b"1"
    until(lambda: not stage.node.journal.supervision(), stage.node)
    failing(stage, other.id)
    assert stage.node.info(other.id).status == "running"
    stage.prove(other)


@pytest.mark.parametrize("restart_state", ["last", "initial"])
def test_an_actor_goes_on_with_its_last_state_or_from_the_initial_one(
    stage: Theater, restart_state: str
) -> None:
    chosen = supervised(handlers=ENDING, restart_state=restart_state, intensity=2)
    actor = stage.start("counter", chosen, b"40")
    assert stage.ask(actor, b"?") == b"41"
    failing(stage, actor.id)
    assert stage.ask(actor, b"?") == {"last": b"42", "initial": b"41"}[restart_state]
    told = course(stage, actor.id)
    # Twice restarted, for the message and for its second try; `init` only from the initial state.
    assert told == {
        "last": "cr cr ceR ceAR cr",
        "initial": "cr cr ce Rcr ceA Rcr cr",
    }[restart_state].replace(" ", "")
    assert {note.by for note in notes(stage, actor.id, shapes.ACTOR_RESTART)} == {"supervisor"}
    assert not stage.node.journal.supervision() or stage.node.journal.supervision()[0].asides == ()
    stage.prove(actor)


@pytest.mark.parametrize(("restart_state", "left"), [("last", 1), ("initial", 0)])
def test_timers_are_cancelled_from_the_initial_state_only(
    stage: Theater, restart_state: str, left: int
) -> None:
    chosen = supervised(handlers=TIMERS, errors="fail", restart_state=restart_state, intensity=2)
    actor = stage.start("alarm", chosen)
    assert stage.ask(actor, b"a3600000 later")
    with pytest.raises(ActorFailed):
        stage.ask(actor, b"xno such timer")
    until(
        lambda: course(stage, actor.id).endswith({"last": "R", "initial": "Rcr"}[restart_state]),
        stage.node,
    )
    assert restarts(stage, actor.id) == ["error", "error"]
    assert len(stage.node.journal.timers(actor.id)) == left
    stage.prove(actor)


@pytest.mark.parametrize("restart_state", ["last", "initial"])
def test_unanswered_requests_fail_from_the_initial_state_only(
    stage: Theater, restart_state: str
) -> None:
    chosen = supervised(errors="fail", restart_state=restart_state, intensity=2)
    actor = stage.start("defer", chosen)
    first, second = (stage.node.request(actor.id, body) for body in (b"1", b"2"))
    stage.tell(actor, b"an answer")
    assert second.result(WAIT_S) == b"an answer"
    stage.tell(actor, b"to whom?")
    until(lambda: restarts(stage, actor.id) == ["error", "error"], stage.node)
    if restart_state == "initial":
        with pytest.raises(ActorFailed) as refused:
            first.result(WAIT_S)
        assert "actor.restarted" in refused.value.message
    else:
        assert not first.done()
        stage.node.stop(actor.id).result(WAIT_S)
    stage.prove(actor)


@pytest.mark.parametrize("restart", ["temporary", "transient", "permanent"])
def test_the_restart_type_holds_for_failures(stage: Theater, restart: str) -> None:
    actor = stage.start("counter", supervised(handlers=ENDING, restart=restart, intensity=5))
    waiting = stage.node.wait(actor.id)
    with pytest.raises(ActorFailed):
        stage.node.request(actor.id, b"trap").result(WAIT_S)
    if restart == "temporary":
        assert waiting.result(WAIT_S).status == "failed"
        assert course(stage, actor.id) == "crceF"
        [dead] = stage.node.dead_letters().messages
        assert (dead.message.reason, dead.message.attempt) == ("trap", 0)
    else:
        assert stage.ask(actor, b"?") == b"1"
        assert course(stage, actor.id) == "crceRceARcr"
    stage.prove(actor)


def test_a_permanent_actor_begins_again_when_it_asked_for_its_end(stage: Theater) -> None:
    actor = stage.start("ending", supervised(handlers=ENDING, restart="permanent", intensity=2))
    waiting = stage.node.wait(actor.id)
    for _ in range(2):
        stage.tell(actor, b"bye")
    until(lambda: len(restarts(stage, actor.id)) == 2, stage.node)
    assert stage.node.info(actor.id).status == "running"
    stage.prove(actor)
    stage.tell(actor, b"bye")
    ended = waiting.result(WAIT_S)
    assert ended.status == "failed"
    assert course(stage, actor.id) == "cr crR crR crF".replace(" ", "")
    stage.prove(actor)


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
def test_a_stop_is_final_for_every_restart_type(stage: Theater, restart: str) -> None:
    actor = stage.start("ending", supervised(handlers=ENDING, restart=restart))
    assert stage.node.stop(actor.id).result(WAIT_S).status == "stopped"
    assert course(stage, actor.id) == "crS"
    with pytest.raises(NotFound):
        stage.tell(actor, b"?")


@pytest.mark.parametrize("restart", ["transient", "temporary"])
def test_an_end_that_was_asked_for_is_one_unless_permanent(stage: Theater, restart: str) -> None:
    actor = stage.start("ending", supervised(handlers=ENDING, restart=restart))
    stage.tell(actor, b"bye")
    ended = stage.node.wait(actor.id).result(WAIT_S)
    assert (ended.status, ended.outcome and ended.outcome.body) == ("stopped", b"bye")


def test_a_stop_that_comes_before_a_restart_from_the_initial_state_is_a_stop(
    stage: Theater,
) -> None:
    manifest = supervised(restart="permanent", restart_state="initial", intensity=1000)
    for _ in range(
        10
    ):  # each time it may come before the restart is planned, or recorded, or after
        actor = stage.start("counter", manifest)
        for _ in range(4):
            stage.tell(actor, b"trap")
        assert stage.node.stop(actor.id, force=True).result(WAIT_S).status == "stopped"
    assert not stage.node.journal.supervision()
