"""Children: actors that this one starts, looks after and ends: `theater:simple/supervisor`.

A manifest is a path beside this actor's own, a `store://` reference into its stores, or the TOML text
itself. An actor acts on its own children only, and none of them outlives it. How they end comes to
`on_child_error`, `on_child_exit` and `on_child_stopped`. Every function raises HostError, and NotGranted
in an actor whose manifest has no `supervisor`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from theater_guest import interfaces
from theater_guest.messages import encode, host


@dataclass(frozen=True, slots=True)
class ChildError:
    """Why a child failed: the kind as the WIT names it (`internal`, `operation-timeout` …), and its text."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class ChildEvent:
    """An event of a child's chain; `timestamp_ms` since the Unix epoch, `parent` None for the first."""

    hash: bytes
    parent: bytes | None
    type: str
    data: bytes
    timestamp_ms: int


def spawn(manifest: str, state: Any = None) -> str:
    """Start a child and wait until its `init` has succeeded. Returns its id.

    `state` replaces the manifest's initial state: bytes as they are, anything else as JSON.
    """
    return host(interfaces.supervisor.spawn, manifest, _state(state))


def resume(manifest: str, state: Any = None) -> str:
    """Start a child from a state, without `init`: this one, or what the last ended child of this
    manifest left. Returns its id.
    """
    return host(interfaces.supervisor.resume, manifest, _state(state))


def living() -> list[str]:
    """The ids of the living children, in the order in which they were started."""
    return interfaces.supervisor.list_children()


def stop(child: str) -> None:
    """Stop a child, after everything below it."""
    host(interfaces.supervisor.stop_child, child)


def restart(child: str) -> None:
    """Start a child again under the same id, from its initial state."""
    host(interfaces.supervisor.restart_child, child)


def state(child: str) -> bytes | None:
    """The state of a child, also of one that has ended."""
    return host(interfaces.supervisor.get_child_state, child)


def status(child: str) -> str:
    """`starting`, `running`, `paused`, `stopping`, `stopped` or `failed`."""
    found = host(interfaces.supervision.child_status, child)
    name: str = found.name
    return name.lower()


def events(child: str) -> list[ChildEvent]:
    """The events of a child's chain, oldest first."""
    return [
        ChildEvent(each.hash, each.parent_hash, each.event_type, each.data, each.timestamp)
        for each in host(interfaces.supervisor.get_child_events, child)
    ]


def _state(state: Any) -> bytes | None:
    return None if state is None else encode(state)
