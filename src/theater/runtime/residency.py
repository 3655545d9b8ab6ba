"""Which actors hold an instance: giving up those that have been idle for longest.

An instance takes gigabytes of address space and a few mappings, both of which a process has a
bounded number of; an actor without one takes little.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from theater.runtime.actor import Actor

BATCH: Final = 64
"""How many are given up at once, so that looking for them is rare."""


def make_room(actors: Iterable[Actor]) -> int:
    """Passivate the actors that have been idle for longest; returns how many that were."""
    holding = [actor for actor in list(actors) if actor.live is not None and not actor.scheduled]
    holding.sort(key=lambda actor: actor.last_used)
    return sum(passivate_idle(actor) for actor in holding[:BATCH])


def passivate_idle(actor: Actor) -> bool:
    """Give up an actor's instance if nobody has it and it has nothing to do; whether that was so."""
    if actor.status not in ("running", "paused") or actor.interrupted or actor.tip.call is not None:
        return False
    with actor.mailbox.lock:
        if actor.scheduled or (len(actor.mailbox) and actor.status == "running"):
            return False
        # Nobody can claim it while the mailbox's lock is held.
        actor.passivate()
    actor.mailbox.shrink()
    return True
