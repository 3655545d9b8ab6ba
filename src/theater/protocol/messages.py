"""Messages on the wire: those on channels, and those that nobody handled, dead or in quarantine."""

from __future__ import annotations

from codecs import getincrementaldecoder

import msgspec


class UnhandledView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A dead letter (`state` is `dead`) or a message that was set aside (`aside`).

    `origin` is actor, client or host, and `sender` who of them. `attempts` counts the calls of its
    receiver that it ended. `at` is when it became so, microseconds since the Unix epoch, null where
    that was not recorded. `size` is the length of its body, `start` its first bytes, and `text`
    these as text where they are UTF-8, else null.
    """

    id: str
    state: str
    receiver: str
    kind: str
    origin: str
    sender: str
    reason: str
    attempts: int
    at: int | None
    size: int
    start: bytes
    text: str | None


class UnhandledList(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Some messages of a state, oldest first. `next` is what to ask for after them, null at the end.

    Of the whole server: `kept` counts them, `kept_bytes` is the length of their bodies, and
    `dropped` counts those that were dropped, by operators or because there were too many.
    """

    messages: list[UnhandledView]
    next: int | None
    kept: int
    kept_bytes: int
    dropped: int


class DeliverRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Deliver a message again: `to` an actor, by id, unique prefix or name, else to its receiver."""

    to: str | None = None


class ChannelLine(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What comes on a client's channel, a line each: first `channel`, which was opened; then messages.

    A message is `body`, with `text` where that is UTF-8. `closed` is the last line.
    """

    channel: str | None = None
    body: bytes | None = None
    text: str | None = None
    closed: bool = False


def start_text(start: bytes, *, whole: bool) -> str | None:
    """Return the start of a body as text, None if it is not UTF-8; it may end within a character."""
    try:
        return getincrementaldecoder("utf-8")().decode(start, final=whole)
    except UnicodeDecodeError:
        return None
