"""Who waits for whom, so that a wait that would never end is refused when it begins.

An actor has one call at a time, so it waits for one other at most, and whoever it waits for can do
nothing for it while it waits itself. A chain of waits that comes back to its beginning is therefore
a deadlock, and there is only one way along it: as many steps as it has actors.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from theater import limits
from theater.errors import Conflict

SHOWN_MAX: Final = 8
"""How many actors of a cycle an error names."""


class WaitGraph:
    """The waits of a node's actors, one each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waits: dict[str, tuple[str, Callable[[], bool]]] = {}

    def __len__(self) -> int:
        return len(self._waits)

    def enter(self, waiter: str, awaited: str, goes_on: Callable[[], bool]) -> None:
        """An actor is about to wait for another; Conflict, naming the cycle, if that would close one.

        `goes_on` is asked whether it still waits: what is over needs no more than that it is said.
        """
        with self._lock:
            cycle = self._cycle(waiter, awaited)
            if cycle is None:
                self._waits[waiter] = (awaited, goes_on)
                return
        shown = [*cycle[:SHOWN_MAX], "…"] if len(cycle) > SHOWN_MAX else [*cycle, waiter]
        raise Conflict(
            f"{waiter} would wait for ever: {' waits for '.join(shown)}", code="request.cycle"
        )

    def leave(self, waiter: str) -> None:
        """The actor does not wait any more."""
        with self._lock:
            self._waits.pop(waiter, None)

    def _cycle(self, waiter: str, awaited: str) -> list[str] | None:
        passed = [waiter]
        current = awaited
        for _ in range(limits.ACTORS_MAX):
            if current == waiter:
                return passed
            wait = self._waits.get(current)
            if wait is None or not wait[1]():
                return None
            passed.append(current)
            current = wait[0]
        return None
