"""What a parent is told of its children: that one failed, ended by itself, or was stopped by others.

A report is a message, put into the parent's mailbox in the record of what it tells of, whatever the
mailbox's bounds: a restart does not wait for it, and it is neither lost nor told twice. Only far past
them it is a dead letter at once, since children can be made to end faster than a parent is told. One that
is about to end is told nothing, nor one that does not export the callback.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from theater import ids
from theater.handlers.supervisor.types import ERROR_PARAMS, EXIT_PARAMS, STOP_PARAMS
from theater.journal.records import Answer, Enqueue, Message, Settle, Step
from theater.runtime.actor import Actor
from theater.runtime.answers import clipped
from theater.runtime.kinds import KINDS
from theater.runtime.mailbox import size_of
from theater.runtime.services import Services
from theater.runtime.states import By, Move
from theater.values import codec

FIRST_CALL_MAX: Final = 3
"""Before the call of a second `init` there are four events at least: the start, the first call, its
end and the restart. What is before that is the first."""

_ENCODE: Final = {
    "child-error": codec.encoder(ERROR_PARAMS),
    "child-exit": codec.encoder(EXIT_PARAMS),
    "child-stop": codec.encoder(STOP_PARAMS),
}


class Report(msgspec.Struct, frozen=True, gc=False):
    """The steps for the record of what is told, and what puts it into the mailbox once it is queued."""

    steps: tuple[Step, ...]
    put: Callable[[], None]


def _nothing() -> None:
    """Nobody is told."""


SILENCE: Final = Report((), _nothing)


def of_failure(services: Services, actor: Actor, kind: str, text: str, *, init: bool) -> Report:
    """Report that a call of a child failed, or the child outside of any; not its first `init`.

    Before it is recorded. `init` says that it failed in its `init`, or before.
    """
    begun = actor.tip.seq + 1 if actor.tip.call is None else actor.tip.call
    if init and begun <= FIRST_CALL_MAX:
        return SILENCE  # it never ran, and whoever started it is told by what it waits for
    error = {"error-type": _error_type(kind), "data": clipped(text.encode())}
    return _report(services, actor, "child-error", (actor.id, error))


def of_end(services: Services, actor: Actor, move: Move, by: By, outcome: Answer | None) -> Report:
    """Report the end of a child, unless its parent, or its policy, had it stop."""
    if move is Move.FAIL:
        text = "" if outcome is None else outcome.body.decode(errors="replace")
        return of_failure(services, actor, "host", text, init=actor.status == "starting")
    if move is Move.SHUTDOWN:
        result = (outcome.body or None) if outcome is not None else None
        return _report(services, actor, "child-exit", (actor.id, result))
    if by is By.PARENT or by is By.SUPERVISOR:
        return SILENCE
    return _report(services, actor, "child-stop", (actor.id,))


def _error_type(kind: str) -> str:
    match kind:
        case "deadline":
            return "operation-timeout"
        case "killed":
            return "shutting-down"
        case "result":
            return "type-mismatch"
        case _:
            return "internal"


def _report(services: Services, actor: Actor, kind: str, params: tuple[object, ...]) -> Report:
    parent = None if actor.parent is None else services.router.actors.get(actor.parent)
    if parent is None or _is_ending(parent):
        return SILENCE
    program = parent.program
    if program is not None and KINDS[kind].export not in program.exports:
        return SILENCE
    message = Message(
        id=ids.message_id(services.random(16)),
        receiver=parent.id,
        kind=kind,
        origin="host",
        sender="",
        body=_ENCODE[kind](params),
        position=services.router.position(),
        subject=actor.id,
    )

    if parent.mailbox.overflows(size_of(message)):
        dead = Settle(message.id, "dead", "mailbox.full", at_us=services.clock.wall_us())
        return Report((Enqueue(message), dead), _nothing)

    def put() -> None:
        if parent.mailbox.restore(message):
            services.router.wake(parent)
        else:
            services.journal.append((Settle(message.id, "done"),))

    return Report((Enqueue(message),), put)


def _is_ending(parent: Actor) -> bool:
    return parent.ended or parent.shutdown or parent.stop_requested is not None
