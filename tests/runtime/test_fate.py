"""The fate of the message in hand: the whole table, and what actors with each `poison` make of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.runtime.actors import WAIT_S, Theater, guest, until
from tests.runtime.households import description, household
from theater.chain import shapes
from theater.errors import ActorFailed
from theater.handlers.grant_types import GRANT_TYPES
from theater.manifest import parse
from theater.manifest.model import Manifest, Poison
from theater.runtime.fate import Ending, Fate, decide, fails_actor
from theater.runtime.info import ActorInfo

Q, R, F = Poison.QUARANTINE, Poison.RETRY, Poison.FAIL
BAD = ("trap", "fuel", "memory", "stack", "deadline", "events", "state", "result", "host")
EACH = (Q, R, F)


def table() -> Iterator[tuple[Ending, Fate, bool]]:
    """Endings with the fate of their message and whether the actor fails with it."""
    for poison in EACH:
        for attempt in (0, 1, 7):
            yield Ending(None, attempt, poison=poison), Fate.DONE, False
            left = Ending(None, attempt, answered=False, poison=poison)
            yield left, Fate.OUTSTANDING, False
            # A guest's error is an answer.
            yield Ending("error", attempt, poison=poison), Fate.DONE, False
            yield Ending("error", attempt, ends=True, poison=poison), Fate.DONE, False
            # Killed for somebody else's sake counts for nothing, however often.
            yield Ending("killed", attempt, poison=poison), Fate.AGAIN, False
            yield Ending("killed", attempt, ends=True, poison=poison), Fate.DEAD, False
            yield Ending("diverged", attempt, poison=poison), Fate.ASIDE, False
            # Two deaths of the process: never run again, whatever the manifest says.
            down = Ending("killed", attempt, poisoned=True, poison=poison)
            yield down, Fate.DEAD if poison is F else Fate.ASIDE, poison is F
        for kind in BAD:
            yield Ending(kind, 0, poison=poison), Fate.AGAIN, False
            yield Ending(kind, 0, ends=True, poison=poison), Fate.DEAD, False
        yield Ending("error", 0, errors_fail=True, poison=poison), Fate.AGAIN, False
    for poison, fate in ((Q, Fate.ASIDE), (R, Fate.AGAIN), (F, Fate.DEAD)):
        for attempt in (1, 2, 1000):
            for kind in BAD:
                yield Ending(kind, attempt, poison=poison), fate, poison is F
                ends = Ending(kind, attempt, ends=True, poison=poison)
                yield ends, Fate.DEAD, poison is F
            error = Ending("error", attempt, errors_fail=True, poison=poison)
            yield error, fate, poison is F


def test_the_fate_of_a_message_is_as_the_table_has_it() -> None:
    rows = list(table())
    assert len(rows) > 250
    wrong = [
        ending
        for ending, fate, fails in rows
        if decide(ending) is not fate or fails_actor(ending) is not fails
    ]
    assert wrong == []


def with_poison(poison: Poison) -> Manifest:
    """A manifest with a `poison`, and with room for any number of restarts."""
    text = f"""name = "actor"
component = "unused.wasm"
poison = "{poison}"

[supervision]
intensity = 1000
period_s = 1

[limits]
deadline_ms = 200

[[handler]]
type = "message-server"
"""
    return parse(text, grant_types=GRANT_TYPES)


def errors(stage: Theater, actor: ActorInfo) -> int:
    return stage.types(actor).count(shapes.WASM_ERROR)


def test_with_retry_a_message_is_tried_until_it_is_handled_or_its_actor_ends(
    stage: Theater,
) -> None:
    actor = stage.start("loop", with_poison(R))
    stage.tell(actor, b"for ever")
    behind = stage.node.request(actor.id, b"behind it")
    until(lambda: errors(stage, actor) >= 5, stage.node)
    assert not stage.node.quarantine(actor.id).messages
    assert not behind.done()
    stage.reopen()
    before = errors(stage, actor)
    until(lambda: errors(stage, actor) > before, stage.node)
    assert stage.node.stop(actor.id, force=True).result(WAIT_S).status == "stopped"
    dead = [each.message.body for each in stage.node.dead_letters(actor.id).messages]
    assert dead == [b"for ever", b"behind it"]


def test_with_fail_the_actor_fails_with_the_message_the_second_time(stage: Theater) -> None:
    actor = stage.start("counter", with_poison(F))
    assert stage.ask(actor, b"before") == b"1"
    asked = stage.node.request(actor.id, b"trap")
    with pytest.raises(ActorFailed, match=r"actor\.failed"):
        asked.result(WAIT_S)
    ended = stage.node.wait(actor.id).result(WAIT_S)
    assert ended.status == "failed"
    assert errors(stage, actor) == 2
    assert stage.types(actor)[-1] == shapes.ACTOR_FAIL
    assert not stage.node.quarantine(actor.id).messages
    (dead,) = stage.node.dead_letters(actor.id).messages
    assert (dead.message.body, dead.message.reason) == (b"trap", "trap")
    stage.prove(actor)
    stage.reopen()
    assert stage.node.info(actor.id).status == "failed"


def test_with_fail_one_failure_is_forgiven(stage: Theater) -> None:
    component = stage.node.add_component(guest("counter"))
    actor = stage.node.start(with_poison(F), component=component).result(WAIT_S)
    for number in (1, 2):
        assert stage.ask(actor, b"fine") == str(number).encode()
    assert stage.node.info(actor.id).status == "running"


def test_with_fail_a_child_is_not_restarted_and_its_parent_is_told(stage: Theater) -> None:
    home = household(stage)
    more = 'poison = "fail"\n[supervision]\nrestart = "permanent"\n'
    child = home.spawn(description(stage, "counter", more=more))
    with pytest.raises(ActorFailed):
        stage.node.request(child, b"trap").result(WAIT_S)
    assert stage.node.wait(child).result(WAIT_S).status == "failed"
    assert home.children() == []
    assert home.told()[-1].startswith("E" + child)
    assert home.status(home.parent.id) == "running"
    assert stage.types(home.parent).count(shapes.ACTOR_RESTART) == 0
