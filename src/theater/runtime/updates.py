"""Updates from the outside: what has to be so before an actor goes on with another component.

    the component loads, and is granted what it imports → it exports what is needed → it is tried
    with the actor's last calls, while the actor works → the order, carried out between two calls

All but the last happens on threads that may wait. If the actor got on too far in the meantime the
order comes back, and the trial goes on from where it was; a bounded number of times.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from functools import partial
from typing import Final

from theater.errors import Denied, TheaterError
from theater.journal.records import ActorRow
from theater.limits import UPDATE_TRIES
from theater.runtime import futures, states
from theater.runtime.actor import Actor
from theater.runtime.info import ActorInfo, of_actor
from theater.runtime.instances import load_program
from theater.runtime.lives import Lives
from theater.runtime.operations import Operations, closing
from theater.runtime.orders import Order
from theater.runtime.program import Program
from theater.runtime.services import Services
from theater.runtime.states import Move
from theater.runtime.trial import Trial, busy
from theater.runtime.updating import Update, check_exports, update_of

UPDATERS: Final = 2
"""How many updates are tried at once: each keeps a core busy."""

log = logging.getLogger(__name__)


class Wanted:
    """One update that somebody asked for, until they are told."""

    def __init__(
        self, actor: str, component: bytes, force: bool, key: str | None, future: Future[ActorInfo]
    ) -> None:
        self.actor: Final = actor
        self.component: Final = component
        self.force: Final = force
        self.key: Final = key
        self.future: Final = future
        self.trial: Trial | None = None
        self.tries = 0


class Updates:
    """`restored` makes an actor of its row."""

    def __init__(
        self,
        services: Services,
        lives: Lives,
        operations: Operations,
        restored: Callable[[ActorRow], Actor],
    ) -> None:
        self._services: Final = services
        self._journal: Final = services.journal
        self._router: Final = services.router
        self._lives: Final = lives
        self._operations: Final = operations
        self._workers: Final = ThreadPoolExecutor(UPDATERS, "theater-updater")
        self._restored: Final = restored
        self._lock = threading.Lock()
        self._trials: set[Trial] = set()
        self._jobs: set[Future[None]] = set()
        self._closed = False

    def update(
        self, actor: str, component: bytes, *, force: bool, key: str | None
    ) -> Future[ActorInfo]:
        """Have an actor go on with another component; `force` leaves the trial out."""
        future: Future[ActorInfo] = Future()
        self._submit(Wanted(actor, component, force, key, future))
        return future

    def close(self) -> None:
        """End the trials that run; whoever waits for one is told."""
        with self._lock:
            self._closed = True
            trials = list(self._trials)
        self._workers.shutdown(wait=False, cancel_futures=True)
        for trial in trials:
            trial.cancel()

    def wait(self, seconds: float) -> bool:
        """Whether all that was tried has ended, within a time: it needs the engine for that."""
        with self._lock:
            jobs = list(self._jobs)
        return not wait_for(jobs, seconds).not_done

    def _submit(self, wanted: Wanted) -> None:
        def run() -> None:
            try:
                if not self._try(wanted):
                    self._over(wanted)
            except TheaterError as error:
                self._refused(wanted, error)
            except Exception as error:
                log.exception("the update of actor %s failed inside the runtime", wanted.actor)
                self._fail(wanted, error)

        def given_up(job: Future[None]) -> None:
            with self._lock:
                self._jobs.discard(job)
            if job.cancelled():
                self._fail(wanted, closing())

        try:
            job = self._workers.submit(run)
        except RuntimeError:
            self._fail(wanted, closing())
            return
        with self._lock:
            self._jobs.add(job)
        job.add_done_callback(given_up)

    def _try(self, wanted: Wanted) -> bool:
        """Place the order if all is as it must be; False if there is nothing to do any more."""
        wanted.tries += 1
        if self._operations.known(wanted.key, update_of(wanted.actor, wanted.component)):
            self._operations.tell_known(wanted.actor, Move.UPDATE, wanted.future)
            return False
        found = self._router.actors.get(wanted.actor)
        actor = found if found is not None and not found.ended else self._failed(wanted.actor)
        if actor.component == wanted.component and not actor.ended:
            self._lives.complete(wanted.future, of_actor(actor), self._journal.appended())
            return False
        if actor.status == "stopping":
            raise states.refusal(actor.status, Move.UPDATE)
        program = self._granted(actor, wanted.component)
        if not wanted.force:
            self._have_tried(wanted, actor, program)
        order = Order(
            Move.UPDATE,
            wanted.key,
            lambda living, number: self._done(wanted, living, number),
            lambda error: self._refused(wanted, error),
            Update(wanted.component, program, wanted.trial),
        )
        operations = self._operations
        if actor.ended:
            anew = Wanted(wanted.actor, wanted.component, wanted.force, wanted.key, wanted.future)
            again = partial(self._submit, anew)
            return operations.revive(wanted.actor, order, wanted.future, again)
        return operations.place(wanted.actor, order, wanted.future)

    def _granted(self, actor: Actor, component: bytes) -> Program:
        try:
            return load_program(self._services, actor, component)
        except Denied as error:
            raise Denied(
                f"{error.message.rstrip()}\n\nAn update keeps the manifest of actor {actor.id} and its "
                "grants: start a new actor for more",
                code=error.code,
                **error.facts,
            ) from None

    def _failed(self, actor: str) -> Actor:
        """An actor that has failed, as it was then; Conflict for one that was stopped."""
        info = self._operations.failed(actor, Move.UPDATE)
        row = None if info is None else self._journal.actor(actor)
        if row is None or row.status != "failed":
            raise busy(actor)  # it has just been restarted
        return self._restored(row)

    def _have_tried(self, wanted: Wanted, actor: Actor, program: Program) -> None:
        self._journal.wait(self._journal.appended())
        if wanted.trial is None:
            check_exports(actor, load_program(self._services, actor), program)
            wanted.trial = self._begin(Trial(self._journal, actor, program))
        wanted.trial.advance()

    def _begin(self, trial: Trial) -> Trial:
        with self._lock:
            if self._closed:
                trial.cancel()
            self._trials.add(trial)
        return trial

    def _done(self, wanted: Wanted, actor: Actor, number: int) -> None:
        self._lives.complete(wanted.future, of_actor(actor), number)
        self._over(wanted)

    def _refused(self, wanted: Wanted, error: TheaterError) -> None:
        """The order came back."""
        if error.code == "update.busy" and wanted.tries < UPDATE_TRIES:
            self._submit(wanted)
        else:
            self._fail(wanted, error)

    def _fail(self, wanted: Wanted, error: BaseException) -> None:
        futures.fail(wanted.future, error)
        self._over(wanted)

    def _over(self, wanted: Wanted) -> None:
        trial, wanted.trial = wanted.trial, None
        if trial is not None:
            with self._lock:
                self._trials.discard(trial)
            trial.close()
