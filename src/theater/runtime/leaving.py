"""What an actor leaves behind when it ends, or begins anew from its initial state.

One place, because it belongs into the record of that move, whoever makes it.
"""

from __future__ import annotations

from theater.journal.records import Step
from theater.runtime.actor import Actor
from theater.runtime.services import Services


def leaving(services: Services, actor: Actor) -> list[Step]:
    """Give up what an actor holds outside its chain; returns the steps for the record of the move."""
    return [*services.scheduler.take_off(actor.id)]
