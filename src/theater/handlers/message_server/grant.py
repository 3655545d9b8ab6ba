"""The grant of messages: with whom an actor may exchange them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from theater.manifest.grants import Grant, Names, setting


def _peer(name: str) -> str | None:
    return None if name and name.isprintable() else "a peer is an actor's id or name"


@dataclass(frozen=True, slots=True)
class MessageServerGrant(Grant):
    """`allowed_peers` are ids and registered names of actors; None is everyone.

    An id is allowed however its actor was called, a name only where it was called by that name:
    whoever holds it then is meant.
    """

    type: ClassVar[str] = "message-server"
    ignored: ClassVar[Mapping[str, str]] = {
        "port": "port does nothing: messages reach an actor over the node's own address"
    }

    allowed_peers: tuple[str, ...] | None = setting(Names(check=_peer), default=None)

    def allows(self, peer: str, name: str | None = None) -> bool:
        """Whether an actor of this id, which was called by this name if by any, is among the peers."""
        allowed = self.allowed_peers
        return allowed is None or peer in allowed or (name is not None and name in allowed)
