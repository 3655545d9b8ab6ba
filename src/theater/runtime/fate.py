"""What becomes of the message in hand when its call has ended, as a pure decision.

ok, or the guest's err            done; the err is the requester's err
trap or limit, first time         back to the front with attempt + 1; the requester still waits
trap or limit, second time        set aside (quarantine); the requester gets the error
killed from outside               back to the front, not counted
the actor has ended or diverged   dead letter or set aside; the requester gets the error
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import msgspec

ATTEMPTS_MAX: Final = 2
"""How often a message may end its actor's call before it is set aside."""


class Fate(Enum):
    """What becomes of a message."""

    DONE = "done"
    OUTSTANDING = "outstanding"
    AGAIN = "front"
    ASIDE = "aside"
    DEAD = "dead"


class Ending(msgspec.Struct, frozen=True, gc=False):
    """How a call ended, as far as its message is concerned.

    `kind` is that of the `wasm-error`, None for a result. `answered` is false where a request's
    result leaves it outstanding. `ends` says that the actor ends with this call,
    `poisoned` that the message took the whole process down before.
    """

    kind: str | None
    attempt: int
    answered: bool = True
    ends: bool = False
    poisoned: bool = False
    errors_fail: bool = False


def decide(ending: Ending) -> Fate:
    """Return the fate of the message in hand."""
    if ending.kind is None:
        return Fate.DONE if ending.answered else Fate.OUTSTANDING
    if ending.kind == "error" and not ending.errors_fail:
        return Fate.DONE
    if ending.kind == "diverged" or ending.poisoned:
        return Fate.ASIDE
    if ending.ends:
        return Fate.DEAD
    if not counted(ending.kind) or ending.attempt + 1 < ATTEMPTS_MAX:
        return Fate.AGAIN
    return Fate.ASIDE


def counted(kind: str) -> bool:
    """Whether a bad end counts against its message: being killed for somebody else's reason doesn't."""
    return kind != "killed"
