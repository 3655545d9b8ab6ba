"""An actor that ends by its own wish: its result reaches whoever waits, and nobody else is forgotten."""

from __future__ import annotations

from tests.docs.test_second_verifier import second_problem
from tests.runtime.actors import WAIT_S, Theater, manifest, until
from theater.chain import shapes
from theater.errors import ActorFailed, Conflict
from theater.journal.records import Answer
from theater.runtime.info import ActorInfo


def ended_with(stage: Theater, actor: ActorInfo, result: bytes) -> None:
    """Assert that an actor ended with that result and left nothing behind."""
    info = stage.node.wait(actor.id).result(WAIT_S)
    assert (info.status, info.outcome) == ("stopped", Answer(True, result))
    assert stage.types(actor)[-1] == shapes.ACTOR_STOP
    assert all(message.state == "dead" for message in stage.node.journal.messages(actor.id))
    stage.prove(actor)
    assert second_problem(list(stage.node.events(actor.id))) is None


def test_everybody_who_waits_has_the_result_and_so_has_who_asks_later(stage: Theater) -> None:
    actor = stage.start("ending")
    waiting = [stage.node.wait(actor.id) for _ in range(3)]
    stage.tell(actor, b"the result")
    for each in waiting:
        assert each.result(WAIT_S).outcome == Answer(True, b"the result")
    assert stage.node.stop(actor.id).result(WAIT_S).outcome == Answer(True, b"the result")
    ended_with(stage, actor, b"the result")
    stage.reopen()
    ended_with(stage, actor, b"the result")


def test_an_actor_may_end_in_its_init(stage: Theater) -> None:
    actor = stage.start("ending", state=b"at once")
    ended_with(stage, actor, b"at once")


def test_who_waits_for_an_answer_or_an_order_is_told_when_an_actor_ends_itself(
    stage: Theater,
) -> None:
    actor = stage.start("ending", manifest("ending", mailbox=4))
    stage.node.pause(actor.id).result(WAIT_S)
    stage.tell(actor, b"the result")
    asked = [stage.node.request(actor.id, b"?") for _ in range(3)]
    ordered = [
        stage.node.resume(actor.id),
        stage.node.pause(actor.id),
        stage.node.restart(actor.id, keep_state=True),
    ]
    for order in ordered:
        error = order.exception(WAIT_S)
        assert error is None or (isinstance(error, Conflict) and error.code == "actor.ended")
    for each in asked:
        failure = each.exception(WAIT_S)
        assert failure is None or isinstance(failure, ActorFailed)
    ended_with(stage, actor, b"the result")


def test_a_stop_that_meets_an_end_of_the_actor_s_own_leaves_the_result(stage: Theater) -> None:
    callee = stage.start("ending")
    asker = stage.start("relay", state=callee.id.encode())
    assert stage.ask(asker, b"last words") == b"last words"
    assert stage.node.stop(callee.id).result(WAIT_S).outcome == Answer(True, b"last words")
    ended_with(stage, callee, b"last words")
    stage.node.stop(asker.id).result(WAIT_S)
    until(lambda: stage.node.info(asker.id).status == "stopped", stage.node)
    stage.prove(asker)
