"""The rules of OTP's supervisor behaviour, case by case, as tables.

The titles in the docstrings are those of sections of "Supervisor Behaviour" in OTP's Design
Principles and of the module `supervisor` in stdlib. Where Theater differs, the test says so.
"""

from __future__ import annotations

import pytest

from theater.journal.records import Failure
from theater.manifest.model import Restart, Strategy, Supervision
from theater.runtime.supervision.decision import (
    Child,
    Decision,
    End,
    Exit,
    Spec,
    Verdict,
    Window,
    decide,
)

ALL, REST, ONE = Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE, Strategy.ONE_FOR_ONE
PERMANENT, TRANSIENT, TEMPORARY = Restart.PERMANENT, Restart.TRANSIENT, Restart.TEMPORARY
S = 1_000_000


def family(restarts: str) -> list[Child]:
    """Children a, b, c…, with the restart types whose letters these are: P, T or - (temporary)."""
    types = {"P": PERMANENT, "T": TRANSIENT, "-": TEMPORARY}
    return [Child(chr(ord("a") + n), types[letter]) for n, letter in enumerate(restarts)]


def decided(
    strategy: Strategy, restarts: str, child: str, exit_: Exit = Exit.FAILURE
) -> tuple[Verdict, str, str]:
    """The verdict, who is stopped and who is started, in order."""
    made = decide(Spec(strategy, 1, 5), family(restarts), End(child, exit_), Window(), 0)
    return made.verdict, "".join(made.stops), "".join(made.starts)


@pytest.mark.parametrize(
    ("restart", "exit_", "verdict"),
    [
        (PERMANENT, Exit.NORMAL, Verdict.RESTART),
        (PERMANENT, Exit.FAILURE, Verdict.RESTART),
        (TRANSIENT, Exit.NORMAL, Verdict.LEAVE),
        (TRANSIENT, Exit.FAILURE, Verdict.RESTART),
        (TEMPORARY, Exit.NORMAL, Verdict.LEAVE),
        (TEMPORARY, Exit.FAILURE, Verdict.LEAVE),
    ],
)
@pytest.mark.parametrize("strategy", list(Strategy))
def test_the_restart_type_says_after_which_exits_a_child_is_restarted(
    strategy: Strategy, restart: Restart, exit_: Exit, verdict: Verdict
) -> None:
    """Child Specification: restart."""
    children = [Child("a", PERMANENT), Child("b", restart), Child("c", PERMANENT)]
    made = decide(Spec(strategy, 1, 5), children, End("b", exit_), Window(), 0)
    assert made.verdict is verdict
    assert ("b" in made.starts) is (verdict is Verdict.RESTART)


@pytest.mark.parametrize("restart", list(Restart))
@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_child_that_somebody_stopped_stays_stopped(strategy: Strategy, restart: Restart) -> None:
    """Stopping a Child Process: a terminated child is not restarted by its supervisor."""
    children = [Child("a", restart), Child("b", PERMANENT)]
    made = decide(Spec(strategy, 1, 5), children, End("a", Exit.STOPPED), Window(), 0)
    assert made == Decision(Verdict.LEAVE, Window())


@pytest.mark.parametrize(
    ("strategy", "child", "stops", "starts"),
    [
        (ONE, "a", "", "a"),
        (ONE, "c", "", "c"),
        (ONE, "e", "", "e"),
        (ALL, "a", "edcb", "abcde"),
        (ALL, "c", "edba", "abcde"),
        (ALL, "e", "dcba", "abcde"),
        (REST, "a", "edcb", "abcde"),
        (REST, "c", "ed", "cde"),
        (REST, "e", "", "e"),
    ],
)
@pytest.mark.parametrize("restarts", ["PPPPP", "TTTTT", "PTPTP"])
def test_the_strategy_says_who_is_restarted_with_a_child(
    strategy: Strategy, restarts: str, child: str, stops: str, starts: str
) -> None:
    """Restart Strategy: one_for_one, one_for_all, rest_for_one.

    Supervision Principles: started in the order of the list, stopped in the reverse of it.
    """
    assert decided(strategy, restarts, child) == (Verdict.RESTART, stops, starts)


@pytest.mark.parametrize(
    ("strategy", "child", "stops", "starts"),
    [
        (ONE, "b", "", "b"),
        (ALL, "b", "dca", "bd"),
        (ALL, "d", "cba", "bd"),
        (REST, "b", "dc", "bd"),
        (REST, "d", "", "d"),
    ],
)
def test_a_temporary_sibling_is_stopped_with_the_group_and_not_started_again(
    strategy: Strategy, child: str, stops: str, starts: str
) -> None:
    """Child Specification: restart; a temporary child goes with its siblings and stays away."""
    assert decided(strategy, "-P-T", child) == (Verdict.RESTART, stops, starts)


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize(("restarts", "exit_"), [("P-P", Exit.FAILURE), ("PTP", Exit.NORMAL)])
def test_an_end_that_restarts_nobody_touches_no_sibling(
    strategy: Strategy, restarts: str, exit_: Exit
) -> None:
    """Restart Strategy: siblings are restarted only where the child itself is to be."""
    assert decided(strategy, restarts, "b", exit_) == (Verdict.LEAVE, "", "")


@pytest.mark.parametrize(
    ("intensity", "period_s", "times", "gives_up_at"),
    [
        (1, 5, [0, 1], 1),
        (1, 5, [0, 6, 12, 18], None),
        (1, 5, [0, 6, 7], 2),
        (0, 5, [0], 0),
        (3, 10, [0, 1, 2, 3], 3),
        (3, 10, [0, 4, 8, 12, 16, 20], None),
        (3, 10, [0, 0, 0, 11, 11, 11, 11], 6),
        (2, 1, [0, 0.5, 1.0], 2),
        (2, 1, [0, 0.5, 1.1, 1.7], None),
    ],
)
def test_more_restarts_than_the_intensity_within_the_period_make_the_supervisor_give_up(
    intensity: int, period_s: int, times: list[float], gives_up_at: int | None
) -> None:
    """Maximum Restart Intensity."""
    window, spec = Window(), Spec(ONE, intensity, period_s)
    found = None
    for n, at in enumerate(times):
        made = decide(spec, family("PP"), End("ab"[n % 2], Exit.FAILURE), window, round(at * S))
        window = made.window
        if made.verdict is Verdict.GIVE_UP:
            found = n
            break
    assert found == gives_up_at


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_restart_of_a_group_counts_once(strategy: Strategy) -> None:
    """Maximum Restart Intensity: what counts is what made it restart, not how many it restarted."""
    spec, window = Spec(strategy, 3, 5), Window()
    for _ in range(3):
        made = decide(spec, family("PPPP"), End("a", Exit.FAILURE), window, 0)
        assert made.verdict is Verdict.RESTART
        window = made.window
    assert decide(spec, family("PPPP"), End("a", Exit.FAILURE), window, 0).verdict is (
        Verdict.GIVE_UP
    )


@pytest.mark.parametrize("exit_", [Exit.NORMAL, Exit.FAILURE])
def test_a_restart_after_a_normal_exit_counts_as_any_other(exit_: Exit) -> None:
    """Maximum Restart Intensity: all restarts count, whatever the exit was."""
    made = decide(Spec(ONE, 1, 5), family("P"), End("a", exit_), Window((Failure(0, None),)), 0)
    assert made.verdict is Verdict.GIVE_UP


def test_an_end_without_restart_does_not_count() -> None:
    """Maximum Restart Intensity: only restarts count."""
    window = Window((Failure(0, None),))
    for restarts, exit_ in (("-", Exit.FAILURE), ("T", Exit.NORMAL), ("P", Exit.STOPPED)):
        made = decide(Spec(ONE, 1, 5), family(restarts), End("a", exit_), window, 0)
        assert made == Decision(Verdict.LEAVE, window)


def test_who_gives_up_stops_nobody_here_and_remembers_nothing() -> None:
    """Maximum Restart Intensity: the next higher supervisor decides, and counts from nothing."""
    window = Window((Failure(0, "m"),), (("a", 3),))
    made = decide(Spec(ALL, 1, 5), family("PP"), End("b", Exit.FAILURE), window, 0)
    assert made == Decision(Verdict.GIVE_UP, Window())


def test_the_defaults_are_those_of_otp_but_for_the_restart_type() -> None:
    """Supervisor flags; Child specification. Theater's `transient` and its time to shut down for a
    supervisor, for which OTP has none by default, are the two that differ.
    """
    defaults = Supervision()
    assert (defaults.strategy, defaults.intensity, defaults.period_s) == (ONE, 1, 5)
    assert (defaults.restart, defaults.shutdown_ms) == (TRANSIENT, 5_000)
