"""Carrying out an update: what is recorded when an actor goes on with another component.

Like a restart that keeps the state: the call in hand was killed and its message put back, whatever
else the actor has stays. The order comes with a trial of the component; what was recorded since the
trial ended is tried here, while the actor waits, and only if it is little.
"""

from __future__ import annotations

from typing import Final

import msgspec

from theater.chain import shapes
from theater.errors import Conflict
from theater.journal.records import OpenKey, SetActor, Step
from theater.limits import UPDATE_CALLS_BETWEEN_MAX
from theater.runtime.actor import Actor
from theater.runtime.instances import drop_instance
from theater.runtime.kinds import KINDS
from theater.runtime.program import Program
from theater.runtime.services import Services
from theater.runtime.states import By, Move
from theater.runtime.trial import Trial, busy

FORCED: Final = "forced"
"""The field of a note of an update whose component was not tried."""


class Update(msgspec.Struct, frozen=True, gc=False, eq=False):
    """What an actor is to go on with: a component by its digest, with its program for that actor.

    `trial` is None where nothing is to be tried.
    """

    component: bytes
    program: Program
    trial: Trial | None


def carry_out_update(services: Services, actor: Actor, update: Update, key: str | None) -> int:
    """Update an actor that this thread has claimed; returns the record's number.

    Errors are those of `Trial.advance`. Nothing is recorded if it has that component already.
    """
    if actor.component == update.component:
        return services.journal.appended()
    if update.trial is not None:
        with services.dispatcher.blocking():
            services.journal.wait(services.journal.appended())
            update.trial.advance(UPDATE_CALLS_BETWEEN_MAX)
    number = _record(services, actor, update, key)
    drop_instance(actor)
    return number


def update_ended(services: Services, actor: Actor, update: Update, key: str | None) -> int:
    """Update an actor that had failed and that nobody has; returns the record's number.

    Unavailable if it has got on since the trial: it lived again, and failed again.
    """
    if actor.component == update.component:
        raise Conflict(
            f"actor {actor.id} failed with this very component; `theater restart --keep-state` has "
            "it go on with it",
            code="update.same",
        )
    if update.trial is not None and update.trial.seq != actor.tip.seq + 1:
        raise busy(actor.id)
    return _record(services, actor, update, key)


def _record(services: Services, actor: Actor, update: Update, key: str | None) -> int:
    """Record that an actor goes on with another component; returns the record's number."""
    before: list[Step] = [SetActor(actor.id, shutdown=False, component=update.component)]
    if key is not None:
        said = update_of(actor.id, update.component)
        before.append(OpenKey(key, said, services.clock.wall_us()))
    tried: dict[str, object] = (
        {FORCED: True} if update.trial is None else {"calls": update.trial.calls}
    )
    data = shapes.note(
        services.salt(),
        By.OPERATOR.value,
        Move.UPDATE.value,
        {"component": update.component, **tried},
    )
    _, number = actor.record(
        shapes.ACTOR_UPDATE, data, before=before, move=Move.UPDATE, by=By.OPERATOR
    )
    actor.component, actor.program = update.component, update.program
    # A failed one may have asked to end, in the call that it failed with.
    actor.shutdown, actor.outcome = False, None
    return number


def update_of(actor: str, component: bytes) -> str:
    """Return what a client's key stands for that updated an actor."""
    return f"update {actor} {component.hex()}"


def check_exports(actor: Actor, before: Program, after: Program) -> None:
    """Conflict if a component has no export for messages that the one before it takes."""
    called = {kind.export for kind in KINDS.values()}
    missing = sorted((before.exports & called) - after.exports)
    if missing:
        raise Conflict(
            f"the new component does not export {', '.join(missing)}, which actor {actor.id} has "
            "now, so such messages would become dead letters; --force updates it all the same",
            code="update.exports",
            functions=missing,
        )
