"""Children and parents that end at a bad moment: in each other's calls, too late, or with the process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.actors import WAIT_S, Theater, guest, theater, until
from tests.runtime.households import Household, description, household
from theater import limits
from theater.errors import ActorFailed, Conflict
from theater.journal.records import Enqueue, SetActor
from theater.journal.sqlite import SqliteJournal
from theater.runtime.births import ChildPlace
from theater.runtime.info import ActorInfo
from theater.runtime.offspring import Offspring
from theater.runtime.reports import of_failure
from theater.runtime.settings import NodeSettings

HOUR_MS = 3_600_000


def waiting_order(home: Household, gate: ActorInfo) -> bytes:
    """An order to start a child whose `init` waits for a gate's answer."""
    state = f"r{gate.id}?".encode()
    return b"C" + bytes([len(state)]) + state + home.text.encode()


def asked(stage: Theater, gate: ActorInfo) -> bool:
    """Whether somebody waits at a gate."""
    return any(each.state == "outstanding" for each in stage.node.journal.messages(gate.id))


def test_a_child_that_does_not_finish_in_time_is_killed_and_stopped(stage: Theater) -> None:
    home = household(stage)
    loops = description(
        stage, "loop", more="[supervision]\nshutdown_ms = 100", handlers="[limits]\n"
    )
    child = home.spawn(loops)
    stage.tell(stage.node.info(child), b"never ends")
    until(lambda: stage.types(stage.node.info(child)).count("wasm-call") == 2, stage.node)
    home.ask("x" + child)
    assert stage.types(stage.node.info(child))[-2:] == ["wasm-error", "actor-stop"]
    assert home.told() == []


def test_a_child_that_has_not_started_in_time_is_stopped_and_is_nobodys(stage: Theater) -> None:
    home = household(stage, "request_timeout_ms = 300\n")
    gate = stage.start("defer")
    with pytest.raises(ActorFailed, match=r"wait\.timed_out"):
        order = waiting_order(home, gate)
        stage.node.request(home.parent.id, order, timeout_ms=HOUR_MS).result(WAIT_S)
    [child] = stage.node.list(ended=True, parent=home.parent.id)
    assert stage.node.wait(child.id).result(WAIT_S).status == "stopped"
    assert home.children() == []
    assert home.told() == []
    stage.prove(home.parent)


def test_a_parent_that_is_stopped_while_it_waits_for_a_child_takes_it_with_it(
    stage: Theater,
) -> None:
    home = household(stage, "[supervision]\nshutdown_ms = 100\n")
    gate = stage.start("defer")
    asking = stage.node.request(home.parent.id, waiting_order(home, gate), timeout_ms=HOUR_MS)
    until(lambda: asked(stage, gate), stage.node)
    stage.node.stop(home.parent.id).result(WAIT_S)
    assert isinstance(asking.exception(WAIT_S), ActorFailed)
    [child] = stage.node.list(ended=True, parent=home.parent.id)
    assert child.status in ("stopped", "failed")
    stage.prove(home.parent)


def test_a_parent_whose_call_is_killed_and_done_again_has_one_child_of_it(stage: Theater) -> None:
    home = household(stage)
    gate = stage.start("defer")
    asking = stage.node.request(home.parent.id, waiting_order(home, gate), timeout_ms=HOUR_MS)
    until(lambda: asked(stage, gate), stage.node)
    [first] = stage.node.list(parent=home.parent.id)
    stage.node.restart(home.parent.id, keep_state=True).result(WAIT_S)
    assert stage.node.wait(first.id).result(WAIT_S).status in ("stopped", "failed")
    until(lambda: asked(stage, gate), stage.node)
    stage.tell(gate, b"go on")
    child = asking.result(WAIT_S).decode()
    assert child != first.id
    assert home.children() == [child]
    stage.prove(home.parent)


def test_the_children_of_a_parent_that_failed_are_stopped_before_it_begins_anew(
    stage: Theater,
) -> None:
    home = household(stage, 'poison = "fail"\n')
    children = [home.spawn() for _ in range(2)]
    grandchild = home.spawn(of=children[1])
    with pytest.raises(ActorFailed):
        home.ask("f")
    assert stage.node.wait(home.parent.id).result(WAIT_S).status == "failed"
    stage.node.restart(home.parent.id).result(WAIT_S)
    assert {home.status(actor) for actor in (*children, grandchild)} == {"stopped"}
    assert home.children() == []
    with pytest.raises(Conflict):
        stage.node.restart(children[0]).result(WAIT_S)
    stage.prove(home.parent)


def test_what_a_parent_is_told_of_a_failure_is_as_short_as_any_error(stage: Theater) -> None:
    home = household(stage)
    child = stage.node._router.actors[home.spawn()]
    report = of_failure(stage.node._services, child, "error", "x" * 1_000_000, init=False)
    [step] = report.steps
    assert isinstance(step, Enqueue)
    assert len(step.message.body) < 5_000


def test_who_is_told_of_more_children_than_it_can_take_has_the_rest_as_dead_letters(
    stage: Theater, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REPORTS_BEYOND_MAX", 1)
    home = household(stage, "[limits]\nmailbox = 1\n")
    gate = stage.start("defer")
    children = [home.spawn() for _ in range(4)]
    stage.node.request(home.parent.id, f"r{gate.id}?".encode(), timeout_ms=HOUR_MS)
    until(lambda: asked(stage, gate), stage.node)
    for child in children:
        stage.node.stop(child).result(WAIT_S)
    dead = stage.node.dead_letters(home.parent.id).messages
    assert [(each.message.subject, each.message.reason) for each in dead] == [
        (child, "mailbox.full") for child in children[2:]
    ]
    stage.tell(gate, b"go on")
    until(lambda: len(stage.node.journal.living_messages()) == 0, stage.node)
    assert home.told() == [f"S{child}" for child in children[:2]]


def test_a_failed_child_is_not_restarted_without_its_parent(stage: Theater) -> None:
    home = household(stage)
    child = home.spawn(description(stage, more='poison = "fail"'))
    with pytest.raises(ActorFailed):
        home.ask("f", of=child)
    assert stage.node.wait(child).result(WAIT_S).status == "failed"
    assert home.told() == [f"E{child}5trap (unreachable)"] * 2
    stage.node.restart(child).result(WAIT_S)
    assert home.children() == [child]
    with pytest.raises(ActorFailed):
        home.ask("f", of=child)
    stage.node.wait(child).result(WAIT_S)
    stage.node.stop(home.parent.id).result(WAIT_S)
    with pytest.raises(Conflict) as refused:
        stage.node.restart(child).result(WAIT_S)
    assert refused.value.code == "parent.ended"


def test_children_whose_parent_had_ended_when_the_process_did_are_stopped_by_the_next(
    stage: Theater,
) -> None:
    home = household(stage)
    children = [home.spawn() for _ in range(2)]
    grandchild = home.spawn(of=children[0])
    stage.node.close()
    journal = SqliteJournal.open(stage.data_dir)
    journal.append((SetActor(home.parent.id, status="failed"),))
    journal.close()
    stage.reopen()
    ended = [stage.node.wait(actor).result(WAIT_S) for actor in (*children, grandchild)]
    assert {each.status for each in ended} == {"stopped"}
    times = [
        list(stage.node.events(each))[-1].at for each in (children[1], grandchild, children[0])
    ]
    assert times == sorted(times)


def test_who_had_a_child_stop_is_known_to_the_next_process(stage: Theater) -> None:
    home = household(stage)
    gate = stage.start("defer")
    slow = description(stage, more="[supervision]\nshutdown_ms = 3600000")
    mine, other = home.spawn(slow), home.spawn(slow)
    waiting = [
        stage.node.request(child, f"r{gate.id}?".encode(), key=child, timeout_ms=HOUR_MS)
        for child in (mine, other)
    ]
    until(lambda: len(stage.node.journal.messages(gate.id)) == 2, stage.node)
    stage.node.stop(other)
    stage.node.send(home.parent.id, b"x" + mine.encode()).result(WAIT_S)
    until(lambda: home.status(mine) == home.status(other) == "stopping", stage.node)
    stage.reopen()
    for child in (mine, other):
        stage.node.stop(child, force=True).result(WAIT_S)
    assert home.told() == [f"S{other}"]
    assert all(each.exception(WAIT_S) for each in waiting)


@pytest.fixture
def crowded(tmp_path: Path, cache_dir: Path) -> Iterator[Theater]:
    """A node with so few threads that calls which wait have none."""
    settings = NodeSettings(cache_dir=cache_dir, workers=2, workers_max=4)
    with theater(tmp_path / "data", settings) as opened:
        yield opened


def test_parents_that_wait_without_a_thread_have_one_child_each(crowded: Theater) -> None:
    homes = [household(crowded) for _ in range(4)]
    gates = [crowded.start("defer") for _ in homes]
    asking = [
        crowded.node.request(home.parent.id, waiting_order(home, gate), timeout_ms=HOUR_MS)
        for home, gate in zip(homes, gates, strict=True)
    ]
    until(lambda: all(asked(crowded, gate) for gate in gates), crowded.node)
    for gate in gates:
        crowded.tell(gate, b"go on")
    for home, answer in zip(homes, asking, strict=True):
        child = answer.result(WAIT_S).decode()
        assert home.children() == [child]
        crowded.prove(home.parent)


@pytest.mark.parametrize(("call", "wanted"), [(1, True), (None, False)])
def test_no_child_is_made_for_a_call_that_is_over_or_waits_no_more(
    stage: Theater, call: int | None, wanted: bool
) -> None:
    """Its parent might have ended since, and would never stop it."""
    home = household(stage)
    gate = stage.start("defer")
    stage.node.request(home.parent.id, f"r{gate.id}?".encode(), timeout_ms=HOUR_MS)
    until(lambda: asked(stage, gate), stage.node)
    parent = stage.node._router.actors[home.parent.id]
    digest = bytes.fromhex(stage.node.add_component(guest("parent")))
    open_call = parent.tip.call if call is None else call
    assert open_call is not None
    child = "00000000-0000-4000-8000-000000000001"
    place = ChildPlace(parent, open_call, child, 9, False, None, lambda: wanted)
    described = Offspring(parent.manifest, digest, None)
    with pytest.raises(Conflict) as refused:
        stage.node._births.child(place, described, parent.manifest.grants)
    assert refused.value.code == "child.too_late"
    assert stage.node.list(ended=True, parent=home.parent.id) == []


def test_a_child_whose_parent_had_ended_has_its_messages_again_before_it_is_stopped(
    stage: Theater,
) -> None:
    home = household(stage)
    gate, paused = stage.start("defer"), stage.start("defer")
    child = home.spawn(description(stage, more="[supervision]\nshutdown_ms = 100"))
    stage.node.request(child, f"r{gate.id}?".encode(), timeout_ms=HOUR_MS)
    until(lambda: asked(stage, gate), stage.node)
    stage.node.pause(paused.id).result(WAIT_S)
    for _ in range(900):  # the next process takes its time to read them all
        last = stage.node.send(paused.id, b"waits")
    last.result(WAIT_S)
    stage.node.close()
    journal = SqliteJournal.open(stage.data_dir)
    journal.append((SetActor(home.parent.id, status="failed"),))
    journal.close()
    stage.reopen()
    stage.node.wait(child).result(WAIT_S)
    [in_hand] = stage.node.journal.messages(child)
    assert (in_hand.state, in_hand.reason) == ("dead", "killed")
    assert not stage.node.journal.waits()


def test_a_spawn_goes_on_in_the_next_process_with_the_same_child(stage: Theater) -> None:
    home = household(stage)
    gate = stage.start("defer")
    order = waiting_order(home, gate)
    stage.node.request(home.parent.id, order, key="spawn", timeout_ms=HOUR_MS)
    until(lambda: asked(stage, gate), stage.node)
    [child] = stage.node.list(parent=home.parent.id)
    stage.reopen()
    answer = stage.node.request(home.parent.id, order, key="spawn", timeout_ms=HOUR_MS)
    # As before: the child that is asked for waits for its own `init`, and its parent for the child.
    waits = stage.node._router._graph._waits
    until(lambda: home.parent.id in waits, stage.node)
    assert waits[home.parent.id][0] == child.id
    stage.tell(gate, b"go on")
    assert answer.result(WAIT_S).decode() == child.id
    assert home.children() == [child.id]
    for actor in (home.parent, child):
        stage.prove(actor)
