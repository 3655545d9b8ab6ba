"""Ids: how each kind of id is spelled, and where its bytes come from.

Everything that a call makes has an id derived from the call's place in its chain, so that a call
that is run again makes the same; only what comes from outside has random ids.
"""

from __future__ import annotations

import re
import uuid
from typing import Final

ACTOR_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
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


def timer_id(source: bytes) -> str:
    """Return `timer_` and 32 hexadecimal digits made of the first 16 bytes of `source`."""
    return "timer_" + source[:16].hex()


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
