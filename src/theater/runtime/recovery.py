"""Taking up a call that the end of a process interrupted.

The history since the last new instance is run again in a new one: calls that had ended must end the
same, and the interrupted call goes on for real from its first host call that is not recorded. What
was answered and recorded is not done again.
"""

from __future__ import annotations

import logging

from theater.chain import shapes
from theater.engine import Ended, Outcome
from theater.errors import CodecError, IntegrityError
from theater.runtime.actor import Actor, LiveInstance
from theater.runtime.black_box import name_of
from theater.runtime.deaths import died, is_poison
from theater.runtime.execution import CallEnd, Execution
from theater.runtime.instances import fresh_instance
from theater.runtime.recorded import RecordedCall, Rerun, arguments_of, cut
from theater.runtime.services import Services
from theater.runtime.session import CallPlace

log = logging.getLogger(__name__)


def take_up(services: Services, actor: Actor) -> CallEnd:
    """Finish the interrupted call; returns how it ended."""
    segment = actor.tip.segment
    assert segment is not None
    if actor.moved is not None:
        _settle(services, actor.moved.number)
    calls = [
        each
        for each in cut(services.journal.events(actor.id, segment))
        if isinstance(each, RecordedCall)
    ]
    opened = calls.pop()
    assert opened.end is None
    waits = [wait.id for wait, _ in services.journal.waits(actor.id)]
    # There is no use in running what would be killed.
    gives_way = actor.held and actor.moved is None and actor.in_hand is not None
    innocent = actor.moved is not None or bool(waits) or _in_an_effect(opened)
    name = name_of(actor, actor.in_hand)
    poisoned = is_poison(services, actor, name, innocent=innocent or gives_way)
    execution = Execution(services, actor, actor.in_hand, poisoned=poisoned)
    for wait in waits:
        execution.adopt_wait(wait)
    if actor.moved is not None:
        execution.go_on_from(actor.moved)
    before = services.black_box.enter(name)
    try:
        if poisoned:
            outcome: Outcome = Ended("killed", None, died(actor))
        elif gives_way:
            outcome = Ended("killed", None, "its supervisor restarts the actor")
        else:
            outcome = _run_again(services, actor, calls, opened, execution)
    except (IntegrityError, CodecError) as error:
        # What was recorded can't be read: that won't change. All else is for another try.
        outcome = Ended("diverged", None, error.message, error)
    finally:
        services.black_box.leave(before)
    end = execution.end(outcome, opened.call.function)
    actor.interrupted = False
    return end


def _settle(services: Services, number: int) -> None:
    """Wait until what this process recorded of the call can be read."""
    if services.journal.durable() < number:
        with services.dispatcher.blocking():
            services.journal.wait(number)


def opened_function(services: Services, actor: Actor) -> str:
    """Return the function of the call that is open in an actor's chain."""
    assert actor.tip.call is not None
    event = next(iter(services.journal.events(actor.id, actor.tip.call, 1)))
    assert event.data is not None
    call = shapes.parse(event.type, event.data)
    assert isinstance(call, shapes.Call)
    return call.function


def _in_an_effect(opened: RecordedCall) -> bool:
    """Whether an intent was open. Earlier recoveries have left their notes behind it."""
    return bool(opened.events) and opened.events[-1].type.endswith("!")


def _run_again(
    services: Services,
    actor: Actor,
    ended: list[RecordedCall],
    opened: RecordedCall,
    execution: Execution,
) -> Outcome:
    actor.live = None
    live = fresh_instance(services, actor)
    program = actor.program
    assert program is not None
    rerun = Rerun(
        actor.id,
        actor.name,
        program,
        live.instance,
        actor.manifest.limits,
        services.journal,
        actor.history_of,
    )
    actor.live = LiveInstance(live.instance, rerun.memory)
    for recorded in ended:
        divergence = rerun.run(recorded)
        if divergence is not None:
            log.error("actor %s can't be taken up: %s", actor.id, divergence)
            return Ended(
                "diverged",
                None,
                f"event {divergence.seq}: expected {divergence.expected}, got {divergence.actual}",
            )
    if actor.moved is not None:
        actor.interrupted = False  # from here on it is a call like any other of this process
        if actor.moved.killed is not None:
            execution.kill(actor.moved.killed)
    seq, now, entropy = opened.place
    return execution.run(
        CallPlace(actor.id, actor.name, seq, now, entropy),
        opened.call.function,
        arguments_of(opened, program, services.journal),
        opened.events,
    )
