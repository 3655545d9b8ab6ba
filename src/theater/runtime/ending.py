"""What can still change how a call ended after its guest has returned: bounds, and what handlers hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from theater import limits
from theater.engine import EndCall, Ended, Outcome, Returned
from theater.handlers.port import HostCall
from theater.manifest.model import Limits
from theater.runtime.session import Session


def finish_call(
    finish: Sequence[Callable[[HostCall], None]], session: Session, outcome: Outcome
) -> Outcome:
    """Let handlers record what is left at the end of a call; they may end it otherwise."""
    if isinstance(outcome, Ended) and outcome.kind in ("killed", "diverged"):
        return outcome
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
