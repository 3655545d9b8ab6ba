"""Actors with children: how they are started, told of, and ended."""

from __future__ import annotations

import pytest

from tests.runtime.actors import WAIT_S, Theater
from tests.runtime.households import HANDLERS, Household, description, household
from theater.chain import shapes
from theater.errors import ActorFailed


@pytest.fixture
def home(stage: Theater) -> Household:
    return household(stage)


def refusal_of(home: Household, order: str | bytes) -> str:
    """The error that a parent's host call has, by its code."""
    with pytest.raises(ActorFailed) as refused:
        home.ask(order)
    return str(refused.value).partition(":")[0]


def test_a_child_is_started_and_its_chain_names_its_parent(home: Household) -> None:
    child = home.spawn()
    info = home.stage.node.info(child)
    assert (info.status, info.parent, info.name) == ("running", home.parent.id, "child")
    first = next(iter(home.stage.node.events(child)))
    assert first.data is not None
    start = shapes.parse(first.type, first.data)
    assert isinstance(start, shapes.Start)
    assert start.parent is not None
    parents = {event.seq: event for event in home.stage.node.events(home.parent.id)}
    assert parents[start.parent.seq].hash == start.parent.hash
    assert home.children() == [child]
    home.stage.prove(info)
    home.stage.prove(home.parent)


def test_children_are_listed_in_the_order_of_their_start(home: Household) -> None:
    children = [home.spawn() for _ in range(4)]
    assert home.children() == children
    home.ask("x" + children[1])
    assert home.children() == [children[0], *children[2:]]
    assert home.ask("t" + children[1]) == "4"


def test_init_bytes_replace_the_state_of_the_manifest(home: Household) -> None:
    child = home.spawn(
        description(home.stage, more="initial_state = {of = 'the manifest'}"), state=b"given"
    )
    assert home.ask("g" + child) == "given"
    other = home.spawn(description(home.stage, more="initial_state = {of = 'it'}"))
    assert home.ask("g" + other) == '{"of": "it"}'


def test_a_child_whose_init_fails_is_the_error_of_spawn(home: Household) -> None:
    order = b"C\x01e" + home.text.encode()
    assert refusal_of(home, order) == "child.init_failed"
    assert home.children() == []
    assert home.told() == []
    [failed] = [each for each in home.stage.node.list(ended=True) if each.parent]
    assert failed.status == "failed"
    home.stage.prove(home.parent)


def test_a_child_that_asks_its_parent_in_its_init_has_the_cycle_at_once(home: Household) -> None:
    state = f"r{home.parent.id}s".encode()
    order = b"C" + bytes([len(state)]) + state + home.text.encode()
    with pytest.raises(ActorFailed, match=r"request\.cycle"):
        home.ask(order)


def test_other_peoples_children_are_nobody_s_business(home: Household) -> None:
    child = home.spawn()
    grandchild = home.spawn(of=child)
    stranger = home.stage.start("counter")
    for actor in (grandchild, stranger.id, home.parent.id, "nobody"):
        for order in "xygte":
            assert refusal_of(home, order + actor) == "child.not_found"
    assert home.status(grandchild) == "running"


def test_a_parent_stops_its_children_before_itself_the_youngest_first(home: Household) -> None:
    children = [home.spawn() for _ in range(3)]
    grandchild = home.spawn(of=children[0])
    order: list[str] = []
    undo = home.stage.node.watch(order.extend)
    home.stage.node.stop(home.parent.id).result(WAIT_S)
    undo()
    ends = {
        actor: list(home.stage.node.events(actor))[-1]
        for actor in (*children, grandchild, home.parent.id)
    }
    assert {event.type for event in ends.values()} == {"actor-stop"}
    expected = [children[2], children[1], grandchild, children[0], home.parent.id]
    assert list(dict.fromkeys(order)) == expected
    assert [ends[a].at for a in expected] == sorted(ends[a].at for a in expected)
    for actor in expected:
        home.stage.prove(home.stage.node.info(actor))


@pytest.mark.parametrize("order", ["f", "dbye"])
def test_no_child_outlives_a_parent_that_fails_or_shuts_itself_down(
    stage: Theater, order: str
) -> None:
    home = household(stage)
    top = home.spawn()
    children = [home.spawn(of=top) for _ in range(2)]
    grandchild = home.spawn(of=children[0])
    if order == "f":
        stage.node.restart(top, keep_state=True).result(WAIT_S)
        assert home.children(top) == children
    home.ask("d", of=top)
    ended = [stage.node.wait(actor).result(WAIT_S) for actor in (grandchild, *children, top)]
    assert {each.status for each in ended} == {"stopped"}


def test_a_restart_from_the_initial_state_stops_the_children_and_one_that_keeps_it_does_not(
    home: Household,
) -> None:
    child = home.spawn()
    home.stage.node.restart(home.parent.id, keep_state=True).result(WAIT_S)
    assert home.children() == [child]
    home.stage.node.restart(home.parent.id).result(WAIT_S)
    assert home.children() == []
    assert home.status(child) == "stopped"


def test_restart_child_begins_anew_under_the_same_id(home: Household) -> None:
    child = home.spawn(state=b"given")
    grandchild = home.spawn(of=child)
    home.ask("y" + child)
    assert home.status(grandchild) == "stopped"
    types = home.stage.types(home.stage.node.info(child))
    assert types.count("actor-restart") == 1
    assert home.ask("e" + child) == "".join(each[0] for each in types)
    assert home.ask("g" + child) == "given"
    for actor in (child, home.parent.id):
        home.stage.prove(home.stage.node.info(actor))


def test_a_parent_is_told_of_ends_that_it_did_not_make(home: Household) -> None:
    gone, stopped, mine = (home.spawn() for _ in range(3))
    home.ask("dbye", of=gone)
    home.stage.node.wait(gone).result(WAIT_S)
    home.stage.node.stop(stopped).result(WAIT_S)
    home.ask("x" + mine)
    assert home.told() == [f"X{gone}bye", f"S{stopped}"]
    home.stage.prove(home.parent)


def test_a_parent_is_told_of_every_failure_before_the_child_goes_on(home: Household) -> None:
    child = home.spawn()
    with pytest.raises(ActorFailed):
        home.ask("f", of=child)
    assert home.told() == [f"E{child}5trap (unreachable)"] * 2
    assert home.status(child) == "running"
    home.stage.prove(home.parent)


def test_the_error_of_a_failed_init_has_no_words_of_a_library(home: Household) -> None:
    with pytest.raises(ActorFailed) as refused:
        home.spawn(state=b"f")
    assert str(refused.value) == "child.init_failed: trap (unreachable)"


def test_children_live_on_in_the_next_process(home: Household) -> None:
    child = home.spawn()
    home.stage.reopen()
    assert home.children() == [child]
    home.stage.node.stop(home.parent.id).result(WAIT_S)
    assert home.status(child) == "stopped"


def test_an_actor_has_no_more_children_than_its_grant_allows(stage: Theater) -> None:
    two = HANDLERS + "max_children = 2\n"
    home = household(stage)
    top = home.spawn(description(stage, handlers=two))
    first = home.spawn(of=top)
    home.spawn(of=top)
    with pytest.raises(ActorFailed, match=r"children\.full"):
        home.spawn(of=top)
    home.ask("x" + first, of=top)
    home.spawn(of=top)


def test_a_child_has_at_most_what_its_parent_has(stage: Theater) -> None:
    home = household(stage)
    store = HANDLERS + '[[handler]]\ntype = "store"\n'
    child = home.spawn(description(stage, handlers=store))
    first = next(iter(stage.node.events(child)))
    assert first.data is not None
    start = shapes.parse(first.type, first.data)
    assert isinstance(start, shapes.Start)
    grants = stage.node.content(start.grants[0])
    assert grants is not None
    assert b"store" not in grants
    lone = household(stage, '[permission_policy.supervisor]\ntype = "disallow"\n')
    assert refusal_of(lone, "c" + lone.text) == "permission.not_from_parent"


def test_an_actor_that_is_killed_takes_its_children_with_it_at_once(home: Household) -> None:
    child = home.spawn(
        description(home.stage, "busy", handlers='[[handler]]\ntype="message-server"')
    )
    home.stage.node.stop(home.parent.id, force=True).result(WAIT_S)
    assert home.status(child) == "stopped"
