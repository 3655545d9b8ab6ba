"""Who wants to know that a chain grew: one listener at the node, any number of subscriptions.

The node tells on its writer's thread which chains a commit made longer; only the subscribers of
those are woken, all of one commit by one wake-up of the loop. Events themselves are not carried
here: a subscriber reads them from the journal, so a slow one loses none and slows nobody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from theater.errors import Unavailable

Watch = Callable[[Callable[[dict[str, int]], None]], Callable[[], None]]


class Feed:
    """Belongs to one event loop. At most `bound` subscriptions at a time."""

    __slots__ = (
        "_bound",
        "_count",
        "_grown",
        "_loop",
        "_scheduled",
        "_unwatch",
        "_wakers",
        "closed",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, watch: Watch, bound: int) -> None:
        self._loop = loop
        self._bound = bound
        self._count = 0
        # Replaced, never changed, so that the writer's thread can look without a lock.
        self._wakers: dict[str, tuple[asyncio.Event, ...]] = {}
        self._grown: deque[str] = deque()
        self._scheduled = False
        self.closed = False
        self._unwatch = watch(self._committed)

    @contextmanager
    def subscription(self, actor: str) -> Iterator[asyncio.Event]:
        """Yield an event that is set whenever the actor's chain grew, or the feed closed."""
        if self._count >= self._bound:
            raise Unavailable(
                f"there are {self._bound} subscriptions already; try again later",
                code="subscriptions.full",
                bound=self._bound,
            )
        waker = asyncio.Event()
        self._count += 1
        self._wakers = {**self._wakers, actor: (*self._wakers.get(actor, ()), waker)}
        try:
            yield waker
        finally:
            self._count -= 1
            rest = tuple(other for other in self._wakers[actor] if other is not waker)
            wakers = {**self._wakers, actor: rest}
            if not rest:
                del wakers[actor]
            self._wakers = wakers

    def close(self) -> None:
        """End all subscriptions. Idempotent."""
        if self.closed:
            return
        self.closed = True
        self._unwatch()
        for wakers in self._wakers.values():
            for waker in wakers:
                waker.set()

    def _committed(self, grown: dict[str, int]) -> None:
        wakers = self._wakers
        if not wakers:
            return
        hits = wakers.keys() & grown.keys()
        if not hits:
            return
        self._grown.extend(hits)
        if not self._scheduled:
            self._scheduled = True
            try:
                self._loop.call_soon_threadsafe(self._wake)
            except RuntimeError:
                # The loop is closed: nobody subscribes any more.
                self._grown.clear()

    def _wake(self) -> None:
        self._scheduled = False
        while self._grown:
            for waker in self._wakers.get(self._grown.popleft(), ()):
                waker.set()
