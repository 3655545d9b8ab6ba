"""The runtime's tree of actors, as the supervisor handler sees it."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

import msgspec

from theater.chain.shapes import Peer
from theater.handlers.port import Done


class Birth(msgspec.Struct, frozen=True, gc=False):
    """A child that a host call asks for.

    `child` is its id and `call` the seq of the parent's `wasm-call` that the host call stands in.
    `manifest` is what the parent named or spelled out; `state` replaces the manifest's initial one.
    `resumes`: it goes on from that state, or from that of the last ended child of this manifest.
    """

    parent: str
    call: int
    child: str
    manifest: str
    state: bytes | None
    resumes: bool
    children_max: int


class SupervisorPort(Protocol):
    """All of it is about living actors unless it says otherwise; `child.not_found` for what is not
    the parent's own child.
    """

    def timeout_ms(self, parent: str) -> int:
        """How long this actor waits for what it asks of its children."""
        ...

    def spawn(self, birth: Birth, again: bool) -> Future[Done]:
        """Start a child, or join its start if it may have been made `again`.

        Done when its `init` has returned, or at once where there is none to call. The future has the
        TheaterError that prevented it.
        """
        ...

    def give_up(self, parent: str, child: str) -> None:
        """Nobody waits any more for a child to start: it is stopped at once, or never made."""
        ...

    def children(self, parent: str) -> list[str]:
        """The ids of the living children, in the order in which they were started."""
        ...

    def stop(self, parent: str, child: str) -> Future[Done]:
        """Stop a child, after all below it; done when it has ended, also if it had before."""
        ...

    def restart(self, parent: str, child: str, key: str) -> Future[Done]:
        """Restart a child from its initial state, once for each key; done when `init` has returned."""
        ...

    def state(self, parent: str, child: str) -> bytes | None:
        """The state of a child, also of one that has ended."""
        ...

    def head(self, parent: str, child: str) -> Peer:
        """The last event of a child's chain, also of one that has ended."""
        ...

    def status(self, parent: str, child: str) -> str:
        """The status of a child, also of one that has ended."""
        ...
