"""From a future that any thread completes to one that a coroutine awaits, in batches.

The journal completes a whole commit group of futures in one go, on its own thread. Waking the
event loop for each (`asyncio.wrap_future`) costs a system call a request; here the first of a
batch wakes it and the rest ride along.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import TypeVar

from theater.errors import Unavailable

T = TypeVar("T")


class Bridge:
    """Belongs to one event loop; `result` is called on it, completions come from anywhere."""

    __slots__ = ("_closed", "_done", "_loop", "_open", "_scheduled")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._done: deque[tuple[asyncio.Future[object], Future[object]]] = deque()
        self._open: set[asyncio.Future[object]] = set()
        self._scheduled = False
        self._closed = False

    async def result(self, source: Future[T]) -> T:
        """Return what `source` completes with, or raise it. Unavailable once the server stops."""
        if source.done():
            return source.result()
        if self._closed:
            raise _stopping()
        target: asyncio.Future[object] = self._loop.create_future()
        self._open.add(target)
        source.add_done_callback(partial(self._completed, target))
        try:
            return await target  # type: ignore[return-value]
        finally:
            self._open.discard(target)

    def close(self) -> None:
        """Answer everyone who still waits that the server is stopping."""
        self._closed = True
        for target in list(self._open):
            if not target.done():
                target.set_exception(_stopping())

    def _completed(self, target: asyncio.Future[object], source: Future[object]) -> None:
        # Appending before looking at the flag is what makes the unlocked hand-over safe: whoever
        # finds it set is followed by a `_drain` that has not begun to take yet.
        self._done.append((target, source))
        if not self._scheduled:
            self._scheduled = True
            try:
                self._loop.call_soon_threadsafe(self._drain)
            except RuntimeError:
                # The loop is closed: nobody waits any more.
                self._done.clear()

    def _drain(self) -> None:
        self._scheduled = False
        done = self._done
        while done:
            target, source = done.popleft()
            if target.done():
                continue
            if source.cancelled():
                target.set_exception(CancelledError())
                continue
            error = source.exception()
            if error is not None:
                target.set_exception(error)
            else:
                target.set_result(source.result())


def _stopping() -> Unavailable:
    return Unavailable(
        "the server is stopping; ask again with the same Idempotency-Key once it is back",
        code="server.stopping",
    )
