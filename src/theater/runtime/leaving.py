"""What an actor leaves behind when it ends, or begins anew from its initial state.

One place, because it belongs into the record of that move, whoever makes it. A context, because what
others share with the actor must not change for them before that record is queued, nor be used by
them while it is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from theater.journal.records import ReleaseName, Step
from theater.runtime.actor import Actor
from theater.runtime.channels import Closer
from theater.runtime.services import Services


@contextmanager
def leaving(services: Services, actor: Actor, *, stays: bool = False) -> Iterator[list[Step]]:
    """Give up what an actor holds outside its chain; `stays`: it begins anew.

    Yields the steps for the record of the move, which is made before the context is left.
    """
    channels = services.router.channels
    by = Closer("actor", actor.id, (actor.tip.seq, actor.tip.hash), told=stays)
    names, left = services.router.names.leaving(actor.id)
    steps: list[Step] = []
    with (
        services.supervisors.leaving(actor, steps, ends=not stays),
        channels.closing(channels.of(actor.id), by) as closed,
    ):
        steps.extend(services.scheduler.take_off(actor.id))
        yield [*steps, *map(ReleaseName, names), *closed]
    left()
