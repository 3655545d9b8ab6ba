"""What actors do to their children: the supervisor handler's port.

Whatever takes its time is done by others, whose future the asking call waits for: compiling on the
starters' threads, the child's own calls on the workers'. All of it may be asked for again by a call
that was taken up, and is then joined.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from theater import limits
from theater.chain import shapes
from theater.chain.tip import Tip
from theater.errors import NotFound, TheaterError, Unavailable
from theater.handlers.grant_types import GRANT_TYPES
from theater.handlers.port import Done
from theater.handlers.supervisor.port import Birth
from theater.ids import ACTOR_ID
from theater.journal.port import Journal
from theater.journal.records import ActorRow, Answer
from theater.manifest import Manifest, effective
from theater.runtime import futures, states
from theater.runtime.actor import Actor
from theater.runtime.answers import clipped
from theater.runtime.births import Births, ChildPlace
from theater.runtime.family import Family
from theater.runtime.info import ActorInfo
from theater.runtime.offspring import Offspring, Place
from theater.runtime.operations import Operations, initialised
from theater.runtime.programs import Programs
from theater.runtime.router import Router
from theater.runtime.services import Services
from theater.runtime.states import By
from theater.store import Stores
from theater.values.types import Err, Ok


class Tree:
    """The actors of a node as parents and children. Satisfies the handler's SupervisorPort.

    Made before what it needs, because that needs the handlers: `open` gives it.
    """

    _family: Family
    _births: Births
    _programs: Programs
    _operations: Operations
    _workers: Executor
    _blocking: Callable[[], AbstractContextManager[None]]

    def __init__(self, router: Router, journal: Journal, stores: Stores) -> None:
        self._router: Final = router
        self._journal: Final = journal
        self._stores: Final = stores
        self._lock = threading.Lock()
        self._bearing: dict[str, Future[Done]] = {}
        """What is known of children that somebody waits for to start, by id."""
        self._unwanted: set[str] = set()
        """Those of them that nobody waits for any more."""
        self._restarting: dict[str, Future[Done]] = {}

    def open(
        self,
        services: Services,
        births: Births,
        programs: Programs,
        operations: Operations,
        workers: Executor,
    ) -> None:
        """Take in what children are made by. `workers` run what reads files and compiles."""
        self._family = services.family
        self._blocking = services.dispatcher.blocking
        self._operations = operations
        self._births = births
        self._programs = programs
        self._workers = workers

    def timeout_ms(self, parent: str) -> int:
        """How long this actor waits for what it asks of its children."""
        return self._router.request_timeout_ms(parent)

    def children(self, parent: str) -> list[str]:
        """The ids of the living children, in the order in which they were started."""
        return [child.id for child in self._family.children(parent)]

    # Starting

    def spawn(self, birth: Birth, again: bool) -> Future[Done]:
        """Start a child, or join its start if it may have been made `again`."""
        with self._lock:
            future = self._bearing.get(birth.child)
            if future is not None:
                return future
            future = self._bearing[birth.child] = Future()
        future.add_done_callback(lambda _: self._forget(birth.child))
        self._work(lambda: self._start(birth, again, future), future)
        return future

    def _forget(self, child: str) -> None:
        self._bearing.pop(child, None)
        self._unwanted.discard(child)

    def _start(self, birth: Birth, again: bool, future: Future[Done]) -> None:
        row = self._row(birth.child) if again else None
        if row is None:
            child = self._bear(birth)
        elif self._has_begun(row, future):
            return
        else:
            living = self._router.actors.get(birth.child)
            if living is None:
                row = self._row(birth.child) or row  # it has ended just now
                if not self._has_begun(row, future):
                    futures.settle(future, _of_row(row))
                return
            child = living
        self._family.when_started(child).add_done_callback(
            lambda over: futures.settle(future, _of_start(*over.result()))
        )

    def _has_begun(self, row: ActorRow, future: Future[Done]) -> bool:
        """Whether a child's `init` has returned, whatever became of it since; the future is told."""
        if not initialised(self._journal.events, row.id, row.tip.seq + 1):
            return False
        futures.settle(future, Done(Ok(row.id)))
        return True

    # Stopping and restarting

    def stop(self, parent: str, child: str) -> Future[Done]:
        """Stop a child, after all below it; done when it has ended, also if it had before."""
        future: Future[Done] = Future()
        found = self._own(parent, child)
        if isinstance(found, ActorRow):
            future.set_result(Done(Ok()))
            return future
        self._family.when_ended(found).add_done_callback(
            lambda over: futures.settle(future, Done(Ok(), _place(over.result()[1])))
        )
        self._family.stop(found, By.PARENT)
        return future

    def restart(self, parent: str, child: str, key: str) -> Future[Done]:
        """Restart a child from its initial state, once for each key; done when `init` has returned."""
        self._own(parent, child)
        with self._lock:
            known = self._restarting.get(key)
            if known is not None:
                return known
            future = self._restarting[key] = Future()
        future.add_done_callback(lambda _: self._restarting.pop(key, None))
        try:
            restarted = self._operations.restart(child, keep_state=False, key=key, by=By.PARENT)
        except TheaterError as error:
            futures.fail(future, error)
        else:
            restarted.add_done_callback(lambda over: _tell_restart(over, future))
        return future

    def give_up(self, parent: str, child: str) -> None:
        """Nobody waits any more for a child to start: it is stopped at once, or never made."""
        asked = self._router.actors.get(parent)
        if asked is not None:
            with asked.lock:  # no child is made meanwhile
                if child in self._bearing:
                    self._unwanted.add(child)
        found = self._router.actors.get(child)
        if found is not None:
            self._family.stop(found, By.PARENT, force=True)

    def _bear(self, birth: Birth) -> Actor:
        parent = self._router.living(birth.parent)
        held = self._programs.held(parent)
        above = self._programs.grants(parent.manifest) if held is None else held
        place = Place(parent, self._folder(parent), above, GRANT_TYPES, self._journal, self._stores)
        manifest = place.manifest(birth.manifest)
        state, origin = birth.state, None
        if not birth.resumes:
            state = place.state(manifest, birth.state)
        elif birth.state is None:
            state, origin = self._last_state(parent, manifest)
        found = Offspring(manifest, place.component(manifest), state)
        grants = effective(
            self._programs.grants(manifest), above, parent.manifest.permission_policy
        )
        asked = ChildPlace(
            parent,
            birth.call,
            birth.child,
            birth.children_max,
            birth.resumes,
            origin,
            lambda: birth.child not in self._unwanted,
        )
        return self._births.child(asked, found, grants)

    def _last_state(self, parent: Actor, manifest: Manifest) -> tuple[bytes | None, shapes.Peer]:
        """What the last ended child of a manifest left, and the event that it is from."""
        self._journal.wait(self._journal.appended())
        seen, before = 0, None
        while seen < limits.RESUME_CHILDREN_MAX:
            rows = self._journal.children(parent.id, before=before)
            if not rows:
                break
            seen, before = seen + len(rows), rows[-1].number
            for row in rows:
                if states.ended(row.status) and self._is_of(row, manifest):
                    head = shapes.Peer(row.id, row.tip.seq, row.tip.hash)
                    return self._content(row), head
        raise NotFound(
            f"no child of actor {parent.id} that had this manifest has run and ended; give the state "
            "to go on from, or spawn one",
            code="child.not_found",
        )

    def _is_of(self, row: ActorRow, manifest: Manifest) -> bool:
        kept = self._journal.content(row.manifest[0])
        return (
            kept is not None
            and kept[1] == manifest.text.encode()
            and initialised(self._journal.events, row.id, row.tip.seq + 1)
        )

    def _folder(self, parent: Actor) -> Path | None:
        """Where an actor's manifest lies: that of the next above it, for one that lies nowhere."""
        above: Actor | None = parent
        while above is not None:
            if above.manifest_path:
                return Path(above.manifest_path).parent
            above = None if above.parent is None else self._router.actors.get(above.parent)
        return None

    # Looking

    def state(self, parent: str, child: str) -> bytes | None:
        """The state of a child, also of one that has ended."""
        return self._content(self._own(parent, child))

    def head(self, parent: str, child: str) -> shapes.Peer:
        """The last event of a child's chain, also of one that has ended."""
        tip = self._own(parent, child).tip
        return shapes.Peer(child, tip.seq, tip.hash)

    def status(self, parent: str, child: str) -> str:
        """The status of a child, also of one that has ended."""
        return self._own(parent, child).status

    # Inside

    def _content(self, child: Actor | ActorRow) -> bytes | None:
        ref = child.tip.state
        if ref is None:
            return None
        kept = self._journal.content(ref[0])
        if kept is None:
            raise NotFound(f"the state of child {child.id} is gone", code="state.gone")
        return kept[1]

    def _own(self, parent: str, child: str) -> Actor | ActorRow:
        """Return a living child, or the row of one that has ended."""
        living = self._router.actors.get(child)
        if living is not None and living.parent == parent:
            return living
        if living is None and ACTOR_ID.fullmatch(child):
            with self._blocking():
                row = self._row(child)
            if row is not None and row.parent == parent:
                return row
        raise NotFound(
            f"actor {parent} has no child {child[:80]!r}; an actor acts on its own children only",
            code="child.not_found",
        )

    def _row(self, actor: str) -> ActorRow | None:
        """What the journal knows of an actor, also what is queued now."""
        self._journal.wait(self._journal.appended())
        return self._journal.actor(actor)

    def _work(self, run: Callable[[], None], future: Future[Done]) -> None:
        """Run something elsewhere; the future has the error that it ends with."""

        def work() -> None:
            try:
                run()
            except Exception as error:  # noqa: BLE001 - whatever it is, who waits is told
                futures.fail(future, error)

        def given_up(job: Future[None]) -> None:
            if job.cancelled():
                futures.fail(future, _closing())

        try:
            self._workers.submit(work).add_done_callback(given_up)
        except RuntimeError:
            raise _closing() from None


def _place(tip: Tip) -> tuple[int, bytes]:
    return tip.seq, tip.hash


def _tell_restart(over: Future[ActorInfo], future: Future[Done]) -> None:
    error = over.exception()
    if error is not None:
        futures.fail(future, error)
    elif over.result().status in ("stopped", "failed"):
        futures.settle(future, _failed(_said(over.result().outcome), None))
    else:
        futures.settle(future, Done(Ok()))


def _of_start(child: Actor, tip: Tip, began: bool) -> Done:
    if not began and child.status == "failed":
        said = child.reason.encode() or _said(child.outcome)
        return _failed(said, _place(tip))
    if not began:
        return _stopped(child.id)
    return Done(Ok(child.id), _place(tip))


def _of_row(row: ActorRow) -> Done:
    return _failed(_said(row.outcome), None) if row.status == "failed" else _stopped(row.id)


def _said(outcome: Answer | None) -> bytes:
    return b"" if outcome is None else outcome.body


def _failed(said: bytes, event: tuple[int, bytes] | None) -> Done:
    return Done(Err(f"child.init_failed: {clipped(said).decode(errors='replace')}"), event)


def _stopped(child: str) -> Done:
    return Done(Err(f"child.stopped: child {child} was stopped before its init had returned"))


def _closing() -> Unavailable:
    return Unavailable("this node is closing", code="node.closing")
