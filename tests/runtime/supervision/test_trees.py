"""Real trees: who is restarted with whom, in which order, and what becomes of messages meanwhile."""

from __future__ import annotations

import pytest

from tests.docs.test_second_verifier import second_problem
from tests.runtime.actors import WAIT_S, Theater, manifest, until
from tests.runtime.households import HANDLERS, Household, description, household
from tests.runtime.supervision.supervised import course, notes, restarts
from theater.chain import shapes
from theater.errors import ActorFailed


def table(**settings: object) -> str:
    """A `[supervision]` as text."""
    lines = [
        f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}"
        for key, value in settings.items()
    ]
    return "\n".join(["[supervision]", *lines, ""])


def counters(home: Household, *settings: str, of: str | None = None) -> list[str]:
    """Children that count and trap when told to, with these tables each."""
    return [
        home.spawn(description(home.stage, "counter", f"child-{n}", each), of=of)
        for n, each in enumerate(settings)
    ]


def fail(stage: Theater, actor: str) -> None:
    """Have a message end two calls of an actor, so that it is set aside."""
    with pytest.raises(ActorFailed):
        stage.node.request(actor, b"trap").result(WAIT_S)


def settled(stage: Theater) -> None:
    """Wait until nothing is planned."""
    until(lambda: not any(each.plan for each in stage.node.journal.supervision()), stage.node)


def proven(stage: Theater, *actors: str) -> None:
    """Assert that chains verify, here and by the second verifier, and replay to their heads."""
    for actor in actors:
        stage.prove(stage.node.info(actor))
        assert second_problem(list(stage.node.events(actor))) is None


def order_of(stage: Theater, *types: str) -> list[tuple[str, str]]:
    """Actor and type of the events of these types, as they came to be."""
    found = [(event.at, actor, event.type) for _, actor, event in stage.node.journal.tail()]
    return [(actor, type_) for _, actor, type_ in sorted(found) if type_ in types]


def _waits(stage: Theater, actor: str) -> bool:
    return any(each.state == "waiting" for each in stage.node.journal.messages(actor))


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("one_for_one", [False, True, False, False]),
        ("one_for_all", [True, True, True, True]),
        ("rest_for_one", [False, True, True, True]),
    ],
)
def test_the_strategy_says_who_is_restarted_in_the_order_of_the_start(
    stage: Theater, strategy: str, expected: list[bool]
) -> None:
    home = household(stage, table(strategy=strategy))
    children = counters(home, "", "", "", "")
    for child in children:
        assert stage.node.request(child, b"?").result(WAIT_S) == b"1"
    fail(stage, children[1])
    settled(stage)
    # The second failure set the message aside, and so took the first one out of the window.
    until(lambda: "A" in course(stage, children[1]), stage.node)
    assert [bool(restarts(stage, child)) for child in children] == expected
    assert course(stage, home.parent.id).count("R") == 0
    group = [child for child, each in zip(children, expected, strict=True) if each]
    told = [actor for actor, _ in order_of(stage, shapes.ACTOR_RESTART)]
    # It failed again before or after the others had their turn; then all have it once more.
    assert sorted(group, key=lambda child: len(told) - told[::-1].index(child)) == group
    assert told.count(children[1]) == 2
    for child in children:
        assert stage.node.request(child, b"?").result(WAIT_S) == b"2"
    assert home.told() == [f"E{children[1]}5trap (unreachable)"] * 2
    proven(stage, home.parent.id, *children)


def test_a_temporary_sibling_is_stopped_with_its_group_and_stays_so(stage: Theater) -> None:
    home = household(stage, table(strategy="one_for_all", intensity=3))
    children = counters(home, table(restart="temporary"), "", table(restart="temporary"))
    fail(stage, children[1])
    settled(stage)
    assert [home.status(child) for child in children] == ["stopped", "running", "stopped"]
    assert [note.by for note in notes(stage, children[0], shapes.ACTOR_STOP)] == ["supervisor"]
    stops = [actor for actor, _ in order_of(stage, shapes.ACTOR_STOP)]
    assert stops == [children[2], children[0]]
    assert home.children() == [children[1]]
    proven(stage, *children)


def test_a_temporary_child_that_fails_touches_nobody(stage: Theater) -> None:
    home = household(stage, table(strategy="one_for_all", intensity=0))
    children = counters(home, "", table(restart="temporary"), "")
    fail(stage, children[1])
    assert [home.status(child) for child in children] == ["running", "failed", "running"]
    assert [course(stage, child) for child in children] == ["cr", "crceF", "cr"]
    proven(stage, home.parent.id, *children)


@pytest.mark.parametrize("restart_state", ["last", "initial"])
def test_each_of_a_group_goes_on_as_its_own_manifest_says(
    stage: Theater, restart_state: str
) -> None:
    home = household(stage, table(strategy="one_for_all", intensity=3))
    children = counters(home, "", table(restart_state=restart_state), "")
    for child in children:
        assert stage.node.request(child, b"?").result(WAIT_S) == b"1"
    fail(stage, children[2])
    settled(stage)
    answers = [stage.node.request(child, b"?").result(WAIT_S) for child in children]
    assert answers == [b"2", {"last": b"2", "initial": b"1"}[restart_state], b"2"]
    if restart_state == "initial":
        # Its `init` returns before it is the next one's turn.
        told = order_of(stage, shapes.ACTOR_RESTART, shapes.WASM_RESULT)
        place = told.index((children[1], shapes.ACTOR_RESTART))
        assert told[place + 1 : place + 3] == [
            (children[1], shapes.WASM_RESULT),
            (children[2], shapes.ACTOR_RESTART),
        ]
    proven(stage, *children)


def test_messages_of_restarted_siblings_are_kept_and_handled_once(stage: Theater) -> None:
    home = household(stage, table(strategy="one_for_all", intensity=3))
    outside = stage.start("defer")
    worker = home.spawn(description(stage, "relay", "worker"), state=outside.id.encode())
    bad, last = counters(home, "", "")
    asked = [stage.node.request(worker, body) for body in (b"first", b"second")]
    until(lambda: len(stage.node.journal.messages(outside.id)) == 1, stage.node)
    stage.node.pause(last).result(WAIT_S)
    for _ in range(3):
        stage.node.send(last, b"x").result(WAIT_S)
    fail(stage, bad)
    settled(stage)
    # Its call was killed with every restart, and its message is in hand again, uncounted, and first.
    until(lambda: course(stage, worker).endswith("Rc"), stage.node)
    assert set(course(stage, worker)[2:-1].split("ckR")) == {""}
    sent = 0
    while not all(each.done() for each in asked):
        until(
            lambda: (
                all(each.done() for each in asked)
                or len(stage.node.journal.messages(outside.id)) > 0
            ),
            stage.node,
        )
        stage.node.send(outside.id, b"%d" % sent).result(WAIT_S)
        sent += 1
        until(lambda: not _waits(stage, outside.id), stage.node)
    assert [len(each.result(WAIT_S)) for each in asked] == [1, 1]
    calls = [
        call.message
        for event in stage.node.events(worker)
        if isinstance(call := shapes.parse(event.type, event.data or b""), shapes.Call)
        and call.message is not None
    ]
    assert {call.attempt for call in calls} == {0}
    assert len({call.id for call in calls}) == 2
    assert course(stage, worker).count("r") == 3
    # Who was paused is so until an operator says otherwise, and has lost nothing.
    assert home.status(last) == "paused"
    assert stage.node.state(last) == b"0"
    stage.node.resume(last).result(WAIT_S)
    assert stage.node.request(last, b"?").result(WAIT_S) == b"4"
    proven(stage, worker, bad, last)


def test_who_gives_up_is_restarted_by_the_next_with_all_its_children(stage: Theater) -> None:
    home = household(stage, table(intensity=1))
    middle = home.spawn(description(stage, "parent", "middle", table(intensity=0)))
    leaves = counters(home, "", "", of=middle)
    for leaf in leaves:
        assert stage.node.request(leaf, b"?").result(WAIT_S) == b"1"
    answer = stage.node.request(leaves[0], b"trap")
    settled(stage)
    until(lambda: len(restarts(stage, leaves[1])) == 1, stage.node)
    assert restarts(stage, middle)[0].startswith("supervision.intensity")
    assert course(stage, home.parent.id).count("R") == 0
    # The message is tried again, gives one failure more, and the next level gives up as well: the
    # node restarts the top, for which that is the first, and it all goes on.
    with pytest.raises(ActorFailed):
        answer.result(WAIT_S)
    settled(stage)
    assert {home.status(each) for each in (home.parent.id, middle, *leaves)} == {"running"}
    assert [stage.node.request(leaf, b"?").result(WAIT_S) for leaf in leaves] == [b"2", b"2"]
    proven(stage, home.parent.id, middle, *leaves)


def test_beyond_the_intensity_of_every_level_all_of_them_fail(stage: Theater) -> None:
    home = household(stage, table(intensity=0))
    middle = home.spawn(description(stage, "parent", "middle", table(intensity=0)))
    leaf, sibling = counters(home, "", "", of=middle)
    aunt = home.spawn(description(stage, "counter", "aunt"))
    ends = [stage.node.wait(each) for each in (home.parent.id, middle, leaf, sibling, aunt)]
    with pytest.raises(ActorFailed):
        stage.node.request(leaf, b"trap").result(WAIT_S)
    assert [end.result(WAIT_S).status for end in ends] == [
        *("failed", "failed", "failed"),
        *("stopped", "stopped"),
    ]
    for actor in (home.parent.id, middle, leaf):
        [note] = notes(stage, actor, shapes.ACTOR_FAIL)
        assert note.by == "supervisor"
        assert note.why.startswith("supervision.intensity")
    [dead] = stage.node.dead_letters(leaf).messages
    assert (dead.message.reason, dead.message.attempt) == ("trap", 0)
    assert not stage.node.journal.supervision()
    proven(stage, home.parent.id, middle, leaf, sibling, aunt)


def test_a_supervisor_from_its_initial_state_has_no_children_any_more(stage: Theater) -> None:
    home = household(stage, table(intensity=3))
    chosen = table(intensity=0, restart_state="initial")
    middle = home.spawn(description(stage, "parent", "middle", chosen))
    leaves = counters(home, "", "", "", of=middle)
    with pytest.raises(ActorFailed):
        stage.node.request(leaves[0], b"trap").result(WAIT_S)
    settled(stage)
    until(lambda: "Rcr" in course(stage, middle), stage.node)
    assert [home.status(leaf) for leaf in leaves] == ["failed", "stopped", "stopped"]
    stops = [actor for actor, _ in order_of(stage, shapes.ACTOR_STOP)]
    assert stops == [leaves[2], leaves[1]]
    assert home.children(of=middle) == []
    proven(stage, home.parent.id, middle, *leaves)


def test_a_child_that_fails_before_its_supervisor_begins_anew_makes_it_fail_no_second_time(
    stage: Theater,
) -> None:
    home = household(stage, table(intensity=1, period_s=3600))
    chosen = table(intensity=0, restart_state="initial")
    middle = home.spawn(description(stage, "parent", "middle", chosen))
    leaves = counters(home, "", "", of=middle)
    outside = stage.start("defer")
    slow = description(stage, "relay", "slow", table(shutdown_ms=600_000))
    youngest = home.spawn(slow, state=outside.id.encode(), of=middle)
    asked = stage.node.request(youngest, b"?")
    until(lambda: bool(stage.node.journal.messages(outside.id)), stage.node)
    for leaf in leaves:
        with pytest.raises(ActorFailed):
            stage.node.request(leaf, b"trap").result(WAIT_S)
    assert home.status(youngest) == "stopping"
    stage.node.send(outside.id, b"done").result(WAIT_S)
    assert asked.result(WAIT_S) == b"done"
    settled(stage)
    until(lambda: "Rcr" in course(stage, middle), stage.node)
    assert course(stage, middle).count("R") == 1
    assert [home.status(leaf) for leaf in (*leaves, youngest)] == ["failed", "failed", "stopped"]
    assert "R" not in course(stage, home.parent.id)
    proven(stage, home.parent.id, middle, *leaves, youngest)


def test_a_failure_of_a_parent_keeps_its_children_unless_it_begins_anew(stage: Theater) -> None:
    for restart_state, left in (("last", 2), ("initial", 0)):
        home = household(stage, table(intensity=3, restart_state=restart_state))
        leaves = counters(home, "", "")
        with pytest.raises(ActorFailed):
            home.ask("f")
        settled(stage)
        until(lambda: home.status(home.parent.id) == "running", stage.node)  # noqa: B023
        assert home.children() == leaves[:left]
        assert all(course(stage, leaf) == ("cr" if left else "crS") for leaf in leaves)
        proven(stage, home.parent.id, *leaves)


def test_a_permanent_child_that_asked_for_its_end_takes_its_group_along(stage: Theater) -> None:
    home = household(stage, table(strategy="one_for_all", intensity=3))
    [sibling] = counters(home, "")
    child = home.spawn(description(stage, "parent", "child", table(restart="permanent")))
    home.ask("dresult", of=child)
    settled(stage)
    until(lambda: restarts(stage, child) == ["shutdown"], stage.node)
    assert restarts(stage, sibling) == ["shutdown"]
    assert home.told() == [f"X{child}result"]
    assert home.children() == [sibling, child]
    assert home.ask("l", of=child) == ""
    proven(stage, home.parent.id, sibling, child)


def test_an_init_that_fails_in_a_restart_is_tried_again_and_counts(stage: Theater) -> None:
    home = household(stage, table(intensity=2))
    switch = stage.start("counter", manifest("switch"))
    # The `init` of `parent` asks whom its state names, and fails if that gives no answer.
    chosen = 'request_timeout_ms = 200\n[supervision]\nrestart_state = "initial"\n'
    child = home.spawn(
        description(stage, "parent", "child", chosen), state=f"r{switch.id}?".encode()
    )
    stage.node.pause(switch.id).result(WAIT_S)
    refused = stage.node.request(child, b"f", timeout_ms=60_000)
    until(lambda: course(stage, child).startswith("cr ce Rce R".replace(" ", "")), stage.node)
    stage.node.resume(switch.id).result(WAIT_S)
    until(lambda: course(stage, child).startswith("cr ce Rce Rcr".replace(" ", "")), stage.node)
    # Its message is tried again, and set aside: that failure does not count, so it is restarted once
    # more, and the two of `init` and of the first try are all that did.
    with pytest.raises(ActorFailed):
        refused.result(WAIT_S)
    settled(stage)
    assert home.status(child) == "running"
    assert len(restarts(stage, child)) == 3
    proven(stage, child)
    stage.node.stop(switch.id).result(WAIT_S)
    ended = stage.node.wait(child)
    with pytest.raises(ActorFailed):
        stage.node.request(child, b"f", timeout_ms=60_000).result(WAIT_S)
    assert ended.result(WAIT_S).status == "failed"
    proven(stage, child)


def test_an_init_that_fails_at_the_first_start_is_not_tried_again(stage: Theater) -> None:
    home = household(stage, table(intensity=5))
    with pytest.raises(ActorFailed):
        home.spawn(state=b"f")
    [failed] = [each for each in stage.node.list(ended=True) if each.parent == home.parent.id]
    assert course(stage, failed.id) == "ceF"
    assert course(stage, home.parent.id).count("R") == 0


def test_a_stop_is_final_whatever_was_planned(stage: Theater) -> None:
    home = household(stage, table(strategy="one_for_all", intensity=9))
    children = counters(home, table(restart="permanent"), "", table(restart="permanent"))
    home.ask("x" + children[0])
    assert stage.node.stop(children[2]).result(WAIT_S).status == "stopped"
    fail(stage, children[1])
    settled(stage)
    assert [home.status(child) for child in children] == ["stopped", "running", "stopped"]
    assert restarts(stage, children[0]) == restarts(stage, children[2]) == []


def test_a_requester_gets_its_answer_from_a_sibling_that_is_restarted(stage: Theater) -> None:
    home = household(stage, table(strategy="rest_for_one", intensity=9))
    bad, worker = counters(home, "", "")
    asker = stage.start("parent", manifest("asker", handlers=HANDLERS))
    failing = stage.node.request(bad, b"trap")
    answers = [stage.node.request(asker.id, f"r{worker}?".encode()) for _ in range(5)]
    with pytest.raises(ActorFailed):
        failing.result(WAIT_S)
    assert [answer.result(WAIT_S) for answer in answers] == [b"1", b"2", b"3", b"4", b"5"]
    settled(stage)
    proven(stage, bad, worker, asker.id)
