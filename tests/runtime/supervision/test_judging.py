"""What one end leads to, over several levels: who is restarted, who fails, and what is planned."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theater.journal.records import Failure, Planned
from theater.manifest.model import Restart, Strategy
from theater.runtime.supervision.decision import Child, End, Exit, Spec, Window
from theater.runtime.supervision.judging import INTENSITY, Judgement, Kept, Level, judge

S = 1_000_000
FULL = Window((Failure(0, None),))
"""A window in which one more failure is too much for an intensity of 1."""


def level(
    key: str,
    child: str,
    *siblings: str,
    strategy: Strategy = Strategy.ONE_FOR_ONE,
    full: bool = False,
    keeps_state: bool = True,
    ends: bool = False,
    restart: Restart = Restart.TRANSIENT,
    plan: tuple[Planned, ...] = (),
) -> Level:
    """A child among siblings, in the order of their names, below a supervisor."""
    children = tuple(
        Child(name, restart if name == child else Restart.TRANSIENT)
        for name in sorted((child, *siblings))
    )
    spec = None if ends else Spec(strategy, 1, 5)
    return Level(key, spec, child, keeps_state, children, Kept(FULL if full else Window(), plan))


def judged(*levels: Level, exit_: Exit = Exit.FAILURE, ran: bool = True) -> Judgement:
    return judge(levels, End(levels[0].child, exit_), "trap", now_us=S, ran=ran)


def steps(kept: Kept) -> str:
    """A plan as text: child and what is to be done."""
    return " ".join(f"{each.actor}:{each.step}" for each in kept.plan)


def test_a_child_alone_is_restarted_at_once_with_its_last_state() -> None:
    made = judged(level("p", "a", "b"))
    assert (made.goes_on, made.at_once, made.why) == (True, True, None)
    assert made.kept == {"p": Kept(Window((Failure(S, None),)))}


@pytest.mark.parametrize(("keeps_state", "ran"), [(False, True), (False, False)])
def test_one_from_its_initial_state_is_planned(keeps_state: bool, ran: bool) -> None:
    made = judged(level("p", "a", "b", keeps_state=keeps_state), ran=ran)
    assert (made.goes_on, made.at_once) == (True, False)
    assert steps(made.kept["p"]) == "a:restart"


def test_a_group_is_planned_in_the_order_of_its_start() -> None:
    made = judged(level("p", "b", "a", "c", strategy=Strategy.ONE_FOR_ALL))
    assert (made.goes_on, made.at_once) == (True, False)
    assert steps(made.kept["p"]) == "a:restart b:restart c:restart"
    made = judged(level("p", "b", "a", "c", strategy=Strategy.REST_FOR_ONE))
    assert steps(made.kept["p"]) == "b:restart c:restart"


def test_a_second_failure_joins_what_is_still_to_be_done() -> None:
    plan = (
        Planned("b", "init", "before"),
        Planned("c", "restart", "before"),
        Planned("d", "stop", "before"),
    )
    made = judged(level("p", "a", "b", "c", "d", strategy=Strategy.REST_FOR_ONE, plan=plan))
    assert steps(made.kept["p"]) == "a:restart b:init c:restart d:stop"
    # Who fails in its `init` begins anew, and nobody is forgotten.
    made = judged(level("p", "b", "a", "c", "d", plan=plan, keeps_state=False), ran=False)
    assert steps(made.kept["p"]) == "b:restart c:restart d:stop"


def test_who_gives_up_is_restarted_by_the_next_and_its_children_with_it() -> None:
    made = judged(level("s", "a", "b", full=True), level("p", "s", "t"), level("node:p", "p"))
    assert (made.goes_on, made.at_once) == (True, False)
    assert made.why is not None
    assert made.why.startswith(INTENSITY)
    assert steps(made.kept["s"]) == "a:restart b:restart"
    assert steps(made.kept["p"]) == "s:restart"
    assert made.kept["s"].window == Window()
    assert made.kept["p"].window == Window((Failure(S, None),))
    assert "node:p" not in made.kept


def test_from_its_initial_state_it_has_no_children_so_the_child_ends() -> None:
    made = judged(level("s", "a", "b", full=True), level("p", "s", keeps_state=False))
    assert not made.goes_on
    assert made.kept["s"] == Kept()
    assert steps(made.kept["p"]) == "s:restart"


def test_over_three_levels_all_give_up_and_fail_one_above_the_other() -> None:
    made = judged(
        level("s", "a", "b", full=True),
        level("p", "s", "t", full=True),
        level("node:p", "p", full=True),
    )
    assert not made.goes_on
    assert (steps(made.kept["s"]), steps(made.kept["p"]), steps(made.kept["node:p"])) == (
        "",
        "s:fail",
        "p:fail",
    )


def test_the_third_level_restarts_what_the_second_could_not() -> None:
    made = judged(
        level("s", "a", "b", full=True),
        level("p", "s", "t", full=True),
        level("node:p", "p"),
    )
    assert made.goes_on
    assert steps(made.kept["s"]) == "a:restart b:restart"
    assert steps(made.kept["p"]) == "s:restart t:restart"
    assert steps(made.kept["node:p"]) == "p:restart"


def test_a_temporary_supervisor_fails_with_its_child() -> None:
    made = judged(level("s", "a", full=True), level("p", "s", "t", restart=Restart.TEMPORARY))
    assert not made.goes_on
    assert steps(made.kept["p"]) == "s:fail"
    assert made.kept["p"].window == Window()


@pytest.mark.parametrize("full", [True, False])
def test_a_supervisor_that_is_ending_restarts_nobody(full: bool) -> None:
    made = judged(level("s", "a", "b", ends=True, full=full), level("node:s", "s"))
    assert (made.goes_on, made.why) == (False, None)
    assert set(made.kept) == {"s"}


def test_a_normal_exit_leaves_the_plan_of_the_others() -> None:
    plan = (Planned("a", "restart", "before"), Planned("b", "restart", "before"))
    made = judged(level("p", "a", "b", plan=plan), exit_=Exit.NORMAL)
    assert (made.goes_on, made.why) == (False, None)
    assert steps(made.kept["p"]) == "b:restart"


names = st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=5, unique=True)


@st.composite
def trees(draw: st.DrawFn) -> list[Level]:
    """Levels from somebody up to the node."""
    made: list[Level] = []
    child = "x0"
    for depth in range(draw(st.integers(1, 4))):
        key = f"x{depth + 1}"
        siblings = [f"{key}{name}" for name in draw(names)]
        children = draw(st.permutations([child, *siblings]))
        restarts = draw(
            st.lists(st.sampled_from(list(Restart)), min_size=len(children), max_size=len(children))
        )
        failures = draw(st.integers(0, 2))
        made.append(
            Level(
                key,
                draw(
                    st.builds(Spec, st.sampled_from(list(Strategy)), st.integers(0, 2), st.just(5))
                ),
                child,
                draw(st.booleans()),
                tuple(
                    Child(name, restart) for name, restart in zip(children, restarts, strict=True)
                ),
                Kept(Window(tuple(Failure(0, None) for _ in range(failures)))),
            )
        )
        child = key
    return made


@given(trees(), st.sampled_from(list(Exit)), st.booleans())
def test_every_end_has_one_outcome_and_nobody_is_planned_for_twice(
    levels: list[Level], exit_: Exit, aside: bool
) -> None:
    end = End("x0", exit_, "m", aside)
    made = judge(levels, end, "trap", now_us=S, ran=True)
    planned = [each for kept in made.kept.values() for each in kept.plan]
    assert len({each.actor for each in planned}) == len(planned)
    own = [each for each in planned if each.actor == "x0"]
    assert len(own) == (made.goes_on and not made.at_once)
    assert all(each.step == "restart" for each in own)
    # Whoever gave up is restarted or fails, or is stopped with one above that begins anew: nobody
    # who did just goes on.
    for depth, (above, below) in enumerate(zip(levels[1:], levels, strict=False)):
        gave_up = below.key in made.kept and above.key in made.kept
        stops = any(
            not level.keeps_state and each.actor == level.child and each.step == "restart"
            for level in levels[depth + 2 :]
            for each in planned
        )
        assert (above.child in {each.actor for each in planned}) == (gave_up and not stops)
    # What is planned stands in the order of start, at its own supervisor.
    for each in levels:
        order = [child.id for child in each.children]
        plan = [step.actor for step in made.kept.get(each.key, Kept()).plan]
        assert plan == [name for name in order if name in plan]


def test_who_fails_before_its_planned_restart_is_no_failure_more() -> None:
    """It was to be held for it, as OTP terminates it: nobody counts that."""
    plan = (Planned("a", "restart", "before"), Planned("b", "restart", "before"))
    made = judged(level("p", "a", "b", plan=plan), level("node:p", "p"), exit_=Exit.FAILURE)
    assert (made.goes_on, made.at_once, made.why, dict(made.kept)) == (True, False, None, {})
