"""What the `data` of each kind of event holds, as data.

Source: chain format version 1, "Shapes". Values of the guest's own types stay encoded, since a
chain does not know WIT: a `Part` is the CBOR itself, or the ref of content if it is longer than
`INLINE_FIELD_BYTES_MAX`. Structs and not dataclasses for the reason that `Event` is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec.structs import replace

from theater.chain.tip import Ref

Part = bytes | Ref
Origin = Literal["actor", "client", "host"]


class Peer(msgspec.Struct, frozen=True):
    """An event of another chain."""

    actor: str
    seq: int
    hash: bytes


class CallMessage(msgspec.Struct, frozen=True):
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


class Start(msgspec.Struct, frozen=True):
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


class Call(msgspec.Struct, frozen=True):
    """Before an export is called. `now` is in nanoseconds, `instance` how many calls came before."""

    salt: bytes
    function: str
    params: Part
    message: CallMessage | None
    state: Ref | None
    instance: int
    now: int
    entropy: bytes


class Host(msgspec.Struct, frozen=True):
    """A host call. At most one of `output`, `head` and `trap` is there; `input` is None after an
    intent.
    """

    salt: bytes
    input: Part | None
    output: Part | None
    head: Peer | None
    trap: str | None
    facts: Mapping[str, object] | None


class Intent(msgspec.Struct, frozen=True):
    """A host call that writes outside the journal is about to be made."""

    salt: bytes
    input: Part
    key: str
    facts: Mapping[str, object] | None


class Result(msgspec.Struct, frozen=True):
    """The call returned ok; `state` is what it left."""

    salt: bytes
    function: str
    result: Part
    state: Ref | None


class Error(msgspec.Struct, frozen=True):
    """The call did not return ok. `code` is there for traps, `message` for the guest's own err."""

    salt: bytes
    function: str
    kind: str
    message: str | None
    code: str | None


class Note(msgspec.Struct, frozen=True):
    """What was done to the actor or its chain, by whom and why; `fields` are all others."""

    salt: bytes
    by: str
    why: str
    fields: Mapping[str, object]


Form = Start | Call | Host | Intent | Result | Error | Note


def changed_start(start: Start, note: Note) -> Start:
    """Return what an actor is behind a note that changes what it was started as: an update's, say.

    `parse` has checked the form of the fields.
    """
    changes: dict[str, object] = {}
    for name in ("component", "manifest", "grants", "limits"):
        if name in note.fields:
            value = note.fields[name]
            changes[name] = tuple(value) if isinstance(value, list) else value
    return replace(start, **changes) if changes else start
