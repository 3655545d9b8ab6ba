"""Who waits for an actor's start or its end, and is told once that is on disk.

A future has one owner: whoever takes it out of a table here completes it. So a start and the
closing of the node that come together never both complete it, and none is left behind.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

from theater.errors import ActorFailed, TheaterError
from theater.journal.port import Journal
from theater.runtime import futures
from theater.runtime.actor import Actor
from theater.runtime.answers import clipped
from theater.runtime.info import ActorInfo, of_actor
from theater.runtime.router import Router

T = TypeVar("T")


class Lives:
    """Futures by actor. `lock` also makes what it guards one with the tables: see who takes it.

    Reentrant, because a journal may tell of its failure on the thread that appends.
    """

    def __init__(self, journal: Journal, router: Router, info: Callable[[str], ActorInfo]) -> None:
        self.lock: Final = threading.RLock()
        self._journal = journal
        self._router = router
        self._info = info
        self._starting: dict[str, list[Future[ActorInfo]]] = {}
        self._waiting: dict[str, list[Future[ActorInfo]]] = {}
        self._over: TheaterError | None = None

    def check(self) -> None:
        """Raise what `close` was given. Under the lock: until it is given up nothing is closed."""
        if self._over is not None:
            raise self._over

    def expect_start(self, actor: str, future: Future[ActorInfo]) -> None:
        """The future is about an `init` that is to come."""
        with self.lock:
            self.check()
            self._starting.setdefault(actor, []).append(future)

    def join_start(self, actor: str, future: Future[ActorInfo]) -> bool:
        """Whether the future waits for an `init` that is under way."""
        with self.lock:
            found = self._router.actors.get(actor)
            if actor not in self._starting and (found is None or found.status != "starting"):
                return False
            # Also one that was cut off with the process that was asked first. Who tells of the
            # start takes the lock after it has changed the status, so it finds this.
            self._starting.setdefault(actor, []).append(future)
            return True

    def wait(self, actor: str) -> Future[ActorInfo]:
        """The future of the actor's end; NotFound for one that never was."""
        future: Future[ActorInfo] = Future()
        with self.lock:
            if actor in self._router.actors:
                self.check()
                self._waiting.setdefault(actor, []).append(future)
                return future
        self.complete(future, self._info(actor), self._journal.appended())
        return future

    def started(self, actor: Actor, number: int) -> None:
        """Tell those who wait that `init` has returned, which record `number` says."""
        with self.lock:
            waiting = self._starting.pop(actor.id, ())
        for future in waiting:
            self.complete(future, of_actor(actor), number)

    def ended(self, actor: Actor, number: int) -> None:
        """Forget an actor that has ended, and tell those who wait."""
        info = of_actor(actor)
        with self.lock:
            self._router.actors.pop(actor.id, None)
            starting = self._starting.pop(actor.id, ())
            waiting = self._waiting.pop(actor.id, ())
        for future in starting:
            self.did_not_start(future, info, number)
        for future in waiting:
            self.complete(future, info, number)

    def complete(self, future: Future[T], value: T, number: int) -> None:
        """Complete a future once record `number` is on disk."""
        futures.complete(self._journal, future, value, number)

    def close(self, error: TheaterError) -> None:
        """Tell everybody who waits, and who would, that nothing more comes from this process."""
        with self.lock:
            self._over = error
            left = [
                future
                for table in (self._starting, self._waiting)
                for waiting in table.values()
                for future in waiting
            ]
            self._starting.clear()
            self._waiting.clear()
        for actor in list(self._router.actors.values()):
            for order in actor.give_up_orders():
                order.failed(error)
        for future in left:
            futures.fail(future, error)

    def did_not_start(self, future: Future[ActorInfo], info: ActorInfo, number: int) -> None:
        """Tell whoever waits for a start that `init` failed, or that the actor was stopped before it
        had returned, once record `number` is on disk.
        """
        if info.status == "stopped":
            said, code = b"it was stopped before its init had returned", "actor.stopped"
        else:
            said = b"" if info.outcome is None else clipped(info.outcome.body)
            code = "actor.init_failed"
        failure = ActorFailed(
            f"actor {info.id} did not start: {said.decode(errors='replace')}",
            code=code,
            actor=info.id,
        )
        self._journal.when_durable(number, lambda error: futures.fail(future, error or failure))
