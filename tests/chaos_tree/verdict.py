"""What must be true of the tree after a run, and the histogram of the faults.

Every message that was accepted was handled once, is in quarantine, or is a dead letter with a
reason; handled says a chain, not a state, because a restart from the initial state loses states by
design. Nobody waited beyond its time-out. Every chain verifies, and every living actor's state is
what its chain says that it handled.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from tests.chaos_tree.callers import SLACK_S, Dealings
from tests.chaos_tree.histories import History, read
from tests.chaos_tree.injector import Injected
from tests.chaos_tree.letters import REQUEST_MS, states_names
from tests.chaos_tree.plan import ROOT, Fault, Plan
from theater.chain import shapes
from theater.journal.port import Journal
from theater.journal.records import ActorRow, Message
from theater.runtime.states import By
from theater.runtime.supervision.judging import INTENSITY

PAGE: Final = 1000
ENDED: Final = ("stopped", "failed")
LATE: Final = "answer.late"
ENDS: Final = {
    Fault.TRAP: "trap",
    Fault.POISON: "trap",
    Fault.DEADLINE: "deadline",
    Fault.ERROR: "error",
    Fault.EXIT: None,
}
"""How calls of the faults end that are messages."""


@dataclass
class Cell:
    """One kind of fault: how many were injected, how many found their target and did what they do."""

    injected: int = 0
    took_effect: int = 0


@dataclass
class Verdict:
    """`faults` is empty if all is as it must be."""

    histogram: dict[Fault, Cell] = field(default_factory=lambda: {kind: Cell() for kind in Fault})
    actors: int = 0
    living: int = 0
    events: int = 0
    accepted: int = 0
    handled: int = 0
    aside: int = 0
    dead: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    notes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    deeds: Counter[tuple[str, bool]] = field(default_factory=Counter)
    given_up: int = 0
    longest_s: float = 0.0
    replayed: int = 0
    faults: list[str] = field(default_factory=list)

    def expect(self, condition: bool, fault: str) -> None:
        if not condition:
            self.faults.append(fault)


def judge(plan: Plan, journal: Journal, dealings: Dealings, injected: list[Injected]) -> Verdict:
    """Look at everything that a run left in its journal, and at what the callers were told."""
    verdict = Verdict()
    rows = every_actor(journal)
    histories = [read(journal, row) for row in rows]
    verdict.actors = len(rows)
    for history in histories:
        _add(verdict, history)
    _nothing_is_left_to_do(verdict, journal)
    _the_tree_is_whole(verdict, rows)
    _every_child_was_started_once(verdict, histories)
    _supervisors_kept_to_their_policies(verdict, plan, histories)
    _the_runtime_made_no_mistake(verdict, histories)
    _states_are_what_was_handled(verdict, plan, journal, histories)
    _every_message_has_one_fate(verdict, plan, journal, histories, dealings)
    _nobody_waited_too_long(verdict, histories, dealings)
    _count(verdict, histories, injected)
    return verdict


def every_actor(journal: Journal) -> list[ActorRow]:
    """All actors that ever were."""
    rows: list[ActorRow] = []
    while page := journal.actors(ended=True, after=rows[-1].number if rows else -1, limit=PAGE):
        rows.extend(page)
    return rows


def unhandled(journal: Journal) -> dict[str, Message]:
    """Every dead letter and every message in quarantine, by id."""
    found: dict[str, Message] = {}
    for state in ("dead", "aside"):
        after = 0
        while page := journal.unhandled(state, after=after, limit=PAGE):
            after = page[-1].number
            found.update((each.message.id, each.message) for each in page)
    return found


def _add(verdict: Verdict, history: History) -> None:
    verdict.events += history.events
    verdict.notes.update(history.notes)
    verdict.kinds.update(history.kinds)
    verdict.deeds.update(history.deeds)
    verdict.ends.update(call.end or "result" for call in history.calls if call.end != "")
    if history.problem is not None:
        verdict.faults.append(f"{history.row.name} {history.row.id}: {history.problem}")


def _nothing_is_left_to_do(verdict: Verdict, journal: Journal) -> None:
    for message in journal.living_messages():
        verdict.faults.append(f"{message.id} is left, {message.state}, at {message.receiver}")
    for wait, _ in journal.waits():
        verdict.faults.append(f"the wait {wait.id} of {wait.actor} is left open")
    for kept in journal.supervision():
        verdict.expect(not kept.plan, f"{kept.supervisor} has still to do {kept.plan}")


def _the_tree_is_whole(verdict: Verdict, rows: list[ActorRow]) -> None:
    living = {row.id for row in rows if row.status not in ENDED}
    verdict.living = len(living)
    for row in rows:
        if row.id not in living:
            continue
        orphan = row.parent is not None and row.parent not in living
        verdict.expect(not orphan, f"{row.name} lives and its parent does not")
        verdict.expect(row.status == "running", f"{row.name} is {row.status}")
        verdict.expect(row.tip.call is None, f"a call of {row.name} is left open")
        verdict.expect(row.deaths == 0, f"{row.name} still counts deaths")
    roots = [row for row in rows if row.name == ROOT and row.id in living]
    verdict.expect(len(roots) == 1, "the root does not live")


def _every_child_was_started_once(verdict: Verdict, histories: list[History]) -> None:
    born = {history.row.id: history.row for history in histories}
    spawned: set[str] = set()
    for history in histories:
        spawned |= history.spawned.keys()
        for child, ok in history.spawned.items():
            row = born.get(child)
            verdict.expect(
                not ok or (row is not None and row.parent == history.row.id),
                f"{history.row.name} started {child}, which is not its child",
            )
    for row in born.values():
        verdict.expect((row.parent is None) == (row.name == ROOT), f"{row.name} has no parent")
        # A call that was killed while it waited for its child has no event of it.
        verdict.expect(
            row.parent is None or row.id in spawned or row.status in ENDED,
            f"{row.name} {row.id} lives and nobody started it",
        )


def _supervisors_kept_to_their_policies(
    verdict: Verdict, plan: Plan, histories: list[History]
) -> None:
    given_up = {history.row.id: _times(history, INTENSITY) for history in histories}
    rows = [history.row for history in histories]
    living = {row.id for row in rows if row.status not in ENDED}
    failed: Counter[str] = Counter()
    for history in histories:
        row = history.row
        restart = plan.members[row.name].restart
        restarts = sum(
            count
            for (type_, by, _), count in history.notes.items()
            if type_ == shapes.ACTOR_RESTART and by == By.SUPERVISOR.value
        )
        verdict.expect(
            restart != "temporary" or not restarts, f"{row.name} is temporary and was restarted"
        )
        asked = any(
            type_ == shapes.ACTOR_STOP and by == By.ACTOR.value for type_, by, _ in history.notes
        )
        verdict.expect(
            restart != "permanent" or not asked or row.parent not in living,
            f"{row.name} is permanent and was let go",
        )
        if row.status == "failed" and restart != "temporary" and row.parent is not None:
            failed[row.parent] += 1
    # Who is restarted with a branch that gave up has its reason in the notes.
    verdict.given_up = sum(given_up[row.id] for row in rows if row.name in plan.branches)
    for parent, count in failed.items():
        # It gives up again while it has yet to be restarted, and then is restarted once.
        verdict.expect(
            parent not in living or 1 <= given_up[parent] <= count,
            f"{count} children of {parent} failed for good, and it gave up {given_up[parent]} times",
        )


def _the_runtime_made_no_mistake(verdict: Verdict, histories: list[History]) -> None:
    for history in histories:
        for type_, by, why in history.notes:
            mistake = type_ == shapes.ACTOR_FAIL and by == By.NODE.value
            verdict.expect(not mistake, f"{history.row.name} {history.row.id} failed: {why}")
        verdict.expect(
            all(call.end not in ("host", "diverged") for call in history.calls),
            f"a call of {history.row.name} {history.row.id} ended by a fault of the host",
        )


def _times(history: History, why: str) -> int:
    return sum(count for (_, _, said), count in history.notes.items() if said.startswith(why))


def _states_are_what_was_handled(
    verdict: Verdict, plan: Plan, journal: Journal, histories: list[History]
) -> None:
    for history in histories:
        row = history.row
        if row.status in ENDED:
            continue
        ref = row.tip.state
        kept = None if ref is None else journal.content(ref[0])
        names = states_names(plan.members[row.name], None if kept is None else kept[1])
        verdict.expect(
            names == history.names,
            f"the state of {row.name} {row.id} has {len(names)} messages, its chain handled "
            f"{len(history.names)}",
        )


def _every_message_has_one_fate(
    verdict: Verdict,
    plan: Plan,
    journal: Journal,
    histories: list[History],
    dealings: Dealings,
) -> None:
    handled: Counter[str] = Counter()
    accepted: dict[str, str] = {}
    for history in histories:
        errors_fail = plan.members[history.row.name].errors == "fail"
        accepted.update((message, history.row.name) for message in history.sent)
        accepted.update((message, history.row.name) for message in history.answered)
        for call in history.calls:
            if call.end is None or (call.end == "error" and not errors_fail):
                handled[call.message] += 1
    for name, message in dealings.sends.items():
        kept = journal.key(name)
        known = None if kept is None else kept.message
        verdict.expect(message in (None, known), f"{name} was {message} and is {known} now")
        if known is not None:
            accepted[known] = name
    for name, told in dealings.told.items():
        kept = journal.key(name)
        if kept is not None:
            accepted[kept.message] = name
        if isinstance(told, bytes):
            verdict.expect(told == name.encode(), f"{name} was answered {told[:40]!r}")
            verdict.expect(kept is not None, f"the key {name} was forgotten")
    left = unhandled(journal)
    verdict.accepted, verdict.handled = len(accepted), sum(handled.values())
    for message, whose in accepted.items():
        _has_one_fate(verdict, f"{message} ({whose})", handled[message], left.get(message))
    for message in handled.keys() - accepted.keys():
        _has_one_fate(verdict, message, handled[message], left.get(message))
    for letter in left.values():
        verdict.expect(bool(letter.reason), f"{letter.id} is {letter.state} without a reason")
        if letter.state == "aside":
            verdict.aside += 1
        else:
            verdict.dead[letter.reason or ""] += 1


def _has_one_fate(verdict: Verdict, message: str, handled: int, left: Message | None) -> None:
    kept = "nowhere" if left is None else f"{left.state}: {left.reason}"
    # Its call came to an end, and only its answer did not reach anybody.
    late = left is not None and left.reason == LATE
    verdict.expect(
        handled == (1 if left is None or late else 0),
        f"{message} was handled {handled} times and is kept {kept}",
    )


def _nobody_waited_too_long(verdict: Verdict, histories: list[History], dealings: Dealings) -> None:
    verdict.longest_s = dealings.longest_s
    verdict.faults.extend(dealings.slow)
    for history in histories:
        waited_s = history.waited_us / 1e6
        verdict.longest_s = max(verdict.longest_s, waited_s)
        verdict.expect(
            waited_s <= REQUEST_MS / 1000 + SLACK_S,
            f"{history.row.name} waited {waited_s:.1f} s for an answer",
        )


def _count(verdict: Verdict, histories: list[History], injected: list[Injected]) -> None:
    ends: dict[str, set[str | None]] = {}
    gave_up = {history.row.id for history in histories if _times(history, INTENSITY)}
    for history in histories:
        for call in history.calls:
            ends.setdefault(call.message, set()).add(call.end)
    for each in injected:
        kind = each.fault.kind
        cell = verdict.histogram[kind]
        cell.injected += 1
        if kind in ENDS:
            cell.took_effect += any(ENDS[kind] in ends.get(id_, ()) for id_ in each.messages)
        elif kind is Fault.STORM:
            cell.took_effect += not gave_up.isdisjoint(each.actors)
        elif kind in (Fault.STOP_CHILD, Fault.RESTART_CHILD):
            cell.took_effect += any(None in ends.get(id_, ()) for id_ in each.messages)
        else:
            cell.took_effect += each.done > 0
