"""Trying another component with an actor's own last calls, before the actor goes on with it.

The calls are run again as a replay does, without any effect: their recorded state and parameters go
in, host calls are answered from the chain, and what comes out must be what is recorded. So it begins
where an instance began, and never in front of an update: what was there is another component's doing.
Calls that ended by a fact from outside (killed, a deadline, …) say nothing about a component and are
left out; nothing follows them in their instance.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Final

from theater.chain import shapes
from theater.chain.event import Event
from theater.errors import CodecError, Conflict, Diverged, IntegrityError, Unavailable
from theater.journal.port import Journal
from theater.limits import UPDATE_CALLS
from theater.runtime.actor import Actor
from theater.runtime.content import RecentContent
from theater.runtime.opening import STEP_BACK
from theater.runtime.program import Program
from theater.runtime.recorded import RecordedCall, Rerun, cut, reproducible
from theater.runtime.session import Divergence


class Trial:
    """One component against the last calls of one actor. For one thread at a time, except `cancel`."""

    def __init__(self, journal: Journal, actor: Actor, program: Program) -> None:
        self._journal: Final = journal
        self._actor: Final = actor
        self._program: Final = program
        self._content: Final = RecentContent(journal)
        self._rerun: Rerun | None = None
        self._lock = threading.Lock()
        self._cancelled = False
        self.calls = 0
        """How many calls came out as they are recorded."""
        self.seq = trial_start(
            lambda start, limit: journal.events(actor.id, start, limit), actor.tip.seq + 1
        )
        """Whatever stands in front of it was tried."""

    def advance(self, calls_max: int | None = None) -> None:
        """Try the calls that are on disk and have ended, from where it had come to.

        Diverged (`update.diverged`) at the first that comes out otherwise, Unavailable
        (`update.busy`) above `calls_max` of them, Conflict (`update.unchecked`) if one can't be run.
        """
        tried = 0
        try:
            for each in cut(self._journal.events(self._actor.id, self.seq)):
                if isinstance(each, Event):
                    self._pass(each)
                    continue
                if each.end is None:
                    return
                tried += 1
                if calls_max is not None and tried > calls_max:
                    raise busy(self._actor.id)
                self._try(each)
                self.seq = each.whole[-1].seq + 1
        except (IntegrityError, CodecError) as error:
            raise Conflict(
                f"the last calls of actor {self._actor.id} can't be run again ({error.message}), so "
                "nothing is known of how the new component behaves; --force updates without it",
                code="update.unchecked",
            ) from error

    def cancel(self) -> None:
        """End what runs, from another thread: Unavailable is raised there."""
        with self._lock:
            self._cancelled = True
            if self._rerun is not None:
                self._rerun.instance.kill()

    def close(self) -> None:
        """Give the instance up."""
        self._renew(None)

    def _pass(self, event: Event) -> None:
        if event.type == shapes.ACTOR_UPDATE:
            self.calls = 0
        self.seq = event.seq + 1

    def _try(self, recorded: RecordedCall) -> None:
        if recorded.call.instance == 0 or self._rerun is None:
            self._renew(self._new_rerun())
        if not reproducible(recorded.form):
            return
        rerun = self._rerun
        assert rerun is not None
        divergence = rerun.run(recorded)
        if self._cancelled:
            raise Unavailable("this node is closing", code="node.closing")
        if divergence is not None:
            raise _difference(self._actor.id, recorded, divergence)
        self.calls += 1

    def _new_rerun(self) -> Rerun:
        actor, bounds = self._actor, self._actor.manifest.limits
        return Rerun(
            actor.id,
            actor.name,
            self._program,
            self._program.new_instance(bounds),
            bounds,
            self._content,
            lambda of, seq: self._journal.events(of, 0, seq + 1),
            # It will have no more than this either.
            deadline_ms=bounds.deadline_ms,
        )

    def _renew(self, rerun: Rerun | None) -> None:
        with self._lock:
            before, self._rerun = self._rerun, rerun
            if rerun is not None and self._cancelled:
                rerun.instance.kill()
        if before is not None:
            before.instance.close()


def trial_start(events: Callable[[int, int], Iterable[Event]], length: int) -> int:
    """Return the seq at which a trial of a chain's last UPDATE_CALLS calls begins.

    That is a `wasm-call` of `instance` 0, the last one with that many calls from it on, or the first
    one behind the last `actor-update` and whatever can't be read any more; `length` if there is none.
    """
    calls, first, stop = 0, length, length
    while stop > 0:
        start = max(0, stop - STEP_BACK)
        for event in reversed(list(events(start, stop - start))):
            if event.type == shapes.ACTOR_UPDATE:
                return first
            if event.type != shapes.WASM_CALL:
                continue
            if event.data is None:
                return first
            call = shapes.parse(event.type, event.data)
            assert isinstance(call, shapes.Call)
            calls += 1
            if call.instance == 0:
                first = event.seq
                if calls >= UPDATE_CALLS:
                    return first
        stop = start
    return first


def busy(actor: str) -> Unavailable:
    """Return the error for an actor that gets on faster than a component can be tried."""
    return Unavailable(
        f"actor {actor} handles more messages than the new component can be tried with meanwhile; "
        "pause it first, ask again when it has less to do, or use --force",
        code="update.busy",
    )


def _difference(actor: str, recorded: RecordedCall, found: Divergence) -> Diverged:
    call, function = recorded.event.seq, recorded.call.function
    return Diverged(
        f"the new component behaves differently, so actor {actor} was not updated.\n"
        f"  call      {call}, {function}\n"
        f"  at event  {found.seq}\n"
        f"  expected  {found.expected}\n"
        f"  actual    {found.actual}\n"
        "If that is what you want, update it with --force.",
        code="update.diverged",
        actor=actor,
        call=call,
        function=function,
        seq=found.seq,
        expected=found.expected,
        actual=found.actual,
    )
