"""Who is whose living child, and the stopping of children before their parent, the youngest first.

No thread waits for a child to end. Whoever has a parent that is to end, or to begin anew, has its
youngest child stopped and lets go of the parent; the child's end wakes it, and then comes the next.
All of it follows from what the journal says of each actor, so a node that opens goes on with it.

A failure does not wait: it is recorded with what failed, and the children of an actor that has
ended are stopped after it, in the same order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future
from hashlib import sha256

from theater import ids
from theater.chain import rules
from theater.chain.tip import Tip
from theater.journal.records import OpenWait
from theater.runtime.actor import Actor
from theater.runtime.router import Router
from theater.runtime.states import By, Move
from theater.values import cbor

Later = Callable[[float, Callable[[], None]], Callable[[], None]]
"""Runs a function after some seconds; returns what cancels it."""
Life = tuple[Actor, Tip, bool]
"""An actor, the end of its chain when it is told, and whether what was waited for had happened."""


class Family:
    """The living children of a node's actors. Thread-safe. `later` runs something after seconds."""

    def __init__(self, router: Router, later: Later) -> None:
        self._router = router
        self._later = later
        self._lock = threading.Lock()
        self._children: dict[str, dict[str, Actor]] = {}
        self._starting: dict[str, list[Future[Life]]] = {}
        self._ending: dict[str, list[Future[Life]]] = {}
        self._clear: dict[str, list[Future[None]]] = {}
        self._roots: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        """How many living actors are below each that has no parent, by its id."""
        self._graces: dict[str, Callable[[], None]] = {}
        """What cancels the end of an actor's grace, which would hold the actor as long."""

    # Who there is

    def add(self, actor: Actor) -> None:
        """Take in an actor that lives from now on; one without a parent is nobody's child."""
        if actor.parent is None:
            return
        with self._lock:
            siblings = self._children.setdefault(actor.parent, {})
            root = self._roots.get(actor.parent, actor.parent)
            self._roots[actor.id] = root
            self._sizes[root] = self._sizes.get(root, 0) + (actor.id not in siblings)
            youngest = next(reversed(siblings.values()), None)
            siblings[actor.id] = actor
            if youngest is not None and youngest.number > actor.number:
                # It had failed and is restarted: it stands where it stood.
                ordered = sorted(siblings.values(), key=lambda sibling: sibling.number)
                self._children[actor.parent] = {sibling.id: sibling for sibling in ordered}

    def children(self, parent: str) -> list[Actor]:
        """The living children of an actor, in the order in which they were started."""
        with self._lock:
            return list(self._children.get(parent, {}).values())

    def count(self, parent: str) -> int:
        """How many living children an actor has."""
        return len(self._children.get(parent, ()))

    def below_root(self, actor: Actor) -> int:
        """How many living actors have the same first one above them as this one, or are below it."""
        with self._lock:
            return self._sizes.get(self._roots.get(actor.id, actor.id), 0)

    def _leave_tree(self, actor: Actor) -> None:
        root = self._roots.pop(actor.id)
        self._sizes[root] -= 1
        if not self._sizes[root]:
            del self._sizes[root]

    def _youngest(self, parent: str) -> Actor | None:
        with self._lock:
            return next(reversed(self._children.get(parent, {}).values()), None)

    def has_children(self, parent: str) -> bool:
        """Whether an actor has living children."""
        return parent in self._children

    def depth(self, actor: Actor) -> int:
        """How many actors stand above one in the tree."""
        above = 0
        current: Actor | None = actor
        while current is not None and current.parent is not None:
            above += 1
            current = self._router.actors.get(current.parent)
        return above

    def awaited(self, wait: OpenWait) -> Actor | None:
        """The living child that a wait of its parent is for, None if it is for something else."""
        born = ids.actor_id(rules.derive(wait.actor, wait.call, wait.number))
        for child in self.children(wait.actor):
            if (
                child.id in (born, wait.meant)
                or sha256(cbor.encode([child.id])).digest() == wait.input_digest
            ):
                return child
        return None

    # Waiting for one

    def when_started(self, actor: Actor) -> Future[Life]:
        """The future of an actor whose `init` is over, well or badly."""
        return self._expect(
            self._starting, actor, lambda: actor.status not in ("starting", "stopping")
        )

    def when_ended(self, actor: Actor) -> Future[Life]:
        """The future of an actor that has ended."""
        return self._expect(self._ending, actor, lambda: actor.ended)

    def when_clear(self, parent: str) -> Future[None]:
        """The future of an actor without living children, which has ended: they are being stopped."""
        future: Future[None] = Future()
        with self._lock:
            if parent in self._children:
                self._clear.setdefault(parent, []).append(future)
                return future
        future.set_result(None)
        return future

    def _expect(
        self, table: dict[str, list[Future[Life]]], actor: Actor, is_over: Callable[[], bool]
    ) -> Future[Life]:
        future: Future[Life] = Future()
        with self._lock:
            table.setdefault(actor.id, []).append(future)
        # Who tells of it looks into the table after the status has changed.
        if is_over():
            self._tell(table, actor, table is self._ending or not actor.ended)
        return future

    def _tell(self, table: dict[str, list[Future[Life]]], actor: Actor, so: bool) -> None:
        with self._lock:
            waiting = table.pop(actor.id, ())
        for future in waiting:
            if future.set_running_or_notify_cancel():
                future.set_result((actor, actor.tip, so))

    def started(self, actor: Actor) -> None:
        """An actor's `init` has returned."""
        self._tell(self._starting, actor, True)

    def ended(self, actor: Actor) -> None:
        """An actor has ended: its parent may go on, and what it leaves alive is stopped."""
        clear: Iterable[Future[None]] = ()
        if actor.parent is not None:
            with self._lock:
                siblings = self._children.get(actor.parent, {})
                if siblings.get(actor.id) is actor:
                    del siblings[actor.id]
                    self._leave_tree(actor)
                    if not siblings:
                        del self._children[actor.parent]
                        clear = self._clear.pop(actor.parent, ())
        for future in clear:
            future.set_result(None)
        self._cancel_grace(actor)
        self._tell(self._starting, actor, False)
        self._tell(self._ending, actor, True)
        self.stop_orphans(actor.id)
        if actor.parent is not None:
            parent = self._router.actors.get(actor.parent)
            if parent is None or parent.ended:
                self.stop_orphans(actor.parent)
            else:
                self._router.wake(parent)

    # Stopping

    def is_clear(self, parent: Actor) -> bool:
        """Whether an actor has no living child. If it has, its youngest is stopped: look again then.

        Whoever has claimed the actor lets go of it meanwhile, and is woken when the child has ended.
        """
        youngest = self._youngest(parent.id)
        if youngest is not None:
            self.stop(youngest, By.PARENT, force=parent.stop_requested == "force")
        return youngest is None

    def stop_orphans(self, parent: str) -> None:
        """Have the youngest living child of an actor that has ended stopped; the others follow."""
        youngest = self._youngest(parent)
        if youngest is not None:
            self.stop(youngest, By.PARENT)

    def check_parent(self, actor: Actor) -> None:
        """Have an actor that was taken in again stopped if its parent has ended meanwhile."""
        parent = None if actor.parent is None else self._router.actors.get(actor.parent)
        if actor.parent is not None and (parent is None or parent.ended):
            self.stop_orphans(actor.parent)

    def stop(self, actor: Actor, by: By, *, force: bool = False) -> None:
        """Stop an actor after the call in hand, or at once; nothing happens to one that has ended."""
        actor.move(Move.STOP, by)
        if not actor.ended and (actor.stop_requested is None or force):
            self.finish_stop(actor, force=force)

    def finish_stop(self, actor: Actor, *, force: bool = False) -> None:
        """See to it that an actor that is stopping ends, when its grace is over at the latest."""
        if force:
            self._kill(actor, "force")
        else:
            if actor.stop_requested is None:
                actor.stop_requested = "orderly"
            grace = actor.manifest.supervision.shutdown_ms / 1000
            self._cancel_grace(actor)
            self._graces[actor.id] = self._later(grace, lambda: self._kill(actor, "overdue"))
            if actor.ended:  # just now, and who told of it has not seen this
                self._cancel_grace(actor)
        self._router.wake(actor)

    def _cancel_grace(self, actor: Actor) -> None:
        cancel = self._graces.pop(actor.id, None)
        if cancel is not None:
            cancel()

    def _kill(self, actor: Actor, how: str) -> None:
        if actor.stop_requested != "force":
            actor.stop_requested = "force" if how == "force" else "overdue"
        running = actor.running
        if running is not None and not actor.ended:
            running.kill("killed")

    # Opening

    def restore(self, actors: Iterable[Actor]) -> None:
        """Take in the actors that a journal holds, before anybody runs."""
        for actor in actors:
            self.add(actor)

    def resume(self, unreadable: Collection[str]) -> None:
        """Have the children of those that ended stopped, once all else is taken in: they run then."""
        for parent in list(self._children):
            if parent not in self._router.actors and parent not in unreadable:
                self.stop_orphans(parent)
