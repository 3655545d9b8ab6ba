"""Pausing: the call in hand finishes, then no message is taken until the actor is resumed."""

from __future__ import annotations

import pytest

from tests.runtime.actors import WAIT_S, Theater, manifest, until
from theater.chain import shapes
from theater.errors import ActorFailed, Conflict, NotFound, TimedOut, Unavailable


def test_a_paused_actor_accepts_messages_and_takes_them_when_it_is_resumed(stage: Theater) -> None:
    actor = stage.start("counter")
    assert stage.node.pause(actor.id).result(WAIT_S).status == "paused"
    for _ in range(3):
        stage.tell(actor, b"later")
    waiting = stage.node.request(actor.id, b"?")
    assert stage.node.info(actor.id).mailbox == 4
    assert [info.status for info in stage.node.list()] == ["paused"]
    assert stage.node.state(actor.id) == b"0"
    assert not waiting.done()
    assert stage.node.resume(actor.id).result(WAIT_S).status == "running"
    assert waiting.result(WAIT_S) == b"4"
    types = stage.types(actor)
    paused, resumed = types.index(shapes.ACTOR_PAUSE), types.index(shapes.ACTOR_RESUME)
    assert resumed == paused + 1
    stage.prove(actor)


def test_pausing_and_resuming_twice_is_no_error_and_one_note(stage: Theater) -> None:
    actor = stage.start("counter")
    assert stage.node.resume(actor.id).result(WAIT_S).status == "running"
    for _ in range(2):
        assert stage.node.pause(actor.id).result(WAIT_S).status == "paused"
    for _ in range(2):
        assert stage.node.resume(actor.id).result(WAIT_S).status == "running"
    notes = [each for each in stage.types(actor) if each in shapes.NOTES]
    assert notes == [shapes.ACTOR_PAUSE, shapes.ACTOR_RESUME]


def test_a_pause_lets_the_call_in_hand_finish(stage: Theater) -> None:
    callee = stage.start("defer")
    asker = stage.start("relay", state=callee.id.encode())
    answer = stage.node.request(asker.id, b"?")
    until(lambda: len(stage.node.journal.messages(callee.id)) == 1, stage.node)
    pausing = stage.node.pause(asker.id)
    stage.tell(asker, b"not before it is resumed")
    assert not pausing.done()
    assert stage.node.info(asker.id).status == "running"
    stage.tell(callee, b"the answer")
    assert answer.result(WAIT_S) == b"the answer"
    assert pausing.result(WAIT_S).status == "paused"
    types = stage.types(asker)
    assert types[-1] == shapes.ACTOR_PAUSE
    assert types.count(shapes.WASM_CALL) == types.count(shapes.WASM_RESULT) == 2
    stage.prove(asker)


def test_a_paused_actor_is_paused_after_reopening_and_keeps_its_mailbox(stage: Theater) -> None:
    actor = stage.start("counter")
    stage.node.pause(actor.id).result(WAIT_S)
    stage.tell(actor, b"waits")
    stage.reopen()
    assert stage.node.info(actor.id).status == "paused"
    assert stage.node.info(actor.id).mailbox == 1
    stage.node.resume(actor.id).result(WAIT_S)
    assert stage.ask(actor, b"?") == b"2"
    stage.prove(actor)


def test_who_waits_for_a_paused_actor_has_its_time_out(stage: Theater) -> None:
    callee = stage.start("counter")
    impatient = 'request_timeout_ms = 100\n[[handler]]\ntype = "message-server"\n'
    asker = stage.start("relay", manifest("relay", handlers=impatient), callee.id.encode())
    stage.node.pause(callee.id).result(WAIT_S)
    with pytest.raises(TimedOut, match="it is paused"):
        stage.node.request(callee.id, b"?", timeout_ms=50).result(WAIT_S)
    with pytest.raises(ActorFailed) as failed:
        stage.node.request(asker.id, b"?", timeout_ms=60_000).result(WAIT_S)
    assert failed.value.message.startswith("request.timed_out")
    assert stage.node.info(callee.id).mailbox == 2


def test_a_request_between_actors_queues_at_a_paused_actor(stage: Theater) -> None:
    callee = stage.start("counter")
    asker = stage.start("relay", state=callee.id.encode())
    stage.node.pause(callee.id).result(WAIT_S)
    answer = stage.node.request(asker.id, b"?")
    until(lambda: stage.node.info(callee.id).mailbox == 1, stage.node)
    assert stage.types(callee)[-1] == shapes.ACTOR_PAUSE
    stage.node.resume(callee.id).result(WAIT_S)
    assert answer.result(WAIT_S) == b"1"
    stage.prove(callee)
    stage.prove(asker)


def test_a_paused_actor_stops_at_once(stage: Theater) -> None:
    actor = stage.start("loop", manifest("loop", deadline_ms=30_000))
    stage.node.pause(actor.id).result(WAIT_S)
    stage.tell(actor, b"would never end")
    assert stage.node.stop(actor.id).result(WAIT_S).status == "stopped"
    assert shapes.WASM_ERROR not in stage.types(actor)
    assert {m.state for m in stage.node.journal.messages(actor.id)} == {"dead"}
    stage.prove(actor)


def test_a_paused_actor_gives_up_its_instance(stage: Theater) -> None:
    actor = stage.start("counter")
    stage.node.pause(actor.id).result(WAIT_S)
    stage.tell(actor, b"waits")
    until(lambda: stage.node.passivate(actor.id), stage.node)
    stage.node.resume(actor.id).result(WAIT_S)
    assert stage.ask(actor, b"?") == b"2"
    stage.prove(actor)


def test_who_has_ended_or_never_was_is_not_paused(stage: Theater) -> None:
    actor = stage.start("counter")
    stage.node.stop(actor.id).result(WAIT_S)
    for order in (stage.node.pause, stage.node.resume):
        with pytest.raises(Conflict) as ended:
            order(actor.id)
        assert ended.value.code == "actor.ended"
        with pytest.raises(NotFound):
            order("nobody")


def test_an_actor_that_stops_before_its_pause_tells_who_ordered_it(stage: Theater) -> None:
    actor = stage.start("loop", manifest("loop", deadline_ms=30_000))
    stage.tell(actor, b"go")
    until(lambda: stage.types(actor)[-1] == shapes.WASM_CALL, stage.node)
    pausing = stage.node.pause(actor.id)
    stage.node.stop(actor.id, force=True).result(WAIT_S)
    assert isinstance(pausing.exception(WAIT_S), Conflict)


def test_orders_are_bounded_and_a_closing_node_answers_them(stage: Theater) -> None:
    actor = stage.start("loop", manifest("loop", deadline_ms=30_000))
    stage.tell(actor, b"go")
    until(lambda: stage.types(actor)[-1] == shapes.WASM_CALL, stage.node)
    waiting = [stage.node.pause(actor.id) for _ in range(64)]
    with pytest.raises(Unavailable) as full:
        stage.node.pause(actor.id)
    assert full.value.code == "orders.full"
    stage.node.close()
    for each in waiting:
        assert isinstance(each.exception(WAIT_S), Unavailable)
