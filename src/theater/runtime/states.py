"""The states of an actor and the moves between them: one table, and nothing else decides.

    starting → running ⇄ paused
       each of them → stopping → stopped          each of them, and stopping → failed
       running, paused, failed → starting          by a restart
       running, paused, failed → running           by an update, or a restart that keeps the state

Pure. Whoever moves an actor asks `after` under the actor's lock, in which the move is recorded, so
two moves never both begin from the same state. What a move brings with it (notes, messages, waits)
stands where it is carried out. Nothing leads out of `stopped`: its chain is complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from theater.errors import Conflict
from theater.journal.records import ActorStatus


class Move(Enum):
    """What is done to an actor."""

    STARTED = "start"
    """Its `init` has returned."""
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    """It is to end: no messages from now on, the call in hand may finish."""
    END = "end"
    """Its stop is done."""
    SHUTDOWN = "shut down"
    """It asked for its end, and the call in which it did has returned."""
    FAIL = "fail"
    RESTART = "restart"
    """From its initial state: `init` is called again."""
    RENEW = "restart --keep-state"
    """It goes on with its last state, in a new instance."""
    UPDATE = "update"
    """The same, of another component."""
    RETRY = "restart again"
    """From its initial state, after the `init` of a restart has failed."""


class By(Enum):
    """Who makes a move, as notes have it."""

    ACTOR = "actor"
    OPERATOR = "operator"
    NODE = "node"
    SUPERVISOR = "supervisor"
    """Its parent by its manifest's policy, or the node for what has no parent."""
    PARENT = "parent"
    """Also where a parent that ends, or begins anew, takes its children with it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may make a move, and where it leads from where."""

    by: frozenset[By]
    leads: Mapping[ActorStatus, ActorStatus]


TABLE: Final[Mapping[Move, Rule]] = {
    Move.STARTED: Rule(
        frozenset({By.ACTOR}),
        # A stop that came meanwhile is not forgotten.
        {"starting": "running", "stopping": "stopping"},
    ),
    Move.PAUSE: Rule(frozenset({By.OPERATOR}), {"running": "paused", "paused": "paused"}),
    Move.RESUME: Rule(frozenset({By.OPERATOR}), {"paused": "running", "running": "running"}),
    Move.STOP: Rule(
        frozenset({By.OPERATOR, By.PARENT, By.SUPERVISOR}),
        {
            "starting": "stopping",
            "running": "stopping",
            "paused": "stopping",
            "stopping": "stopping",
            "stopped": "stopped",
            "failed": "failed",
        },
    ),
    Move.END: Rule(frozenset({By.OPERATOR, By.PARENT, By.SUPERVISOR}), {"stopping": "stopped"}),
    Move.SHUTDOWN: Rule(frozenset({By.ACTOR}), {"running": "stopped", "stopping": "stopped"}),
    Move.FAIL: Rule(
        frozenset({By.NODE, By.SUPERVISOR}),
        {"starting": "failed", "running": "failed", "paused": "failed", "stopping": "failed"},
    ),
    Move.RESTART: Rule(
        frozenset({By.OPERATOR, By.PARENT, By.SUPERVISOR}),
        {"running": "starting", "paused": "starting", "failed": "starting"},
    ),
    Move.RENEW: Rule(
        frozenset({By.OPERATOR}),
        {"running": "running", "paused": "running", "failed": "running"},
    ),
    Move.UPDATE: Rule(
        frozenset({By.OPERATOR}),
        {"running": "running", "paused": "running", "failed": "running"},
    ),
    Move.RETRY: Rule(frozenset({By.SUPERVISOR}), {"starting": "starting"}),
}


def after(status: ActorStatus, move: Move, by: By) -> ActorStatus:
    """Return the state that a move leads to; Conflict if it is not allowed there, or not to them."""
    rule = TABLE[move]
    assert by in rule.by, f"{move} is not a move of {by}"
    found = rule.leads.get(status)
    if found is None:
        raise refusal(status, move)
    return found


def ended(status: str) -> bool:
    """Whether an actor in that state does nothing more, unless it is restarted."""
    return status in ("stopped", "failed")


def refusal(status: str, move: Move) -> Conflict:
    """Return the error for a move that is not allowed; its code is `actor.` and why."""
    match status:
        case "stopped" | "imported":
            return Conflict(
                f"this actor is {status} and can't {move.value}: its chain is all there will be; "
                "start another one with `theater start`",
                code="actor.ended",
            )
        case "failed":
            return Conflict(
                f"this actor has failed and can't {move.value}; `theater restart` begins anew",
                code="actor.ended",
            )
        case _:
            return Conflict(
                f"this actor is {status} and can't {move.value}", code=f"actor.{status}"
            )
