"""Updating: the same actor, state and mailbox, and another component that was tried before."""

from __future__ import annotations

import pytest

from tests.docs.test_second_verifier import second_problem
from tests.runtime.actors import GUESTS, WAIT_S, Theater
from theater.chain import shapes
from theater.engine import wat
from theater.errors import ActorFailed, Diverged
from theater.runtime.info import ActorInfo

COUNTER = (GUESTS / "counter.wat").read_text()


def changed(before: str, after: str) -> bytes:
    """The counter with one piece of its text replaced."""
    assert before in COUNTER
    return wat(COUNTER.replace(before, after, 1))


SAME = changed('"failed as it was asked to"', '"failed as it was asked tO"')
"""Other bytes, and the same behaviour but for the text of an error that these tests don't ask for."""

_ADDS = """(drop (call $keep
        (i64.add (call $number (local.get $some) (local.get $at) (local.get $size))
          (i64.const 1))))"""
BY_TWO = changed(_ADDS, _ADDS.replace("const 1", "const 2"))
"""Counts a `send` as two."""


def proven(stage: Theater, actor: ActorInfo) -> None:
    """Assert that the chain verifies, here and by the second verifier, and replays to its head."""
    stage.prove(actor)
    assert second_problem(list(stage.node.events(actor.id))) is None


def update(
    stage: Theater, actor: ActorInfo, wasm: bytes, *, force: bool = False, key: str | None = None
) -> ActorInfo:
    component = stage.node.add_component(wasm)
    return stage.node.update(actor.id, component, force=force, key=key).result(WAIT_S)


def notes(stage: Theater, actor: ActorInfo) -> list[shapes.Note]:
    """Those of updates."""
    return [
        form
        for event in stage.node.events(actor.id)
        if event.type == shapes.ACTOR_UPDATE
        and isinstance(form := shapes.parse(event.type, event.data or b""), shapes.Note)
    ]


def test_an_actor_goes_on_with_another_component_and_everything_else_as_it_was(
    stage: Theater,
) -> None:
    actor = stage.start("counter", state=b"40")
    assert stage.ask(actor, b"?") == b"41"
    component = stage.node.add_component(SAME)
    updated = update(stage, actor, SAME)
    assert (updated.id, updated.status, updated.component) == (actor.id, "running", component)
    assert stage.ask(actor, b"?") == b"42"
    (note,) = notes(stage, actor)
    assert (note.by, note.why) == ("operator", "update")
    assert note.fields == {"component": bytes.fromhex(component), "calls": 2}
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
    component = stage.node.add_component(BY_TWO)
    refused = stage.node.update(actor.id, component).exception(WAIT_S)
    assert isinstance(refused, Diverged)
    assert refused.code == "update.diverged"
    call = before.index(shapes.WASM_CALL, 2)
    assert refused.facts == {
        "actor": actor.id,
        "call": call,
        "function": "theater:simple/message-server-client/handle-send",
        "seq": call + 2,
        "expected": "the state 1",
        "actual": "the state 2",
    }
    assert stage.types(actor) == before
    assert stage.node.info(actor.id).component == actor.component
    assert stage.ask(actor, b"?") == b"3"
    proven(stage, actor)


def test_a_forced_update_is_not_tried_and_says_so(stage: Theater) -> None:
    actor = stage.start("counter")
    stage.tell(actor, b"one")
    update(stage, actor, BY_TWO, force=True)
    stage.tell(actor, b"two")
    assert stage.ask(actor, b"?") == b"4"
    (note,) = notes(stage, actor)
    assert note.fields.keys() == {"component", "forced"}
    assert note.fields["forced"] is True
    proven(stage, actor)
