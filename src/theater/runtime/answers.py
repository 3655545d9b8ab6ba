"""What an answer is made of on its way: refusals, bounds on what guests say, errors of clients.

Pure. What a guest answers ends up in rows, in other guests' memories and in clients' exceptions, so
all of it is bounded here: errors are clipped, answers that are too large become an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from theater import limits
from theater.errors import ActorFailed
from theater.journal.records import Answer, Settle, Step

Place = tuple[int, bytes]
"""Seq and hash of an event."""

RecordSteps = Callable[[Callable[[Place | None], Sequence[Step]]], tuple[Place | None, int]]
"""Appends a record with the steps that the function makes of its event's place, None if the record
has no event; returns that place and the record's number."""

RUNTIME_ERRORS: Final = frozenset(
    {
        "actor.ended",
        "actor.failed",
        "actor.no_handler",
        "actor.restarted",
        "actor.stopped",
        "answer.too_large",
        "channel.refused",
        "channels.full",
        "request.cancelled",
        "request.timed_out",
    }
)
"""Codes with which the runtime, and not the actor, answers a request."""


def refusal(code: str, text: str) -> Answer:
    """Return an error of the runtime as an answer."""
    return Answer(False, clipped(f"{code}: {text}".encode()))


def clipped(text: bytes) -> bytes:
    """Return the UTF-8 of an error's text, cut between characters where it is above the bound."""
    if len(text) <= limits.ERROR_MESSAGE_BYTES_MAX:
        return text
    return text[: limits.ERROR_MESSAGE_BYTES_MAX].decode(errors="ignore").encode()


def bounded(answer: Answer, bytes_max: int | None = None) -> Answer:
    """Return the answer as its requester gets it, who takes at most `bytes_max` bytes."""
    if not answer.ok:
        return replace(answer, body=clipped(answer.body))
    if bytes_max is None or len(answer.body) <= bytes_max:
        return answer
    return replace(
        refusal(
            "answer.too_large",
            f"the answer has {len(answer.body)} bytes, the requester takes at most {bytes_max} "
            "(limits.message_bytes)",
        ),
        event=answer.event,
    )


def bury(steps: Sequence[Step], reason: str, at_us: int) -> Sequence[Step]:
    """Return the steps with every message that they settle made a dead letter instead."""
    return [
        Settle(step.message, "dead", reason, at_us=at_us) if isinstance(step, Settle) else step
        for step in steps
    ]


def actor_error(answer: Answer) -> ActorFailed:
    """Return the error that a client gets for a request that was answered with one."""
    text = answer.body.decode()
    code, colon, _ = text.partition(": ")
    return ActorFailed(text, code=code if colon and code in RUNTIME_ERRORS else "actor.error")
