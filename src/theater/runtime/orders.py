"""What a living actor is ordered to do between two calls: pause, resume, restart, update.

Orders wait at the actor and are carried out, in order, by whoever has claimed it, so none ever
meets a call half-way: a pause and a resume let the call in hand finish, a restart and an update have
it killed and its message put back. A restart from the initial state waits until the actor has no
living children. An order that was not carried out when the process ended was not acknowledged
either, and is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Literal

import msgspec

from theater.chain import shapes
from theater.chain.tip import Ref
from theater.errors import Conflict, Diverged, JournalFailed, TheaterError, Unavailable
from theater.journal.records import OpenKey, SetActor, Step
from theater.runtime.actor import Actor
from theater.runtime.instances import drop_instance
from theater.runtime.leaving import leaving
from theater.runtime.opening import RESTARTED, recorded_start
from theater.runtime.services import Services
from theater.runtime.states import By, Move
from theater.runtime.updating import Update, carry_out_update, update_of

OrderMove = Literal[Move.PAUSE, Move.RESUME, Move.RESTART, Move.RENEW, Move.UPDATE]


class Order(msgspec.Struct, frozen=True, gc=False, eq=False):
    """One order. `key` is the client's idempotency key, recorded with what was done; `update` is what
    an update is to, None for the other moves.

    One of these is called once: `done` with the number of the record, or `failed`. After a restart
    from the initial state `done` means that `init` is to come.
    """

    move: OrderMove
    key: str | None
    done: Callable[[Actor, int], None]
    failed: Callable[[TheaterError], None]
    update: Update | None = None
    by: By = By.OPERATOR

    @property
    def kills(self) -> bool:
        """Whether the call in hand makes way."""
        return self.move in (Move.RESTART, Move.RENEW, Move.UPDATE)

    def stands_for(self, actor: str) -> str:
        """What the key stands for."""
        return restart_of(actor) if self.update is None else update_of(actor, self.update.component)


def carry_out(services: Services, actor: Actor) -> None:
    """Carry out the first order of an actor that this thread has claimed."""
    order = actor.next_order()
    if order is None:
        return
    try:
        if _known(services, order):
            number = services.journal.appended()
        elif order.update is not None:
            number = carry_out_update(services, actor, order.update, order.key)
        elif order.kills:
            number = _restart(services, actor, order)
        else:
            number = _pause_or_resume(services, actor, order)
    except (Conflict, Diverged, Unavailable) as error:
        order.failed(error)
    except JournalFailed as error:
        order.failed(error)
        raise
    except Exception:
        order.failed(TheaterError(f"actor {actor.id} failed inside the runtime; see the log"))
        raise
    else:
        order.done(actor, number)


def _known(services: Services, order: Order) -> bool:
    """Whether an order that came before was of the same key: a client that lost its connection."""
    return order.key is not None and services.journal.key(order.key) is not None


def _pause_or_resume(services: Services, actor: Actor, order: Order) -> int:
    pauses = order.move is Move.PAUSE
    if actor.status == ("paused" if pauses else "running"):
        return services.journal.appended()
    note = shapes.ACTOR_PAUSE if pauses else shapes.ACTOR_RESUME
    data = shapes.note(services.salt(), order.by.value, order.move.value)
    return actor.record(note, data, move=order.move, by=order.by)[1]


def _restart(services: Services, actor: Actor, order: Order) -> int:
    initial = None
    if order.move is Move.RESTART:
        initial = recorded_start(actor.history(0), actor.id).state
    number = record_restart(services, actor, order.move, order.by, order.key, initial)
    drop_instance(actor)
    if order.move is Move.RESTART:
        # Had the process ended before this, the next one would do it: what starts owes no answers.
        services.router.fail_outstanding(actor, *RESTARTED)
    return number


def record_restart(
    services: Services,
    actor: Actor,
    move: Move,
    by: By,
    key: str | None,
    initial: Ref | None,
    *,
    why: str | None = None,
    steps: Sequence[Step] = (),
) -> int:
    """Record a restart of an actor that this thread has claimed; returns the record's number.

    `initial` is the state that a restart which does not keep the last one begins with. `why` is the
    move itself if nobody says more. `steps` belong into the same record.
    """
    fields: dict[str, object] = {}
    state = actor.tip.state
    if move is not Move.RENEW:
        state = initial
        fields["state"] = None if initial is None else [*initial]
    before: list[Step] = [SetActor(actor.id, shutdown=False), *steps]
    if key is not None:
        before.append(OpenKey(key, restart_of(actor.id), services.clock.wall_us()))
    data = shapes.note(services.salt(), by.value, why or move.value, fields)
    with ExitStack() as left:
        if move is not Move.RENEW:
            before.extend(left.enter_context(leaving(services, actor, stays=True)))
        _, number = actor.record(
            shapes.ACTOR_RESTART,
            data,
            before=before,
            state=state,
            # Who was paused is so until an operator says otherwise.
            move=None if by is By.SUPERVISOR and move is Move.RENEW else move,
            by=by,
        )
    # A failed one may have asked to end, in the call that it failed with.
    actor.shutdown, actor.outcome = False, None
    return number


def restart_of(actor: str) -> str:
    """Return what a client's key stands for that restarted an actor."""
    return f"restart {actor}"
