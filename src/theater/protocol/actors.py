"""Actors on the wire, and what is asked of the server about them."""

from __future__ import annotations

import msgspec


class Outcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an actor ended with. `text` is `body` where that is UTF-8, else null."""

    ok: bool
    body: bytes
    text: str | None = None


class ActorView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An actor as clients see it.

    `component` and `head` are hexadecimal SHA-256; `started_at` is microseconds since the Unix
    epoch; `events` counts its chain, `mailbox` the messages that wait.
    """

    id: str
    name: str
    status: str
    parent: str | None
    manifest_path: str
    component: str
    started_at: int
    events: int
    head: str
    mailbox: int
    outcome: Outcome | None = None


class ActorList(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    actors: list[ActorView]


class StartRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An actor to start.

    `manifest` is its text after substitution, `path` where the client read it: shown, never opened,
    but what lies beside it is what the actor may start as children. `component` the hexadecimal SHA-256 of one that the server has, `state` the initial
    state in base64, which comes before the manifest's.
    """

    manifest: str
    path: str
    component: str
    name: str | None = None
    state: bytes | None = None


class StopRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With `force` the call in hand is killed instead of waited for."""

    force: bool = False


class RestartRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With `keep_state` the actor goes on with its last state, and `init` is not called."""

    keep_state: bool = False


class UpdateRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`component` is the hexadecimal SHA-256 of one that the server has.

    With `force` it is not tried with the actor's last calls first.
    """

    component: str
    force: bool = False


class SendReceipt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The id of a message that was accepted into a mailbox and is on disk."""

    message: str


class ComponentReceipt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The hexadecimal SHA-256 of a component that the server now has."""

    sha256: str


class ServerView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who answers: the program, its version and the version of the API."""

    name: str
    version: str
    api: int


class Health(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    status: str


def outcome(ok: bool, body: bytes) -> Outcome:
    """Return an outcome with its text where the bytes are UTF-8."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = None
    return Outcome(ok=ok, body=body, text=text)
