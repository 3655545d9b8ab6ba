"""Stopping: the call in hand has its grace, then it is killed; what was asked for is not forgotten."""

from __future__ import annotations

import pytest

from tests.runtime.actors import WAIT_S, Theater, manifest, until
from theater.chain import shapes
from theater.errors import Conflict

IMPATIENT = '[supervision]\nshutdown_ms = 100\n[[handler]]\ntype = "message-server"\n'


def test_a_call_that_is_not_done_within_its_grace_is_killed(stage: Theater) -> None:
    callee = stage.start("defer")
    asker = stage.start("relay", manifest("relay", handlers=IMPATIENT), callee.id.encode())
    answer = stage.node.request(asker.id, b"?")
    until(lambda: stage.types(callee)[-1] == shapes.WASM_RESULT, stage.node)
    until(lambda: stage.types(asker)[-1] == shapes.WASM_CALL, stage.node)
    assert stage.node.stop(asker.id).result(WAIT_S).status == "stopped"
    assert stage.types(asker)[-2:] == [shapes.WASM_ERROR, shapes.ACTOR_STOP]
    assert answer.exception(WAIT_S) is not None
    stage.prove(asker)


def test_calls_that_a_closing_node_cuts_off_are_no_errors_in_the_log(
    stage: Theater, caplog: pytest.LogCaptureFixture
) -> None:
    logging = '[[handler]]\ntype = "message-server"\n[[handler]]\ntype = "runtime"\n'
    busy = stage.start("busy", manifest("busy", handlers=logging, events_per_call=1_000_000))
    stage.node.request(busy.id, b"l900000")
    until(lambda: len(stage.types(busy)) > 100, stage.node)
    stage.reopen()
    until(lambda: len(stage.types(busy)) > 1_000, stage.node)
    stage.node.stop(busy.id, force=True).result(WAIT_S)
    assert not [record for record in caplog.records if "JournalFailed" in record.getMessage()]


def test_a_call_that_is_done_within_its_grace_has_its_result(stage: Theater) -> None:
    callee = stage.start("defer")
    asker = stage.start("relay", state=callee.id.encode())
    answer = stage.node.request(asker.id, b"?")
    until(lambda: len(stage.node.journal.messages(callee.id)) == 1, stage.node)
    stopping = stage.node.stop(asker.id)
    until(lambda: stage.node.info(asker.id).status == "stopping", stage.node)
    stage.tell(callee, b"in time")
    assert answer.result(WAIT_S) == b"in time"
    assert stopping.result(WAIT_S).status == "stopped"
    assert shapes.WASM_ERROR not in stage.types(asker)
    stage.prove(asker)


def test_a_stop_is_kept_over_the_end_of_the_process(stage: Theater) -> None:
    actor = stage.start("loop", manifest("loop", deadline_ms=1_000))
    stage.tell(actor, b"go")
    until(lambda: stage.types(actor)[-1] == shapes.WASM_CALL, stage.node)
    stage.node.stop(actor.id)
    until(lambda: stage.node.info(actor.id).status == "stopping", stage.node)
    with pytest.raises(Conflict) as stopping:
        stage.node.pause(actor.id)
    assert stopping.value.code == "actor.stopping"
    stage.reopen()
    assert stage.node.wait(actor.id).result(WAIT_S).status == "stopped"
    assert stage.node.verify(actor.id).problem is None


def test_nothing_is_left_of_the_grace_of_an_actor_that_has_ended(stage: Theater) -> None:
    def due() -> int:
        return sum(each.do is not None for each in stage.node._timers._due)

    text = '[supervision]\nshutdown_ms = 3600000\n[[handler]]\ntype = "message-server"\n'
    actor = stage.start("counter", manifest("counter", handlers=text))
    before = due()
    stage.node.stop(actor.id).result(WAIT_S)
    until(lambda: due() <= before, stage.node)
