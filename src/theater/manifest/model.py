"""What a manifest says, as data.

Sizes are bytes, times milliseconds unless the name says otherwise. Defaults and ceilings are in
`theater.limits`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum

from theater import limits
from theater.errors import Problem
from theater.manifest.grants import Grant, Policy


class Errors(StrEnum):
    """What a guest's `err` means: an answer, or a failure of the actor."""

    CONTINUE = "continue"
    FAIL = "fail"


class Poison(StrEnum):
    """What becomes of a message whose handling killed the actor twice."""

    QUARANTINE = "quarantine"
    RETRY = "retry"
    FAIL = "fail"


class Restart(StrEnum):
    """When a child is restarted. Source: Erlang/OTP, supervisor."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


class RestartState(StrEnum):
    """The state a restarted actor goes on with."""

    LAST = "last"
    INITIAL = "initial"


class Strategy(StrEnum):
    """Which children are restarted when one fails. Source: Erlang/OTP, supervisor."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one actor may use up."""

    memory: int = limits.MEMORY_BYTES
    deadline_ms: int = limits.DEADLINE_MS
    instance_calls: int = limits.INSTANCE_CALLS
    events_per_call: int = limits.EVENTS_PER_CALL
    message_bytes: int = limits.MESSAGE_BYTES
    state_bytes: int = limits.STATE_BYTES
    mailbox: int = limits.MAILBOX
    fuel: int | None = None

    @classmethod
    def of_map(cls, named: Mapping[str, int]) -> Limits:
        """The limits that `as_map` gave; names that this version doesn't know are passed over."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in named.items() if name in known})

    def as_map(self) -> dict[str, int]:
        """Every limit by name, as `actor-start` records them; without fuel if it has no bound."""
        named = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Supervision:
    """How an actor is supervised, and how it supervises its children."""

    restart: Restart = Restart.TRANSIENT
    restart_state: RestartState = RestartState.LAST
    shutdown_ms: int = limits.SHUTDOWN_MS
    strategy: Strategy = Strategy.ONE_FOR_ONE
    intensity: int = 1
    period_s: int = 5


@dataclass(frozen=True, slots=True)
class HandlerEntry:
    """One `[[handler]]`: its type, its settings as written, the grant read from them, its line."""

    type: str
    settings: Mapping[str, object]
    grant: Grant
    line: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an actor is and may do.

    `initial_state` is a reference (str) or the state itself (bytes: the JSON of an inline table).
    `chain_dir` is where `save_chain` writes: relative to the node's folder of chains, or an absolute
    path that the node's operator must have allowed. `text` is the TOML after substitution: parsed again without variables it says the same.
    """

    name: str
    component: str
    version: str | None = None
    description: str | None = None
    component_sha256: str | None = None
    initial_state: str | bytes | None = None
    save_chain: bool = False
    chain_dir: str | None = None
    request_timeout_ms: int = limits.REQUEST_TIMEOUT_MS
    send_timeout_ms: int = limits.SEND_TIMEOUT_MS
    errors: Errors = Errors.CONTINUE
    poison: Poison = Poison.QUARANTINE
    passivate_after_ms: int = limits.PASSIVATE_AFTER_MS
    limits: Limits = field(default_factory=Limits)
    supervision: Supervision = field(default_factory=Supervision)
    handlers: tuple[HandlerEntry, ...] = ()
    permission_policy: Mapping[str, Policy] = field(default_factory=dict)
    implements: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    text: str = ""
    path: str | None = None
    warnings: tuple[Problem, ...] = ()

    @property
    def grants(self) -> dict[str, Grant]:
        """The grants it asks for, by handler type."""
        return {entry.type: entry.grant for entry in self.handlers}
