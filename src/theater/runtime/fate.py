"""What becomes of the message in hand when its call has ended, as a pure decision.

ok, or the guest's err            done; the err is the requester's err
trap or limit, first time         back to the front with attempt + 1; the requester still waits
trap or limit, second time        as the actor's manifest has it in `poison`; the requester gets the error
                                  quarantine: set aside
                                  fail:       dead letter; the actor has failed with it, for good
                                  retry:      to the front again, and the requester still waits
took two processes down           as `fail` has it, else set aside
killed from outside               back to the front, not counted
the actor has ended or diverged   dead letter or set aside; the requester gets the error
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import msgspec

from theater.manifest.model import Poison

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
    poison: Poison = Poison.QUARANTINE


def decide(ending: Ending) -> Fate:
    """Return the fate of the message in hand."""
    if ending.kind is None:
        return Fate.DONE if ending.answered else Fate.OUTSTANDING
    if ending.kind == "error" and not ending.errors_fail:
        return Fate.DONE
    if ending.kind == "diverged":
        return Fate.ASIDE
    if ending.ends and not ending.poisoned:
        return Fate.DEAD
    if not is_poison(ending):
        return Fate.AGAIN
    match ending.poison:
        case Poison.QUARANTINE:
            return Fate.ASIDE
        case Poison.FAIL:
            return Fate.DEAD
        case Poison.RETRY:
            # What takes the process down would do so at every start.
            return Fate.ASIDE if ending.poisoned else Fate.AGAIN


def is_poison(ending: Ending) -> bool:
    """Whether the message itself is to blame: it did this before."""
    if ending.kind in (None, "diverged") or (ending.kind == "error" and not ending.errors_fail):
        return False
    return ending.poisoned or (counted(ending.kind) and ending.attempt + 1 >= ATTEMPTS_MAX)


def fails_actor(ending: Ending) -> bool:
    """Whether the actor fails with a message, for good, because its manifest says so."""
    return ending.poison is Poison.FAIL and is_poison(ending)


def counted(kind: str) -> bool:
    """Whether a bad end counts against its message: being killed for somebody else's reason doesn't."""
    return kind != "killed"
