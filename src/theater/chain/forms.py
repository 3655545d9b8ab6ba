"""What the `data` of each kind of event holds, as data.

Source: chain format version 1, "Shapes". Values of the guest's own types stay encoded, since a
chain does not know WIT: a `Part` is the CBOR itself, or the ref of content if it is longer than
`INLINE_FIELD_BYTES_MAX`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from theater.chain.tip import Ref

Part = bytes | Ref
Origin = Literal["actor", "client", "host"]


@dataclass(frozen=True, slots=True)
class Peer:
    """An event of another chain."""

    actor: str
    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class CallMessage:
    """The message that a call handles.

    `sender` is the actor's id or the client's name, "" where the origin is the host. `cause` is seq
    and hash of the sender's event that came before.
    """

    id: str
    origin: Origin
    sender: str
    kind: str
    attempt: int = 0
    deadline: int | None = None
    trace: str | None = None
    cause: tuple[int, bytes] | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """The first event. `origin` is where the state comes from, if it is another chain (`from`)."""

    salt: bytes
    actor: str
    name: str
    component: bytes
    manifest: Ref
    grants: Ref
    limits: Mapping[str, int]
    engine: Mapping[str, object]
    state: Ref | None
    parent: Peer | None
    origin: Peer | None


@dataclass(frozen=True, slots=True)
class Call:
    """Before an export is called. `now` is in nanoseconds, `instance` how many calls came before."""

    salt: bytes
    function: str
    params: Part
    message: CallMessage | None
    state: Ref | None
    instance: int
    now: int
    entropy: bytes


@dataclass(frozen=True, slots=True)
class Host:
    """A host call. At most one of `output`, `head` and `trap` is there; `input` is None after an
    intent.
    """

    salt: bytes
    input: Part | None
    output: Part | None
    head: Peer | None
    trap: str | None
    facts: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Intent:
    """A host call that writes outside the journal is about to be made."""

    salt: bytes
    input: Part
    key: str
    facts: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Result:
    """The call returned ok; `state` is what it left."""

    salt: bytes
    function: str
    result: Part
    state: Ref | None


@dataclass(frozen=True, slots=True)
class Error:
    """The call did not return ok. `code` is there for traps, `message` for the guest's own err."""

    salt: bytes
    function: str
    kind: str
    message: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class Note:
    """What was done to the actor or its chain, by whom and why; `fields` are all others."""

    salt: bytes
    by: str
    why: str
    fields: Mapping[str, object]


Form = Start | Call | Host | Intent | Result | Error | Note
