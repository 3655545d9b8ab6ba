"""How an actor begins, works and ends: what a worker does with an actor that it has.

Whoever runs an actor has claimed it, so none of this is ever done by two threads at once. What an
operator asks for is looked at between calls: a flag (stop, kill), then the orders (pause, resume,
restart).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, assert_never

from theater.chain import shapes
from theater.engine import Ended
from theater.errors import Conflict, JournalFailed, TheaterError, Unavailable
from theater.journal.records import Answer, Message, Settle, Step
from theater.runtime import reports, states
from theater.runtime.actor import Actor
from theater.runtime.answers import clipped
from theater.runtime.black_box import name_of
from theater.runtime.deaths import died, is_poison
from theater.runtime.execution import CallEnd, Execution
from theater.runtime.inline import Moved
from theater.runtime.instances import drop_instance, fresh_instance
from theater.runtime.kinds import INIT, KINDS, no_handler
from theater.runtime.leaving import leaving
from theater.runtime.orders import carry_out
from theater.runtime.recovery import opened_function, take_up
from theater.runtime.services import Services
from theater.runtime.session import CallPlace
from theater.runtime.states import By, Move
from theater.runtime.supervision.decision import End, Exit
from theater.runtime.supervision.restarting import begins_anew, restart_ended, restart_planned
from theater.values import cbor

STREAK: Final = 2
"""After how many messages without a pause more are taken to be on their way."""

log = logging.getLogger(__name__)


def run_actor(
    services: Services, actor: Actor, batch: int, message: Message | None, opening: Sequence[Step]
) -> bool:
    """Do at most `batch` calls of an actor that this thread has claimed; whether there is more.

    `message` comes before those in the mailbox; `opening` is what makes it durable.
    """
    try:
        if message is not None:
            _begin_with(services, actor, message, opening)
        else:
            _work(services, actor, batch)
    except Moved:
        return False  # another worker has the actor now
    except JournalFailed:
        return False  # the node stops; the actor stays claimed so that nobody runs it
    except Unavailable as error:
        log.warning("actor %s has to wait: %s", actor.id, error.message)
        services.retry(actor)
        with actor.mailbox.lock:
            actor.scheduled = False
        return False
    except Exception:
        log.exception("actor %s failed inside the runtime", actor.id)
        fail_actor(services, actor, "an error of the runtime; see the log")
    with actor.mailbox.lock:
        actor.scheduled = more = _has_more(services, actor)
        return more


def _has_more(services: Services, actor: Actor) -> bool:
    """Whether a worker finds something to do. An actor whose children must end first is woken then."""
    if actor.ended:
        return False
    if _takes_children(actor):
        return not services.family.has_children(actor.id)
    if actor.planned is not None:
        return actor.turn or not actor.rests
    return bool(actor.orders) or (actor.status == "running" and len(actor.mailbox) > 0)


def _takes_children(actor: Actor) -> bool:
    """Whether what an actor does next is done without children."""
    return (
        actor.shutdown
        or actor.stop_requested is not None
        or begins_anew(actor)
        or (actor.planned is None and bool(actor.orders) and actor.orders[0].move is Move.RESTART)
    )


def _begin_with(
    services: Services, actor: Actor, message: Message, opening: Sequence[Step]
) -> None:
    if actor.stop_requested is None and actor.planned is None:
        _handle(services, actor, message, opening)
    else:
        _keep(services, message, opening)
        actor.mailbox.restore(message)
        _work(services, actor, 1)


def _work(services: Services, actor: Actor, batch: int) -> None:
    if actor.interrupted:
        _after_call(services, actor, take_up(services, actor))
    elif actor.status == "starting" and actor.planned is None:
        _initialise(services, actor)
    streak = 0
    for _ in range(batch):
        if actor.ended:
            return
        if _takes_children(actor) and not services.family.is_clear(actor):
            return
        if actor.shutdown or actor.stop_requested is not None:
            _stop(services, actor)
            continue
        if actor.planned is not None:
            if not services.supervisors.rests(actor):
                return
            if not begins_anew(actor) or services.family.is_clear(actor):
                _take_turn(services, actor)
                continue
            return
        if actor.orders:
            carry_out(services, actor)
            if actor.status == "starting":
                _initialise(services, actor)
            continue
        if actor.status != "running":
            return
        message = actor.mailbox.pop()
        if message is None:
            if streak < STREAK:
                return
            # Somebody sends one message after the other. To sleep and be woken for each of them
            # costs more than handling it: the sender goes on first.
            time.sleep(0)
            streak = 0
            message = actor.mailbox.pop()
            if message is None:
                return
        streak += 1
        _handle(services, actor, message)


def _initialise(services: Services, actor: Actor) -> None:
    name = name_of(actor, None)
    if is_poison(services, actor, name):
        fail_actor(services, actor, died(actor))
        return
    before = services.black_box.enter(name)
    try:
        _call_init(services, actor)
    finally:
        services.black_box.leave(before)


def _call_init(services: Services, actor: Actor) -> None:
    try:
        fresh_instance(services, actor)
    except Unavailable:
        raise
    except TheaterError as error:
        fail_actor(services, actor, error.message)
        return
    program = actor.program
    assert program is not None
    arguments: list[object] = [(actor.id,)] if program.init_takes_params else []
    execution = Execution(services, actor, None)
    place = execution.begin(INIT, cbor.encode([list(a) for a in arguments if isinstance(a, tuple)]))
    outcome = execution.run(place, INIT, arguments)
    _after_call(services, actor, execution.end(outcome, INIT))


def _handle(
    services: Services, actor: Actor, message: Message, opening: Sequence[Step] = ()
) -> None:
    name = name_of(actor, message)
    if is_poison(services, actor, name):
        _refuse_poison(services, actor, message, opening)
        return
    before = services.black_box.enter(name)
    try:
        _call(services, actor, message, opening)
    finally:
        services.black_box.leave(before)


def _refuse_poison(
    services: Services, actor: Actor, message: Message, opening: Sequence[Step]
) -> None:
    """End the call of a message that took two processes down, without running it."""
    kind = KINDS[message.kind]
    drop_instance(actor)
    execution = Execution(services, actor, message, poisoned=True)
    execution.begin(kind.export, kind.encoded(message), opening)
    _after_call(services, actor, execution.end(Ended("killed", None, died(actor)), kind.export))


def _call(services: Services, actor: Actor, message: Message, opening: Sequence[Step]) -> None:
    kind = KINDS[message.kind]
    execution = Execution(services, actor, message)
    try:
        place = _begin(services, actor, execution, message, opening)
    except (JournalFailed, Unavailable):
        raise
    except Exception:
        if actor.in_hand is not message:
            # The actor fails with this. What is open fails with it; this is not open yet.
            _refuse(services, message, opening, "actor.failed", f"actor {actor.id} failed")
        raise
    if place is not None:
        outcome = execution.run(place, kind.export, kind.arguments(message))
        _after_call(services, actor, execution.end(outcome, kind.export))


def _begin(
    services: Services,
    actor: Actor,
    execution: Execution,
    message: Message,
    opening: Sequence[Step],
) -> CallPlace | None:
    """Begin the call of a message, or see to it otherwise; whoever takes it out must not lose it."""
    kind = KINDS[message.kind]
    try:
        fresh_instance(services, actor)
    except Unavailable:
        _keep(services, message, opening)
        actor.mailbox.push_front(message)
        raise
    except TheaterError as error:
        _refuse(services, message, opening, error.code, error.message)
        fail_actor(services, actor, error.message)
        return None
    assert actor.program is not None
    if kind.export not in actor.program.exports:
        if kind.optional:
            services.journal.append((Settle(message.id, "done"),))
            return None
        _refuse(services, message, opening, "actor.no_handler", no_handler(actor.id, kind))
        return None
    return execution.begin(kind.export, kind.encoded(message), opening)


def _keep(services: Services, message: Message, opening: Sequence[Step]) -> None:
    if opening:
        services.journal.append(tuple(opening))
        services.router.opened(message)


def _refuse(
    services: Services, message: Message, opening: Sequence[Step], reason: str, text: str
) -> None:
    _keep(services, message, opening)
    services.router.fail_message(message, reason, text)


def _after_call(services: Services, actor: Actor, end: CallEnd) -> None:
    if end.failed:
        _clear(services, actor, end.number)
    elif end.function == INIT and end.kind is None:
        services.started(actor, end.number)


def _take_turn(services: Services, actor: Actor) -> None:
    """Do what the actor's supervisor has planned for it."""
    planned = actor.planned
    if planned is None:
        return
    match planned.step:
        case "restart":
            with suppress(Conflict):  # it was told to stop meanwhile, which is what it does next
                restart_planned(services, actor, planned)
        case "init":
            _initialise(services, actor)
        case "fail":
            _fail(services, actor, planned.why, By.SUPERVISOR)
        case "stop":
            raise AssertionError("who is to be stopped is told so, and needs no turn")
        case _:
            assert_never(planned.step)


def _stop(services: Services, actor: Actor) -> None:
    if not actor.shutdown:
        by = actor.stopped_by or By.OPERATOR
        actor.move(Move.STOP, by)
        _end(services, actor, Move.END, by, "stop", None)
        return
    exit_ = Exit.NORMAL if actor.stop_requested is None else Exit.STOPPED
    steps: list[Step] = []
    with services.supervisors.judging(actor, End(actor.id, exit_), "shutdown", steps) as judged:
        if judged.goes_on:
            report = reports.of_end(services, actor, Move.SHUTDOWN, By.ACTOR, actor.outcome)
            restart_ended(services, actor, judged, [*steps, *report.steps])
            report.put()
            return
        if judged.why is None:
            number = _record_end(
                services, actor, Move.SHUTDOWN, By.ACTOR, "shutdown", actor.outcome, steps
            )
        else:
            failure = Answer(False, clipped(judged.why.encode()))
            number = _record_end(
                services, actor, Move.FAIL, By.SUPERVISOR, judged.why, failure, steps
            )
    _clear(services, actor, number)


def fail_actor(services: Services, actor: Actor, text: str) -> None:
    """End an actor that can't go on; whoever waits on it is answered."""
    if actor.ended:
        return
    if actor.tip.call is not None:
        # What is open can't be finished: its message and whoever waits for it must not be forgotten.
        execution = Execution(services, actor, actor.in_hand, poisoned=True, fails=True)
        for wait, _ in services.journal.waits(actor.id):
            execution.adopt_wait(wait.id)
        function = actor.calling or opened_function(services, actor)
        _after_call(services, actor, execution.end(Ended("host", None, text), function))
    else:
        _fail(services, actor, text, By.NODE)


def _fail(services: Services, actor: Actor, text: str, by: By) -> None:
    _end(services, actor, Move.FAIL, by, text, Answer(False, clipped(text.encode())))


def _end(
    services: Services, actor: Actor, move: Move, by: By, why: str, outcome: Answer | None
) -> None:
    _clear(services, actor, _record_end(services, actor, move, by, why, outcome))


def _record_end(
    services: Services,
    actor: Actor,
    move: Move,
    by: By,
    why: str,
    outcome: Answer | None,
    steps: Sequence[Step] = (),
) -> int:
    report = reports.of_end(services, actor, move, by, outcome)
    with leaving(services, actor) as left:
        _, number = actor.record(
            shapes.ACTOR_FAIL if move is Move.FAIL else shapes.ACTOR_STOP,
            shapes.note(services.salt(), by.value, why[:1000]),
            [*steps, *left, *report.steps],
            move=move,
            by=by,
            outcome=outcome,
        )
    report.put()
    return number


def _clear(services: Services, actor: Actor, number: int) -> None:
    """Answer everybody who still waits on an actor whose end is recorded."""
    left = [*actor.outstanding.values(), *actor.mailbox.close()]
    actor.outstanding.clear()
    for message in left:
        services.router.fail_message(message, "actor.ended", f"actor {actor.id} has ended")
    for order in actor.give_up_orders():
        order.failed(states.refusal(actor.status, order.move))
    services.router.forget(actor.id)
    actor.passivate()
    actor.program = None
    services.ended(actor, number)
