"""The names that chains are written in: types of events, kinds and codes of errors.

Types with a `/` and the three `wasm-*` are the course of an actor; all others are notes, known or
unknown, which a replay passes over.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import Final, Literal, get_args

ACTOR_START: Final = "actor-start"
WASM_CALL: Final = "wasm-call"
WASM_RESULT: Final = "wasm-result"
WASM_ERROR: Final = "wasm-error"

ACTOR_PAUSE: Final = "actor-pause"
ACTOR_RESUME: Final = "actor-resume"
ACTOR_RESTART: Final = "actor-restart"
ACTOR_UPDATE: Final = "actor-update"
ACTOR_ENGINE: Final = "actor-engine"
ACTOR_RECOVER: Final = "actor-recover"
ACTOR_FORK: Final = "actor-fork"
ACTOR_FAIL: Final = "actor-fail"
ACTOR_STOP: Final = "actor-stop"
MESSAGE_ASIDE: Final = "message-aside"
CHAIN_REDACT: Final = "chain-redact"
CHAIN_PRUNE: Final = "chain-prune"

NOTES: Final = frozenset(
    {
        ACTOR_PAUSE,
        ACTOR_RESUME,
        ACTOR_RESTART,
        ACTOR_UPDATE,
        ACTOR_ENGINE,
        ACTOR_RECOVER,
        ACTOR_FORK,
        ACTOR_FAIL,
        ACTOR_STOP,
        MESSAGE_ASIDE,
        CHAIN_REDACT,
        CHAIN_PRUNE,
    }
)
"""The notes that this version writes."""

ErrorKind = Literal[
    "error",
    "trap",
    "fuel",
    "memory",
    "stack",
    "deadline",
    "killed",
    "state",
    "result",
    "events",
    "diverged",
    "host",
]
"""How a call ended that did not return ok. `error` is the guest's own err, with its message."""

TrapCode = Literal[
    "unreachable",
    "divide",
    "overflow",
    "memory",
    "table",
    "indirect",
    "conversion",
    "abi",
    "denied",
    "exit",
]
"""Why a guest trapped."""

ERROR_KINDS: Final[frozenset[str]] = frozenset(get_args(ErrorKind))
TRAP_CODES: Final[frozenset[str]] = frozenset(get_args(TrapCode))
NOT_REPRODUCIBLE: Final[frozenset[str]] = frozenset({"deadline", "killed", "stack", "host"})
"""Kinds that are facts from outside: a replay takes the recorded end as given."""


class EventKind(Enum):
    """What an event is, by its type alone."""

    START = "start"
    CALL = "call"
    HOST = "host"
    INTENT = "intent"
    RESULT = "result"
    ERROR = "error"
    NOTE = "note"


_KINDS: Final = {
    ACTOR_START: EventKind.START,
    WASM_CALL: EventKind.CALL,
    WASM_RESULT: EventKind.RESULT,
    WASM_ERROR: EventKind.ERROR,
}


@lru_cache(maxsize=4096)
def kind_of(type_: str) -> EventKind:
    """Return what an event of a type is."""
    if "/" in type_:
        return EventKind.INTENT if type_.endswith("!") else EventKind.HOST
    return _KINDS.get(type_, EventKind.NOTE)


def is_course(type_: str) -> bool:
    """Whether a replay looks at events of this type."""
    return "/" in type_ or type_ in (WASM_CALL, WASM_RESULT, WASM_ERROR)


def is_note(type_: str) -> bool:
    """Whether a replay passes over events of this type."""
    return not is_course(type_)
