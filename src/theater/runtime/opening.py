"""Opening a node: what the journal holds becomes actors, mailboxes and waits again.

Nothing here depends on the length of histories: an actor's tip, the messages, the waits and
the timers are enough. Interrupted calls are taken up by the workers, once the node is open.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from theater.chain import shapes
from theater.chain.event import ZERO_HASH, Event, make_event
from theater.chain.tip import Ref, Tip
from theater.chain.verify import STATE_NOTES, note_state
from theater.errors import IntegrityError, TheaterError
from theater.journal.port import Journal
from theater.journal.records import ActorRow, CancelTimer, CloseWait, Message, ReleaseName
from theater.manifest.model import Limits
from theater.runtime.actor import Actor
from theater.runtime.router import Router
from theater.runtime.services import Services
from theater.runtime.waits import Wait

log = logging.getLogger(__name__)

STEP_BACK = 256

RESTARTED: Final = ("actor.restarted", "the actor was restarted before it answered")
"""Code and text for those whose requests a restart from the initial state leaves unanswered."""


def recover(services: Services, restored: Callable[[ActorRow], Actor]) -> None:
    """Fill the router with what the journal holds, then wake every actor that has something to do."""
    journal, router = services.journal, services.router
    unreadable = _load_actors(journal, router, restored)
    services.family.restore(router.actors.values())
    services.supervisors.restore(journal.supervision())
    for wait, answer in journal.waits():
        if wait.actor in router.actors:
            router.waits[wait.id] = Wait(answer)
            child = services.family.awaited(wait)
            if child is not None:
                router.restored_wait(wait.id, wait.actor, child.id)
        elif wait.actor not in unreadable:
            journal.append((CloseWait(wait.id),))
    for timer in journal.timers():
        if timer.actor in router.actors:
            services.scheduler.restore(timer)
        elif timer.actor not in unreadable:
            journal.append((CancelTimer(timer.id),))
    for name, holder in journal.names().items():
        if holder in router.actors or holder in unreadable:
            router.names.restore(holder, name)
        else:
            journal.append((ReleaseName(name),))
    for channel in journal.channels():
        if not unreadable.intersection((channel.opener, channel.acceptor)):
            router.channels.restore(channel)
    messages = journal.living_messages()
    router.start_positions_at(1 + max((m.position for m in messages), default=0))
    for message in messages:
        actor = router.actors.get(message.receiver)
        if message.receiver in unreadable:
            continue
        router.restored(message)
        if actor is None:
            router.fail_message(message, "actor.ended", f"actor {message.receiver} has ended")
        elif message.state == "outstanding" and actor.status == "starting":
            # The process ended in a restart from the initial state, before it had told them.
            router.fail_message(message, *RESTARTED)
        else:
            _place(actor, message)
    router.channels.recover()
    for actor in list(router.actors.values()):
        if (
            actor.interrupted
            or actor.shutdown
            or actor.status in ("starting", "stopping")
            or (actor.status == "running" and actor.mailbox)
        ):
            router.wake(actor)
    services.family.resume(unreadable)
    services.supervisors.resume()


def _load_actors(
    journal: Journal, router: Router, restored: Callable[[ActorRow], Actor]
) -> set[str]:
    """Returns those that this version can't read; they and all of theirs are left as they are."""
    unreadable = set()
    after = -1
    while rows := journal.actors(after=after):
        for row in rows:
            try:
                router.actors[row.id] = restored(row)
                router.was_here(row.tip.at)
            except TheaterError as error:
                log.error("actor %s (%s) can't be loaded: %s", row.id, row.name, error.message)
                unreadable.add(row.id)
        after = rows[-1].number
    return unreadable


def _place(actor: Actor, message: Message) -> None:
    if message.state == "outstanding":
        actor.outstanding[message.id] = message
    elif message.state == "taken" and actor.interrupted:
        actor.in_hand = message
    else:
        actor.mailbox.restore(replace(message, state="waiting"))


def recorded_start(events: Iterator[Event], actor: str) -> shapes.Start:
    """Return what an actor was started with, from its events; IntegrityError if that is gone."""
    first = next(events, None)
    if first is None or first.data is None:
        raise IntegrityError(f"the actor-start of {actor} is gone", code="replay.gone")
    start = shapes.parse(first.type, first.data)
    assert isinstance(start, shapes.Start)
    return start


def recorded_limits(journal: Journal, actor: str) -> Limits:
    """Return the limits that an actor was started with: a later default must not change them."""
    return Limits.of_map(recorded_start(journal.events(actor, 0, 1), actor).limits)


def first_event(at: int, data: bytes, state: Ref | None) -> tuple[Event, Tip]:
    """Return the `actor-start` of a new chain and the tip after it."""
    event = make_event(0, at, ZERO_HASH, shapes.ACTOR_START, data)
    return event, Tip(0, at, event.hash, state)


def state_at(events: Callable[[int, int], Iterable[Event]], seq: int) -> Ref | None:
    """Return the ref of the state after an event, looking backwards for what last set it."""
    stop = seq + 1
    while stop > 0:
        start = max(0, stop - STEP_BACK)
        for event in reversed(list(events(start, stop - start))):
            if event.data is None:
                continue
            form = shapes.parse(event.type, event.data)
            if isinstance(form, shapes.Start | shapes.Call | shapes.Result):
                return form.state
            if (
                event.type in STATE_NOTES
                and isinstance(form, shapes.Note)
                and "state" in form.fields
            ):
                return note_state(form)
        stop = start
    return None
