"""What operators do to actors: stop, pause, resume, restart; `updates` has the rest of an update.

Here is decided whether it can be asked at all, and who is told; it is carried out by whoever has
claimed the actor (lifecycle, orders). Only a failed actor is restarted here, because nobody has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from typing import Final

from theater import limits
from theater.chain import shapes
from theater.chain.event import Event
from theater.chain.tip import Ref
from theater.errors import Conflict, TheaterError, Unavailable
from theater.journal.records import ActorRow
from theater.runtime import futures, states
from theater.runtime.actor import Actor
from theater.runtime.info import ActorInfo, of_actor
from theater.runtime.kinds import INIT
from theater.runtime.lives import Lives
from theater.runtime.opening import STEP_BACK, recorded_start
from theater.runtime.orders import Order, OrderMove, record_restart
from theater.runtime.outside import used_for_something_else
from theater.runtime.services import Services
from theater.runtime.states import By, Move
from theater.runtime.updating import update_ended


class Operations:
    """`restored` makes an actor of its row, `revived` is told of one that was restarted after it
    had failed. `workers` run what may wait.
    """

    def __init__(
        self,
        services: Services,
        lives: Lives,
        workers: Executor,
        info: Callable[[str], ActorInfo],
        restored: Callable[[ActorRow], Actor],
        revived: Callable[[Actor], None],
    ) -> None:
        self._services: Final = services
        self._journal: Final = services.journal
        self._router: Final = services.router
        self._lives: Final = lives
        self._workers: Final = workers
        self._info: Final = info
        self._restored: Final = restored
        self._revived: Final = revived

    # Stopping

    def stop(self, actor: str, *, force: bool) -> Future[ActorInfo]:
        """Stop an actor after the call in hand, or at once; the future is that of its end."""
        future = self._lives.wait(actor)
        found = self._router.actors.get(actor)
        if found is not None:
            self._services.family.stop(found, By.OPERATOR, force=force)
        return future

    # Orders

    def pause(self, actor: str) -> Future[ActorInfo]:
        """Have an actor take no messages after the call in hand."""
        return self._order(actor, Move.PAUSE)

    def resume(self, actor: str) -> Future[ActorInfo]:
        """Have a paused actor take messages again; one that is not paused need not be waited for."""
        found = self._router.actors.get(actor)
        if found is not None and found.status == "running" and not found.orders:
            future: Future[ActorInfo] = Future()
            self._lives.complete(future, of_actor(found), self._journal.appended())
            return future
        return self._order(actor, Move.RESUME)

    def restart(
        self, actor: str, *, keep_state: bool, key: str | None, by: By = By.OPERATOR
    ) -> Future[ActorInfo]:
        """Restart an actor that lives or has failed."""
        move: OrderMove = Move.RENEW if keep_state else Move.RESTART
        found = self._router.actors.get(actor)
        if found is not None and not found.ended:
            return self._order(actor, move, key, by)
        future: Future[ActorInfo] = Future()
        order = self._order_for(future, move, key, by)

        def revive() -> None:
            try:
                self.revive(actor, order, future, begin)
            except Exception as error:  # noqa: BLE001 - whatever it is, the caller is told
                futures.fail(future, error)

        def given_up(job: Future[None]) -> None:
            if job.cancelled():
                futures.fail(future, closing())

        def begin() -> None:
            try:
                self._workers.submit(revive).add_done_callback(given_up)
            except RuntimeError:
                futures.fail(future, closing())

        begin()
        return future

    def _order(
        self, actor: str, move: OrderMove, key: str | None = None, by: By = By.OPERATOR
    ) -> Future[ActorInfo]:
        future: Future[ActorInfo] = Future()
        self.place(actor, self._order_for(future, move, key, by), future)
        return future

    def _order_for(
        self, future: Future[ActorInfo], move: OrderMove, key: str | None, by: By
    ) -> Order:
        def done(found: Actor, number: int) -> None:
            if move is Move.RESTART and found.status == "starting":
                self._expect_start(found, future)
            else:
                self._lives.complete(future, of_actor(found), number)

        def failed(error: TheaterError) -> None:
            futures.fail(future, error)

        return Order(move, key, done, failed, by=by)

    def place(self, actor: str, order: Order, future: Future[ActorInfo]) -> bool:
        """Have an order carried out; False if that was done already under its key, which the future is
        told then.

        Conflict, and the order's functions are not called, where it can't be carried out.
        """
        with self._lives.lock:
            self._lives.check()
            known = self.known(order.key, order.stands_for(actor))
            found = None if known else self._router.actors.get(actor)
            if found is not None:
                if found.status == "stopping":
                    raise states.refusal(found.status, order.move)
                found.order(order)
        if known:
            self.tell_known(actor, order.move, future)
            return False
        if found is None:
            raise states.refusal(self._info(actor).status, order.move)
        running = found.running
        if running is not None and order.kills and running.gives_way():
            running.kill("killed")
        self._router.wake(found)
        return True

    def _expect_start(self, actor: Actor, future: Future[ActorInfo]) -> None:
        try:
            self._lives.expect_start(actor.id, future)
        except TheaterError as error:
            futures.fail(future, error)  # the node closes; the next one calls the `init`

    def known(self, key: str | None, meant: str) -> bool:
        """Whether a key was used for what is meant; Conflict if for something else."""
        kept = None if key is None else self._journal.key(key)
        if kept is not None and kept.message != meant:
            raise used_for_something_else()
        return kept is not None

    def tell_known(self, actor: str, move: Move, future: Future[ActorInfo]) -> None:
        """Answer an order that was carried out before as it was answered then."""
        if self._lives.join_start(actor, future):
            return
        info, number = self._info(actor), self._journal.appended()
        events = self._journal.events
        failed = move is Move.RESTART and info.status == "failed"
        if failed and not initialised(events, actor, info.events):
            self._lives.did_not_start(future, info, number)
        else:
            self._lives.complete(future, info, number)

    # Restarting what has failed

    def failed(self, actor: str, move: Move) -> ActorInfo | None:
        """What is known of an actor that has failed, for a move out of that; None if it lives.

        Conflict for one that was stopped. Waits for the disk.
        """
        with self._lives.lock:
            found = self._router.actors.get(actor)
            # It may be ending just now; whoever ends it tells, under this lock.
            ending = self._lives.wait(actor) if found is not None and found.ended else None
        if found is not None and ending is None:
            return None
        info = self._info(actor) if ending is None else ending.result()
        if info.status != "failed":
            raise states.refusal(info.status, move)
        return info

    def revive(
        self, actor: str, order: Order, future: Future[ActorInfo], again: Callable[[], None]
    ) -> bool:
        """Carry out an order of an actor that has failed, whom nobody has; as `place` if it lives.

        Raises what the order can't be carried out for; its functions are not called then. False also
        where it still has living children: `again` is called when they have ended, since their guests
        decide how long that takes, and no thread waits for guests.
        """
        if self.known(order.key, order.stands_for(actor)):  # whatever has become of it since
            self.tell_known(actor, order.move, future)
            return False
        ended = self.failed(actor, order.move)
        if ended is None:
            return self.place(actor, order, future)
        if self._has_children(actor, again):
            return False
        if order.move is not Move.RESTART and not initialised(
            self._journal.events, actor, ended.events
        ):
            raise Conflict(
                f"the init of actor {actor} has not returned since its last start, so there is no "
                "state to keep; restart it without --keep-state",
                code="actor.not_initialised",
            )
        # Read now: under the lock nobody may wait for the disk.
        start = recorded_start(self._journal.events(actor, 0, 1), actor)
        with self._lives.lock:
            self._lives.check()
            known = self.known(order.key, order.stands_for(actor))
            if not known:
                revived = self._put_back(actor, order, start.state)
        if known:
            self.tell_known(actor, order.move, future)
            return False
        self._services.family.check_parent(revived)
        self._revived(revived)
        self._router.wake(revived)
        return True

    def _has_children(self, actor: str, again: Callable[[], None]) -> bool:
        with self._lives.lock:
            if actor in self._router.actors:
                return False  # it lives again, and these are not those that it left
            clear = self._services.family.when_clear(actor)
        if clear.done():
            return False
        clear.add_done_callback(lambda _: again())
        return True

    def _check_parent(self, row: ActorRow) -> None:
        parent = None if row.parent is None else self._router.actors.get(row.parent)
        if row.parent is not None and (
            parent is None or parent.ended or parent.shutdown or parent.stop_requested is not None
        ):
            raise Conflict(
                f"the parent of actor {row.id} has ended or is about to, and no child outlives its "
                "parent; start another actor",
                code="parent.ended",
            )

    def _put_back(self, actor: str, order: Order, initial: Ref | None) -> Actor:
        if actor in self._router.actors:
            raise Conflict(f"actor {actor} was restarted just now", code="actor.restarted")
        if len(self._router.actors) >= limits.ACTORS_MAX:
            raise Unavailable(f"{limits.ACTORS_MAX} actors live already", code="actors.full")
        row = self._journal.actor(actor)
        assert row is not None, "what was told to have failed is there"
        self._check_parent(row)
        revived = self._restored(row)
        if order.update is not None:
            number = update_ended(self._services, revived, order.update, order.key)
        else:
            number = record_restart(
                self._services, revived, order.move, order.by, order.key, initial
            )
        self._services.family.add(revived)
        self._router.actors[actor] = revived
        # Who is told now finds it there. Should somebody wake it at once: its `init` is told of under
        # the lock that is held here.
        order.done(revived, number)
        return revived


def initialised(
    events: Callable[[str, int, int], Iterable[Event]], actor: str, length: int
) -> bool:
    """Whether the `init` of an actor that has ended has returned since it was last called for.

    Looks back from the chain's end, over the host calls of one call at most.
    """
    stop = length
    while stop > 0:
        start = max(0, stop - STEP_BACK)
        for event in reversed(list(events(actor, start, stop - start))):
            form = None if event.data is None else shapes.parse(event.type, event.data)
            if isinstance(form, shapes.Call | shapes.Error):
                return form.function != INIT
            if isinstance(form, shapes.Result):
                return True
            if isinstance(form, shapes.Start):
                return form.origin is not None  # then it goes on from a state, without `init`
            if (
                event.type == shapes.ACTOR_RESTART
                and isinstance(form, shapes.Note)
                and "state" in form.fields
            ):
                return False
        stop = start
    return False


def closing() -> Unavailable:
    """Return the error for whoever asks while the node closes."""
    return Unavailable("this node is closing", code="node.closing")
