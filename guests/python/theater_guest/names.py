"""Names that stand for an actor's id: `theater:agent/registry`.

A name that an actor has registered is accepted wherever an actor's id is, until the actor gives it up,
ends, or is restarted from its initial state. Every function raises NotGranted in an actor whose manifest
has no `registry`.
"""

from __future__ import annotations

from theater_guest import interfaces
from theater_guest.messages import host


def register(name: str) -> None:
    """Take a name: a small letter, then up to 63 small letters, digits, dots, dashes, underscores.

    HostError: `name.taken` if a living actor holds it, `name.invalid`, `names.full`.
    """
    host(interfaces.registry.register, name)


def unregister(name: str) -> None:
    """Give a name up. HostError: `name.not_held` if this actor doesn't hold it."""
    host(interfaces.registry.unregister, name)


def whereis(name: str) -> str | None:
    """The id of the actor that holds a name, None if nobody does."""
    return interfaces.registry.whereis(name)
