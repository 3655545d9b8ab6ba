"""Whether a call may be run at all: not if the process died in it twice.

A death is counted before the guest is run again, and not when a node opens, since that may end before
it gets to this call. It is on disk before the guest runs, whose next death could take it along.
"""

from __future__ import annotations

from typing import Final

from theater.journal.records import SetActor
from theater.runtime.actor import Actor
from theater.runtime.services import Services

DEATHS_MAX: Final = 2
"""How many process deaths in the same stretch of a call end it as `killed`."""


def is_poison(services: Services, actor: Actor, name: bytes, *, innocent: bool = False) -> bool:
    """Count the last process's death against the call that this thread is about to run, if it came in
    it; whether the call must end without being run.

    `innocent`: it is known to have waited for an answer or an effect. Counted deaths are forgiven
    once the call has recorded something new. Waits for the other suspects; the thread is to enter the
    call after this, and not before: while it waits for the disk it is in no guest.
    """
    box = services.black_box
    if not box.suspects(name):
        return actor.deaths >= DEATHS_MAX
    if innocent:
        box.acquit(name)
        return False
    with actor.lock:
        actor.deaths = box.counts(name, actor.deaths)
        number = services.journal.append((SetActor(actor.id, deaths=actor.deaths),))
    with services.dispatcher.blocking():
        services.journal.wait(number)
    box.acquit(name)
    if actor.deaths >= DEATHS_MAX:
        return True
    with services.dispatcher.blocking():
        box.be_alone(name)
    return False


def died(actor: Actor) -> str:
    """Say why a call was ended without being run."""
    return f"the process died {actor.deaths} times in this call"
