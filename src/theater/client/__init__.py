"""Clients of a server: `Client` for threads, `AsyncClient` for event loops, with the same methods.

Each is imported when it is asked for, so that who uses one doesn't pay for the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from theater.client.asynchronous import AsyncClient
    from theater.client.blocking import Client

__all__ = ["AsyncClient", "Client"]


def __getattr__(name: str) -> object:
    if name == "Client":
        from theater.client.blocking import Client

        return Client
    if name == "AsyncClient":
        from theater.client.asynchronous import AsyncClient

        return AsyncClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
