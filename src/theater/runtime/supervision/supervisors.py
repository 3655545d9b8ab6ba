"""What the supervisors of a node remember and have in hand: decided under one lock, carried out later.

An end is decided, and recorded with what was decided, under the lock, so that memory and journal
agree and two ends never both count against the same number. No thread waits for what was planned:
whoever is in a plan is told, and whoever has claimed it comes back here when it rests, when it is
restarted, or when it has ended, and then comes the next.

    hold     everybody in the plan rests, the youngest first: the call in hand is killed, its message
             is put back, and messages wait in the mailbox; temporary ones are stopped
    start    each in order: restarted with its last state, or from its initial one, whose `init` has
             to return before it is the next one's turn

A supervisor that is itself in a plan comes before its children. All of it follows from the plans that
are in the journal, so a node that opens goes on with them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

from theater.clock import Clock
from theater.journal.records import Planned, SetSupervision, Step
from theater.manifest.model import RestartState, Strategy
from theater.runtime.actor import Actor
from theater.runtime.family import Family
from theater.runtime.router import Router
from theater.runtime.states import By
from theater.runtime.supervision.decision import Child, End, Spec, Window, forget, handled
from theater.runtime.supervision.judging import Judgement, Kept, Level, judge, without

WHY_CHARS_MAX: Final = 1000
NOTHING: Final = Kept()
_NOTHING_TO_DO: Final = nullcontext()


class Supervisors:
    """All of a node. What is changed is changed for others when its record is queued."""

    def __init__(self, router: Router, family: Family, clock: Clock) -> None:
        self._router: Final = router
        self._family: Final = family
        self._clock: Final = clock
        self._opened: Final = clock.wall_us(), clock.monotonic()
        # Taken before the locks of waits and of actors, within which records are made.
        self._lock: Final = threading.RLock()
        self._kept: dict[str, Kept] = {}
        self._before: dict[str, Kept] = {}
        self._depth = 0

    # Deciding

    @contextmanager
    def judging(
        self, actor: Actor, end: End, why: str, steps: list[Step], *, ran: bool = True
    ) -> Iterator[Judgement]:
        """Decide on the end of an actor, and add what is kept of it to the steps of its record.

        The record is made before the context is left. `ran` is false where it ended in the `init`
        of a restart.
        """
        with self._lock:
            levels = self._levels(actor)
            judged = judge(levels, end, why[:WHY_CHARS_MAX], now_us=self._now_us(), ran=ran)
            with self._changing(judged.kept, steps):
                yield judged

    def going_on(
        self, actor: Actor, steps: list[Step], *, began: bool = False
    ) -> AbstractContextManager[object]:
        """The actor has handled a message, or, `began`, its `init` has returned.

        In the record that is made before the context is left.
        """
        key = key_of(actor)
        kept = self._kept.get(key)
        # Only the actor's own calls change what is kept of its messages, so this needs no lock.
        if kept is None or not (actor.planned if began else handled(kept.window, actor.id)):
            return _NOTHING_TO_DO
        return self.doing(actor, None, steps) if began else self._handling(actor, steps)

    @contextmanager
    def _handling(self, actor: Actor, steps: list[Step]) -> Iterator[None]:
        with self._lock:
            key = key_of(actor)
            kept = self._kept.get(key, NOTHING)
            window = forget(kept.window, actor.id)
            with self._changing({key: Kept(window, kept.plan)}, steps):
                yield

    @contextmanager
    def doing(self, actor: Actor, then: Planned | None, steps: list[Step]) -> Iterator[bool]:
        """What was planned for an actor is done, and then, if anything, comes this.

        In the record that is made before the context is left. False, and no record is to be made, if
        it is not its turn any more: somebody has failed who comes before it.
        """
        with self._lock:
            if not actor.turn:
                yield False
                return
            key = key_of(actor)
            kept = self._kept.get(key, NOTHING)
            plan = tuple(
                each if each.actor != actor.id else then
                for each in kept.plan
                if each.actor != actor.id or then is not None
            )
            with self._changing({key: Kept(kept.window, tuple(filter(None, plan)))}, steps):
                yield True

    def leaving(
        self, actor: Actor, steps: list[Step], *, ends: bool
    ) -> AbstractContextManager[None]:
        """The actor has no children any more, and if it `ends`, its supervisor forgets it.

        In the record that is made before the context is left.
        """
        if not ends and actor.id not in self._kept:
            # So for one that had ended, which is restarted under a lock that comes after this one's.
            return _NOTHING_TO_DO
        return self._leaving(actor, steps, ends=ends)

    @contextmanager
    def _leaving(self, actor: Actor, steps: list[Step], *, ends: bool) -> Iterator[None]:
        with self._lock:
            changes = {actor.id: NOTHING}
            if ends:
                key = key_of(actor)
                kept = self._kept.get(key, NOTHING)
                changes[key] = (
                    NOTHING
                    if actor.parent is None
                    else Kept(forget(kept.window, actor.id), without(kept.plan, actor.id))
                )
            with self._changing(changes, steps):
                yield

    def _levels(self, actor: Actor) -> list[Level]:
        levels = []
        child: Actor | None = actor
        while child is not None:
            supervisor = None if child.parent is None else self._router.actors.get(child.parent)
            levels.append(self._level(child, supervisor))
            child = supervisor
        return levels

    def _level(self, child: Actor, supervisor: Actor | None) -> Level:
        key = key_of(child)
        own = child.manifest.supervision
        spec: Spec | None = None
        children = [child]
        if child.parent is None:
            # The node restarts each on its own, as often as the actor itself says.
            spec = Spec(Strategy.ONE_FOR_ONE, own.intensity, own.period_s)
        elif supervisor is not None and not _is_ending(supervisor):
            its = supervisor.manifest.supervision
            spec = Spec(its.strategy, its.intensity, its.period_s)
            # A child that has not started yet is not restarted with the others.
            children = [
                each
                for each in self._family.children(supervisor.id)
                if each is child
                or not (_is_stopping(each) or (each.status == "starting" and not each.planned))
            ]
        return Level(
            key,
            spec,
            child.id,
            own.restart_state is RestartState.LAST,
            tuple(Child(each.id, each.manifest.supervision.restart) for each in children),
            self._kept.get(key, NOTHING),
        )

    def _now_us(self) -> int:
        """The time, in which nothing that this process does is moved by a wall clock that is set."""
        opened_us, opened_s = self._opened
        return opened_us + round((self._clock.monotonic() - opened_s) * 1_000_000)

    # Keeping

    @contextmanager
    def _changing(self, changes: Mapping[str, Kept], steps: list[Step]) -> Iterator[None]:
        before = {key: self._kept.get(key, NOTHING) for key in changes}
        changed = {key: kept for key, kept in changes.items() if kept != before[key]}
        self._depth += 1
        for key, kept in changed.items():
            self._before.setdefault(key, before[key])
            self._keep(key, kept)
            steps.append(SetSupervision(key, *kept.window, kept.plan))
        try:
            yield
        except BaseException:
            for key in changed:
                self._keep(key, before[key])
            raise
        finally:
            self._depth -= 1
            if not self._depth:
                touched, self._before = self._before, {}
                for key, plan in touched.items():
                    self._tell(plan.plan, self._kept.get(key, NOTHING).plan)
                for key in touched:
                    self.advance(key)
                    if (supervisor := self._router.actors.get(key)) is not None:
                        self.advance(key_of(supervisor))

    def _keep(self, key: str, kept: Kept) -> None:
        if kept == NOTHING:
            self._kept.pop(key, None)
        else:
            self._kept[key] = kept

    def _tell(self, before: Sequence[Planned], after: Sequence[Planned]) -> None:
        """Let those know whose plan has changed."""
        planned = {each.actor: each for each in after}
        for each in before:
            actor = self._router.actors.get(each.actor)
            if actor is not None and each.actor not in planned:
                actor.plan(None)
                self._router.wake(actor)
                self.advance(actor.id)
        for each in after:
            actor = self._router.actors.get(each.actor)
            if actor is not None and actor.planned != each:
                actor.plan(each)

    # Carrying out

    def rests(self, actor: Actor) -> bool:
        """An actor for which something is planned has no call in hand; whether it is its turn.

        Only for whoever has claimed it, which lets go of it otherwise.
        """
        with self._lock:
            if actor.planned is not None and not actor.turn:
                actor.rests = True
                self.advance(key_of(actor))
            return actor.planned is None or actor.turn

    def advance(self, key: str) -> None:
        """Have done what comes next of a supervisor's plan."""
        with self._lock:
            plan = self._kept.get(key, NOTHING).plan
            living = [
                (each, actor)
                for each in plan
                if (actor := self._router.actors.get(each.actor)) is not None and not actor.ended
            ]
            for each, actor in reversed(living):
                if each.step == "stop" or not (actor.turn or actor.rests):
                    _revoke_turns(living)
                    if each.step == "stop":
                        self._family.stop(actor, By.SUPERVISOR)
                    else:
                        self._hold(actor)
                    return
            supervisor = self._router.actors.get(key)
            if not living or _waits_for(supervisor, living[0][0]):
                return
            _revoke_turns(living[1:])
            step, first = living[0]
            below = self._kept.get(first.id, NOTHING).plan
            if step.step == "fail" and any(each.step == "fail" for each in below):
                return  # whose failure made it fail comes before it
            first.turn = True
            self._router.wake(first)

    def _hold(self, actor: Actor) -> None:
        running = actor.running
        if running is not None and running.gives_way():
            running.kill("killed")
        self._router.wake(actor)

    # Opening

    def restore(self, kept: Sequence[SetSupervision]) -> None:
        """Take in what the journal holds, before anybody runs: what is planned is known by then."""
        with self._lock:
            for each in kept:
                self._kept[each.supervisor] = Kept(Window(each.failures, each.asides), each.plan)
                self._tell((), each.plan)

    def resume(self) -> None:
        """Go on with all plans, once everybody runs."""
        with self._lock:
            for key in list(self._kept):
                self.advance(key)


def key_of(actor: Actor) -> str:
    """Return the key under which is kept what an actor's supervisor remembers."""
    return actor.parent or f"node:{actor.id}"


def _revoke_turns(planned: Sequence[tuple[Planned, Actor]]) -> None:
    """Somebody who comes before them has failed again; who is in its `init` goes on."""
    for each, actor in planned:
        actor.turn = actor.turn and each.step == "init"


def _waits_for(supervisor: Actor | None, step: Planned) -> bool:
    """Whether a supervisor comes before its child: not where both fail."""
    return supervisor is not None and supervisor.planned is not None and step.step != "fail"


def _is_stopping(actor: Actor) -> bool:
    return actor.ended or actor.status == "stopping" or actor.stop_requested is not None


def _is_ending(actor: Actor) -> bool:
    """Whether a supervisor has its children stopped, or will, whatever becomes of them until then."""
    return (
        _is_stopping(actor)
        or actor.shutdown
        or (actor.planned is not None and actor.planned.step in ("stop", "fail"))
        or _begins_anew(actor)
    )


def _begins_anew(actor: Actor) -> bool:
    planned, own = actor.planned, actor.manifest.supervision
    initial = own.restart_state is RestartState.INITIAL
    return planned is not None and planned.step == "restart" and initial
