"""Waits whose other side is not a message: a child that starts, stops or begins anew.

The wait is journaled first, then the thing is begun; after the end of a process the call is run
again, finds its wait open, and begins again, which joins what was begun. What came of it needs no
place of its own: the other actor's status tells it until the host call's event does.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import Final

from theater import limits
from theater.clock import Clock
from theater.errors import Conflict, JournalFailed, TheaterError, TimedOut
from theater.handlers.port import Doing, Done
from theater.journal.port import Journal
from theater.runtime.answers import clipped
from theater.runtime.cycles import WaitGraph
from theater.runtime.inline import Moved
from theater.runtime.waits import Asking, Wait, Waits
from theater.values.types import Err

OVER: Final = Done(Err("wait.cancelled: the call was killed"))
"""For a call that was killed: nobody sees it."""


class Doings:
    """Has things done to actors, for calls that wait for them."""

    def __init__(
        self,
        waits: Waits,
        graph: WaitGraph,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._waits = waits
        self._graph = graph
        self._journal = journal
        self._clock = clock

    def do(self, doing: Doing, asking: Asking, away_us: int) -> Done:
        """Begin, or join, what a host call wants done, and wait for it.

        `away_us` is how long the node was away before it was opened, which does not count. Moved if
        the call goes on waiting without this thread.
        """
        try:
            wait, again = self._open(doing, asking, away_us)
            done = self._result(wait, doing, asking, doing.begin(again))
        except Moved:
            raise  # it waits on, and is here again when it is taken up
        except JournalFailed:
            raise
        except TheaterError as error:
            done = Done(Err(clipped(f"{error.code}: {error.message}".encode()).decode()))
        except BaseException:
            self._graph.leave(asking.actor)
            raise
        self._graph.leave(asking.actor)
        return done

    def _open(self, doing: Doing, asking: Asking, away_us: int) -> tuple[Wait, bool]:
        found = self._waits.table.get(asking.wait)
        wait = found or self._waits.new(doing.timeout_ms)

        def waits() -> bool:
            return not wait.closed and asking.cancelled() is None

        if found is None:
            self._graph.enter(asking.actor, doing.awaited, waits)
            due_us = self._clock.wall_us() + doing.timeout_ms * 1000
            meant = doing.awaited if doing.named else None
            self._journal.append((self._waits.announce(wait, asking, due_us, meant),))
        else:
            self._waits.attach(wait, asking.wait, away_us, doing.timeout_ms)
            with suppress(Conflict):  # it was let in when it was opened
                self._graph.enter(asking.actor, doing.awaited, waits)
        return wait, found is not None

    def _result(self, wait: Wait, doing: Doing, asking: Asking, future: Future[Done]) -> Done:
        woken = threading.Event()
        future.add_done_callback(lambda _: woken.set())
        now = self._clock.monotonic()
        due = now if wait.due is None else min(wait.due, now + limits.WAIT_MS_MAX / 1000)
        if not woken.is_set():
            undo = asking.on_cancel(woken.set)
            try:
                over = asking.hold(woken, due)
            finally:
                undo()
            if not over:
                raise asking.park(
                    due - self._clock.monotonic(),
                    lambda wake: future.add_done_callback(lambda _: wake()),
                )
        if asking.cancelled() is not None:
            # Its message may be handled again, and what was begun would be there twice.
            doing.given_up()
            return OVER
        if not future.done():
            doing.given_up()
            raise TimedOut(
                f"actor {doing.awaited} was not done within {doing.timeout_ms} ms",
                code="wait.timed_out",
            )
        return future.result()
