"""What can still change how a call ended after its guest has returned: bounds, and what handlers hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from theater import limits
from theater.engine import EndCall, Ended, Outcome, Returned
from theater.handlers.port import HostCall
from theater.manifest.model import Limits
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
