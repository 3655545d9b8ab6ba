"""From the node's "there is more" to streams that wait in the event loop, and how many there may be.

A commit may wake every stream of an actor. The first of a batch wakes the loop, the rest ride along.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from theater.errors import Unavailable


class Feed:
    """Belongs to one event loop; `bell`'s functions are called on any thread."""

    __slots__ = ("_bound", "_loop", "_open", "_rung", "_scheduled", "closed")

    def __init__(self, loop: asyncio.AbstractEventLoop, bound: int) -> None:
        self._loop = loop
        self._bound = bound
        self._open: set[asyncio.Event] = set()
        self._rung: deque[asyncio.Event] = deque()
        self._scheduled = False
        self.closed = False

    @contextmanager
    def place(self) -> Iterator[asyncio.Event]:
        """Take one of the bounded places for streams; yields what is set when there is more.

        Unavailable if there is none left, or the server is stopping.
        """
        if self.closed:
            raise stopping()
        if len(self._open) >= self._bound:
            raise Unavailable(
                f"there are {self._bound} subscriptions already; end one, or try again later",
                code="subscriptions.full",
                bound=self._bound,
            )
        more = asyncio.Event()
        self._open.add(more)
        try:
            yield more
        finally:
            self._open.discard(more)

    def bell(self, more: asyncio.Event) -> Callable[[], None]:
        """Return what sets `more` from any thread. Never blocks or raises."""

        def ring() -> None:
            # Set is set: whoever waits looks for all that is there.
            if more.is_set():
                return
            self._rung.append(more)
            if not self._scheduled:
                self._scheduled = True
                try:
                    self._loop.call_soon_threadsafe(self._ring)
                except RuntimeError:
                    # The loop is closed: nobody waits any more.
                    self._rung.clear()

        return ring

    def close(self) -> None:
        """End all streams. Idempotent."""
        self.closed = True
        for more in self._open:
            more.set()

    def _ring(self) -> None:
        self._scheduled = False
        while self._rung:
            self._rung.popleft().set()


def stopping() -> Unavailable:
    """What ends a stream that could have gone on."""
    return Unavailable(
        "the server is stopping; go on behind the last event that came once it is back",
        code="server.stopping",
    )
