"""How a call ended: what can still change that after its guest has returned, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from theater import limits
from theater.chain import shapes
from theater.engine import EndCall, Ended, Outcome, Returned
from theater.handlers.port import HostCall
from theater.journal.records import Answer, Message, Settle, Step
from theater.manifest.model import Limits
from theater.runtime.fate import Fate
from theater.runtime.program import Program
from theater.runtime.session import Session


def finish_call(program: Program, session: Session, outcome: Outcome) -> Outcome:
    """Let handlers record what is left at the end of a call, and give up what they hold for it.

    Only where the end follows from the recording, and not from within a host call: how much output
    is left at a deadline depends on the machine, and an event after a host call that trapped would
    stand outside the call.
    """
    try:
        if _ended_by_itself(outcome):
            return _finished(program.finish, session, outcome)
        return outcome
    finally:
        for release in program.release:
            release(session)


def _ended_by_itself(outcome: Outcome) -> bool:
    return not isinstance(outcome, Ended) or (
        outcome.cause is None and outcome.kind in ("trap", "fuel", "memory")
    )


def _finished(
    finish: Sequence[Callable[[HostCall], None]], session: Session, outcome: Outcome
) -> Outcome:
    try:
        for each in finish:
            each(session)
    except EndCall as end:
        return Ended(end.kind, end.code, str(end))
    return outcome


def excess(outcome: Outcome, bounds: Limits) -> Outcome:
    """Return the outcome, or an end of kind `state` or `result` if it is above the actor's limits."""
    if not isinstance(outcome, Returned):
        return outcome
    if outcome.state is not None and len(outcome.state) > bounds.state_bytes:
        return Ended(
            "state", None, f"the state has {len(outcome.state)} bytes, at most {bounds.state_bytes}"
        )
    if len(outcome.rest_cbor) > bounds.message_bytes + limits.INLINE_FIELD_BYTES_MAX:
        return Ended("result", None, f"the result is above {bounds.message_bytes} bytes")
    return outcome


def follows(outcome: Outcome) -> bool:
    """Whether an end is the guest's own doing, and not a fact from outside."""
    return not isinstance(outcome, Ended) or (
        outcome.kind not in shapes.NOT_REPRODUCIBLE and outcome.kind != "diverged"
    )


def settle_as(steps: Sequence[Step], fate: Fate, reason: str, at_us: int) -> Sequence[Step]:
    """Return the steps with every message that they settle as done given this fate instead."""
    if fate is Fate.ASIDE or fate is Fate.DEAD:
        return [
            Settle(step.message, fate.value, reason, at_us=at_us)
            if isinstance(step, Settle)
            else step
            for step in steps
        ]
    return steps


def is_request(message: Message | None) -> bool:
    """Whether somebody may wait for an answer to the message in hand."""
    return message is not None and message.kind == "request"


def answer_of(message: Message | None, outcome: Returned) -> Answer | None:
    """Return the answer that a request's result holds, None if it leaves it outstanding or is none."""
    if message is not None and message.kind == "channel-open":
        return _consent_of(message, outcome)
    if message is None or message.kind != "request":
        return None
    answer = outcome.rest[0]
    body = answer[0] if isinstance(answer, tuple) else answer
    return Answer(True, body) if isinstance(body, bytes) else None


def first_of(message: Message | None, outcome: Returned) -> bytes | None:
    """Return the first message on a channel of who accepted it, None if there is none."""
    if message is None or message.kind != "channel-open":
        return None
    words = _accept_of(outcome)["message"]
    return words if isinstance(words, bytes) else None


def _consent_of(message: Message, outcome: Returned) -> Answer:
    accept = _accept_of(outcome)
    if accept["accepted"]:
        return Answer(True, (message.subject or "").encode())
    reason = accept["message"]
    text = reason.decode(errors="replace") if isinstance(reason, bytes) else ""
    text = text or f"channel.refused: actor {message.receiver} does not open the channel"
    return Answer(False, text.encode())


def _accept_of(outcome: Returned) -> dict[str, object]:
    (accept,) = cast("tuple[dict[str, object]]", outcome.rest[0])
    return accept


def ending_text(kind: str, code: str | None) -> str:
    """Return a bad end in words that depend on no library."""
    return kind if code is None else f"{kind} ({code})"


def failure_text(actor: str, kind: str, code: str | None) -> str:
    """Return what a requester is told of a call that ended badly."""
    return f"actor.failed: the call of actor {actor} ended with {ending_text(kind, code)}"
