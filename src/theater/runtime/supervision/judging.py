"""What one end leads to, up the tree: who restarts, who gives up and fails, and what is to be done.

A supervisor that gives up has failed, so its own supervisor decides, and so on up to the node, which
supervises each top-level actor on its own. All of that is decided at once, since it belongs into the
record of the end that caused it; it is carried out after. What is still to be done for a child
stands in its supervisor's plan. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from theater.journal.records import Planned
from theater.manifest.model import Restart
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

INTENSITY: Final = "supervision.intensity"


class Kept(NamedTuple):
    """What is kept of a supervisor. `plan`: what is still to be done, in the order of the children."""

    window: Window = Window()
    plan: tuple[Planned, ...] = ()


class Level(NamedTuple):
    """A child and its supervisor, whose key is that of the journal's step.

    `spec` is None for a supervisor that restarts nobody, because it is ending itself. `children` are
    the living ones, in the order of their start. `keeps_state`: the child is restarted with its last
    state.
    """

    key: str
    spec: Spec | None
    child: str
    keeps_state: bool
    children: tuple[Child, ...]
    kept: Kept


class Judgement(NamedTuple):
    """What an end leads to.

    `goes_on`: who ended is restarted; `at_once`: by itself, with its last state, and nothing is
    planned for it. `why` is set where a supervisor gave up. `kept` is what is to be kept, by key.
    """

    goes_on: bool
    at_once: bool
    why: str | None
    kept: Mapping[str, Kept]


def judge(levels: Sequence[Level], end: End, why: str, *, now_us: int, ran: bool) -> Judgement:
    """Decide on an end. `levels` lead from who ended up to the node, whose level is the last.

    `ran` is false for one that ended in the `init` of a restart: it has to be restarted anew.
    """
    kept: dict[str, Kept] = {}
    given_up: str | None = None
    if end.exit is Exit.FAILURE and _is_to_restart(levels[0]):
        # It failed before it could be held for that, as a process may while its supervisor has it
        # terminated: this is no failure more.
        return Judgement(True, False, None, kept)
    for depth, level in enumerate(levels):
        if depth:
            end = End(level.child, Exit.FAILURE)
        decision = (
            Decision(Verdict.LEAVE, level.kept.window)
            if level.spec is None
            else decide(level.spec, level.children, end, level.kept.window, now_us)
        )
        match decision.verdict:
            case Verdict.LEAVE:
                kept[level.key] = Kept(decision.window, without(level.kept.plan, level.child))
                return _fail(levels, depth, given_up, kept)
            case Verdict.RESTART:
                return _restart(levels, depth, decision, given_up or why, kept, ran=ran)
            case Verdict.GIVE_UP:
                assert level.spec is not None
                given_up = _gave_up(level.spec, given_up or why)
                kept[level.key] = Kept()
    return _fail(levels, len(levels) - 1, given_up, kept)


def without(plan: tuple[Planned, ...], child: str) -> tuple[Planned, ...]:
    """A plan that has nothing more to do for a child."""
    return tuple(each for each in plan if each.actor != child)


def _is_to_restart(level: Level) -> bool:
    """Whether a restart that was decided before is still to come for the child."""
    planned = {(each.actor, each.step) for each in level.kept.plan}
    return level.spec is not None and (level.child, "restart") in planned


def _gave_up(spec: Spec, why: str) -> str:
    if why.startswith(INTENSITY):
        return why
    times = "restart" if spec.intensity == 1 else "restarts"
    return f"{INTENSITY}: more than {spec.intensity} {times} within {spec.period_s} s: {why}"


def _fail(levels: Sequence[Level], depth: int, why: str | None, kept: dict[str, Kept]) -> Judgement:
    """Whoever gave up fails, and nobody restarts them. Who ended fails in the record of its end."""
    for level in levels[1 : depth + 1]:
        found = kept[level.key]
        assert why is not None
        kept[level.key] = found._replace(plan=(*found.plan, Planned(level.child, "fail", why)))
    return Judgement(False, False, why, kept)


def _restart(
    levels: Sequence[Level],
    depth: int,
    decision: Decision,
    why: str,
    kept: dict[str, Kept],
    *,
    ran: bool,
) -> Judgement:
    level = levels[depth]
    before = level.kept.plan
    alone = decision.starts == (level.child,) and not decision.stops
    at_once = (
        not depth
        and alone
        and ran
        and level.keeps_state
        and all(each.actor != level.child for each in before)
    )
    plan = before if at_once else _merged(level, decision, why)
    kept[level.key] = Kept(decision.window, plan)
    # Who gave up is restarted, and with it those below: with its last state it still has them.
    goes_on = True
    for above, below in zip(reversed(levels[1 : depth + 1]), reversed(levels[:depth]), strict=True):
        goes_on = goes_on and above.keeps_state
        plan = tuple(
            Planned(child.id, "stop" if child.restart is Restart.TEMPORARY else "restart", why)
            for child in below.children
        )
        kept[below.key] = Kept(Window(), plan if goes_on else ())
    return Judgement(goes_on, at_once, why if depth else None, kept)


def _merged(level: Level, decision: Decision, why: str) -> tuple[Planned, ...]:
    """The plan that was there with what was decided now; who is in its `init` has just begun anew."""
    there = {each.actor: each for each in level.kept.plan}
    # Who was told to stop already is no sibling any more; nobody starts before it has ended.
    known = {child.id for child in level.children}
    plan = [each for each in level.kept.plan if each.step == "stop" and each.actor not in known]
    for child in level.children:
        found = there.get(child.id)
        ends = found is not None and found.step in ("stop", "fail")
        begins = found is not None and found.step == "init" and child.id != level.child
        if found is not None and (ends or begins):
            plan.append(found)
        elif child.id in decision.starts:
            plan.append(Planned(child.id, "restart", why))
        elif child.id in decision.stops:
            plan.append(Planned(child.id, "stop", why))
        elif found is not None:
            plan.append(found)
    return tuple(plan)
