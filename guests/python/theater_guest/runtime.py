"""The log, and the actor's own end."""

from __future__ import annotations

from typing import Any

from theater_guest import interfaces
from theater_guest.errors import HostError
from theater_guest.messages import encode


def log(*parts: object) -> None:
    """Write a line to the actor's log; several values are joined by spaces, as `print` does."""
    interfaces.runtime.log(" ".join(part if isinstance(part, str) else str(part) for part in parts))


def shutdown(result: Any = None) -> None:
    """End this actor after the current call; `result` reaches its supervisor and whoever waits.

    None is no result; bytes go as they are, everything else as JSON. Raises HostError.
    """
    try:
        interfaces.runtime.shutdown(None if result is None else encode(result))
    except interfaces.Err as error:
        raise HostError(error.value) from None
