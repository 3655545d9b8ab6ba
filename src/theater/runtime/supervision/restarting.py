"""Restarts by a supervisor, done by whoever has claimed the actor when it is its turn.

With its last state an actor keeps all that it has and only its instance is new. From its initial
state it is what the restart of an operator is: id, chain, mailbox and stores stay, and `init` is
called, which is on the plan until it has returned.
"""

from __future__ import annotations

from collections.abc import Sequence

from theater.journal.records import Planned, SetActor, Step
from theater.manifest.model import RestartState
from theater.runtime.actor import Actor
from theater.runtime.instances import drop_instance
from theater.runtime.opening import RESTARTED, recorded_start
from theater.runtime.orders import record_restart
from theater.runtime.services import Services
from theater.runtime.states import By, Move
from theater.runtime.supervision.judging import Judgement


def begins_anew(actor: Actor) -> bool:
    """Whether it is an actor's turn to be restarted from its initial state, without its children."""
    planned = actor.planned
    return (
        planned is not None
        and actor.turn
        and planned.step == "restart"
        and actor.manifest.supervision.restart_state is RestartState.INITIAL
    )


def restart_planned(services: Services, actor: Actor, planned: Planned) -> None:
    """Restart an actor whose turn it is, in one record with that being done.

    Conflict, and nothing is recorded, if it has been told to stop meanwhile.
    """
    if not begins_anew(actor):
        _renew(services, actor, planned)
        return
    initial = recorded_start(actor.history(0), actor.id).state
    move = Move.RETRY if actor.status == "starting" else Move.RESTART
    steps: list[Step] = []
    then = Planned(actor.id, "init", planned.why)
    with services.supervisors.doing(actor, then, steps) as its_turn:
        if not its_turn:
            return
        record_restart(
            services, actor, move, By.SUPERVISOR, None, initial, why=planned.why, steps=steps
        )
    drop_instance(actor)
    # Had the process ended before this, the next one would do it: what starts owes no answers.
    services.router.fail_outstanding(actor, *RESTARTED)


def _renew(services: Services, actor: Actor, planned: Planned) -> None:
    steps: list[Step] = []
    with services.supervisors.doing(actor, None, steps) as its_turn:
        if not its_turn:
            return
        _record_renewal(services, actor, planned.why, steps)
    drop_instance(actor)


def restart_ended(
    services: Services, actor: Actor, judged: Judgement, steps: Sequence[Step]
) -> None:
    """Restart an actor that asked for its end, now or when it is its turn. Under its judgement."""
    if judged.at_once:
        _record_renewal(services, actor, "shutdown", steps)
    else:
        services.journal.append((SetActor(actor.id, shutdown=False), *steps))
    actor.shutdown = False
    actor.outcome = None
    drop_instance(actor)


def _record_renewal(services: Services, actor: Actor, why: str, steps: Sequence[Step]) -> None:
    record_restart(services, actor, Move.RENEW, By.SUPERVISOR, None, None, why=why, steps=steps)
