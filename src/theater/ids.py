"""Ids: how each kind of id is spelled, and where its bytes come from.

Everything that a call makes has an id derived from the call's place in its chain, so that a call
that is run again makes the same; only what comes from outside has random ids.
"""

from __future__ import annotations

import re
import uuid
from hashlib import sha256
from typing import Final

PURPOSE_BYTES: Final = 6

ACTOR_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAME: Final = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_TRACEPARENT: Final = re.compile(
    r"(?P<version>[0-9a-f]{2})-"
    r"(?P<place>(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(?P<more>-.*)?"
)


def actor_id(source: bytes) -> str:
    """Return the UUID, in its hyphenated lower-case form, made of the first 16 bytes of `source`."""
    return str(uuid.UUID(bytes=source[:16], version=4))


def message_id(source: bytes) -> str:
    """Return `msg_` and 32 hexadecimal digits made of the first 16 bytes of `source`."""
    return "msg_" + source[:16].hex()


def for_purpose(source: bytes, *parts: bytes) -> bytes:
    """Return 16 bytes for an id of which can be told what it is for: all that a client says of it.

    The first 6 stand for that, the others are random: those of `source`.
    """
    told = sha256(b"theater.purpose.v1")
    for part in parts:
        told.update(len(part).to_bytes(8, "big") + part)
    return told.digest()[:PURPOSE_BYTES] + source[PURPOSE_BYTES:16]


def same_purpose(one: str, other: str) -> bool:
    """Whether two ids made by `for_purpose`, of actors or of messages, are for the same."""
    return _purpose(one) == _purpose(other)


def _purpose(id_: str) -> str:
    return id_.rpartition("_")[2].replace("-", "")[: 2 * PURPOSE_BYTES]


def is_name(text: str) -> bool:
    """Whether an actor can register under this name: 1 to 64 characters, never an actor's id."""
    return _NAME.fullmatch(text) is not None and ACTOR_ID.fullmatch(text) is None


def timer_id(source: bytes) -> str:
    """Return `timer_` and 32 hexadecimal digits made of the first 16 bytes of `source`."""
    return "timer_" + source[:16].hex()


def channel_id(source: bytes) -> str:
    """Return `ch_` and 16 hexadecimal digits made of the first 8 bytes of `source`."""
    return "ch_" + source[:8].hex()


def channel_of_wait(wait: str) -> str:
    """Return the id that the channel has, or would have, which a wait of this id is for.

    Both are made of the same bytes.
    """
    return "ch_" + wait.removeprefix("msg_")[:16]


def store_id(source: bytes) -> str:
    """Return `store_` and 32 hexadecimal digits made of the first 16 bytes of `source`."""
    return "store_" + source[:16].hex()


def traceparent(text: str) -> str | None:
    """Return a place in a trace as version 00 of W3C Trace Context spells it, None if `text` is none.

    Of a later version it is the part that it shares with this one.
    """
    found = _TRACEPARENT.fullmatch(text)
    if found is None or found["version"] == "ff" or (found["version"] == "00" and found["more"]):
        return None
    return f"00-{found['place']}"


def effect_key(source: bytes) -> str:
    """Return the idempotency key, 32 hexadecimal digits, of an effect outside the journal."""
    return source[:16].hex()
