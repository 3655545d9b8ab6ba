"""The timers of a node's actors, and the thread that puts their messages into mailboxes.

That a timer was due, when it is due again, and its message are one record, so each due time gives
one message, wherever the process ends. Due times are absolute. What was missed while the node was
down, or while the mailbox was full, comes once.

The wall clock may be set. Then no `after` and no `every` waits longer than its own delay or period,
and a `cron` whose time was passed already does not come again, unless the clock was set back by so
much that it was wrong before.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Final

from msgspec.structs import replace

from theater import ids, limits
from theater.chain import rules
from theater.clock import Clock
from theater.errors import (
    Conflict,
    JournalFailed,
    NotFound,
    TheaterError,
    TimedOut,
    TooLarge,
    Unavailable,
)
from theater.handlers.scheduler import cron
from theater.journal.port import Journal
from theater.journal.records import CancelTimer, Enqueue, FireTimer, Message, Settle, Timer
from theater.runtime.kinds import KINDS
from theater.runtime.router import Router

log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
"""How long the thread sleeps at most while there are timers: the wall clock may be set meanwhile."""

CLOCK_SET_S: Final = 0.1
"""By how much the wall clock may leave the monotonic one before all due times are looked at again."""

CRON_BACK_US: Final = 3 * 3600 * 1_000_000
"""A clock that is set back by more than this was wrong: cron times come again, as in Debian's cron."""

BATCH: Final = 256
"""How many timers are fired before others get the lock."""

REMOVED_MAX: Final = 1024
"""How many removed timers may lie about in the heap, and as many again as there are others."""


class _Set:
    """A timer that is set. `due_s` is monotonic."""

    __slots__ = ("due_s", "removed", "timer", "withheld")

    def __init__(self, timer: Timer) -> None:
        self.timer = timer
        self.due_s = 0.0
        self.removed = False
        self.withheld = False


class Scheduler:
    """The timers of a node. Satisfies the scheduler handler's TimerPort."""

    def __init__(self, journal: Journal, router: Router, clock: Clock) -> None:
        self._journal = journal
        self._router = router
        self._clock = clock
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._actors: dict[str, dict[str, _Set]] = {}
        self._heap: list[tuple[float, int, _Set]] = []
        self._order = itertools.count()
        self._removed = 0
        self._bytes = 0
        # Due timers, by actor, that can't be fired yet: the mailbox is full.
        self._late: dict[str, deque[_Set]] = {}
        self._ahead_s = self._wall_ahead_s()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="theater-scheduler", daemon=True)

    def start(self) -> None:
        """Fire timers from now on; before this they are only taken in."""
        self._thread.start()

    def close(self) -> None:
        """Fire nothing more."""
        with self._lock:
            self._closed = True
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()

    # TimerPort

    def now_us(self) -> int:
        """Wall time, microseconds since the epoch."""
        return self._clock.wall_us()

    def check(self, timer: Timer, timers_max: int) -> None:
        """Raise TooLarge, Unavailable or NotFound if this timer can't be set."""
        actor = self._router.living(timer.actor)
        bytes_max = min(limits.TIMER_PAYLOAD_BYTES_MAX, actor.manifest.limits.message_bytes)
        if len(timer.payload) > bytes_max:
            raise TooLarge(
                f"a timer's payload has at most {bytes_max} bytes", code="timer.too_large"
            )
        program, export = actor.program, KINDS["timer"].export
        if program is not None and export not in program.exports:
            raise NotFound(f"an actor that sets timers exports {export}", code="actor.no_handler")
        if len(self._actors.get(timer.actor, ())) >= timers_max:
            raise Unavailable(f"an actor has at most {timers_max} timers", code="timers.full")
        if self._bytes + _size(timer) > limits.TIMERS_BYTES_MAX:
            raise Unavailable(
                f"the timers of all actors take {limits.TIMERS_BYTES_MAX} bytes already",
                code="timers.full",
            )

    def add(self, timer: Timer) -> None:
        """Take in a timer whose record is queued."""
        self._take_in(timer, set_back=False)

    def restore(self, timer: Timer) -> None:
        """Take in a timer that the journal holds; the clock may have been set since."""
        self._take_in(timer, set_back=True)

    def _take_in(self, timer: Timer, *, set_back: bool) -> None:
        with self._lock:
            added = _Set(timer)
            self._actors.setdefault(timer.actor, {})[timer.id] = added
            self._bytes += _size(timer)
            self._plan(added, set_back=set_back)
            first = self._heap[0][2] is added
        if first:
            self._woken.set()

    def withhold(self, actor: str, timer: str) -> AbstractContextManager[object]:
        """Keep a timer from being fired until the context is left; NotFound if it is over."""
        with self._lock:
            found = self._actors.get(actor, {}).get(timer)
            if found is None:
                raise NotFound(f"there is no timer {timer[:80]!r}", code="timer.not_found")
            found.withheld = True
        held = ExitStack()
        held.callback(self._let_go, found)
        return held

    def _let_go(self, withheld: _Set) -> None:
        with self._lock:
            withheld.withheld = False
        self._woken.set()

    def remove(self, actor: str, timer: str) -> None:
        """Forget a timer whose cancelling is queued."""
        with self._lock:
            found = self._actors.get(actor, {}).get(timer)
            if found is not None:
                self._remove(found)

    def pending(self, actor: str) -> list[str]:
        """The ids of an actor's timers, in the order in which they were set."""
        with self._lock:
            return list(self._actors.get(actor, ()))

    def take_off(self, actor: str) -> Sequence[CancelTimer]:
        """Forget all timers of an actor; returns the steps for the record of its end, or its restart."""
        with self._lock:
            found = list(self._actors.get(actor, {}).values())
            for each in found:
                self._remove(each)
            if self._late.pop(actor, None) is not None:
                self._leave(actor)
        return [CancelTimer(each.timer.id) for each in found]

    def _remove(self, found: _Set) -> None:
        timer = found.timer
        found.removed = True
        self._bytes -= _size(timer)
        own = self._actors[timer.actor]
        del own[timer.id]
        if not own:
            del self._actors[timer.actor]
        self._removed += 1
        if self._removed > REMOVED_MAX + len(self._heap) // 2:
            self._heap = [entry for entry in self._heap if not entry[2].removed]
            heapq.heapify(self._heap)
            self._removed = 0

    # When

    def _plan(self, planned: _Set, *, set_back: bool = False) -> None:
        """Put a timer into the heap, at the monotonic time at which it is due.

        `set_back` says that the wall clock may have been set back since the due time was computed.
        """
        planned.due_s = self._due_s(planned, set_back)
        heapq.heappush(self._heap, (planned.due_s, next(self._order), planned))

    def _due_s(self, planned: _Set, set_back: bool) -> float:
        wall_us, timer = self._clock.wall_us(), planned.timer
        if set_back and timer.kind == "cron" and timer.due_us - wall_us > CRON_BACK_US:
            fresh_us = cron.next_after(timer.cron, wall_us)
            if fresh_us is not None and timer.due_us - fresh_us > CRON_BACK_US:
                timer = planned.timer = replace(timer, due_us=fresh_us)
        left_us = timer.due_us - wall_us
        if timer.kind != "cron":
            left_us = min(left_us, timer.span_us)
        return self._clock.monotonic() + max(0, left_us) / 1_000_000

    def _next_us(self, timer: Timer) -> int | None:
        wall_us = self._clock.wall_us()
        match timer.kind:
            case "after":
                return None
            case "every":
                missed = max(0, wall_us - timer.due_us) // timer.span_us
                return timer.due_us + (missed + 1) * timer.span_us
            case "cron":
                return cron.next_after(timer.cron, max(wall_us, timer.due_us))

    def _wall_ahead_s(self) -> float:
        return self._clock.wall_us() / 1_000_000 - self._clock.monotonic()

    def _follow_the_clock(self) -> None:
        ahead_s = self._wall_ahead_s()
        if abs(ahead_s - self._ahead_s) <= CLOCK_SET_S:
            return
        set_back, self._ahead_s = ahead_s < self._ahead_s, ahead_s
        for _, _, planned in self._heap:
            if not planned.removed:
                due_s = self._due_s(planned, set_back)
                cron_ = planned.timer.kind == "cron"
                planned.due_s = due_s if cron_ else min(due_s, planned.due_s)
        self._heap = [(p.due_s, order, p) for _, order, p in self._heap if not p.removed]
        heapq.heapify(self._heap)
        self._removed = 0

    # Firing

    def _run(self) -> None:
        while True:
            self._woken.clear()
            try:
                with self._lock:
                    if self._closed:
                        return
                    wait_s = self._look()
            except JournalFailed:
                return  # the node stops
            self._woken.wait(wait_s)

    def _look(self) -> float | None:
        """Fire what is due; returns after how many seconds to look again, None for not before woken."""
        self._follow_the_clock()
        for actor in list(self._late):
            self._fire_late(actor)
        now_s = self._clock.monotonic()
        for _ in range(BATCH):
            if not self._heap or self._heap[0][0] > now_s:
                break
            due = heapq.heappop(self._heap)[2]
            if due.removed:
                self._removed -= 1
            elif due.timer.actor in self._late or not self._fire(due):
                self._hold_back(due)
        if self._heap:
            return min(LOOK_S, max(0.0, self._heap[0][0] - self._clock.monotonic()))
        return LOOK_S if self._late else None

    def _hold_back(self, due: _Set) -> None:
        """Keep a due timer until its actor's mailbox has room for its message."""
        waiting = self._late.get(due.timer.actor)
        if waiting is not None:
            waiting.append(due)
            return
        self._late[due.timer.actor] = deque((due,))
        actor = self._router.actors.get(due.timer.actor)
        if actor is not None:
            actor.mailbox.wait(self._woken)
            self._woken.set()  # it may have got room just before

    def _fire_late(self, actor: str) -> None:
        waiting = self._late[actor]
        while waiting and (waiting[0].removed or self._fire(waiting[0])):
            waiting.popleft()
        if not waiting:
            del self._late[actor]
            self._leave(actor)

    def _leave(self, actor: str) -> None:
        found = self._router.actors.get(actor)
        if found is not None:
            found.mailbox.leave(self._woken)

    def _fire(self, due: _Set) -> bool:
        """Send a due timer's message; False if it has to wait."""
        if due.withheld:
            return False
        timer, next_us = due.timer, self._next_us(due.timer)
        message = Message(
            id=ids.message_id(rules.derive(timer.id, timer.fired, 0)),
            receiver=timer.actor,
            kind="timer",
            origin="host",
            sender="",
            body=timer.payload,
            position=self._router.position(),
            subject=timer.id,
        )
        fired = FireTimer(timer.id, next_us)
        try:
            self._router.enqueue(message, (fired,))
        except JournalFailed:
            raise
        except (TimedOut, Conflict):
            return False  # full, or about to end
        except TheaterError as error:
            log.warning("a timer of actor %s: %s", timer.actor, error.message)
            dead = Settle(message.id, "dead", error.code, at_us=self._clock.wall_us())
            self._journal.append((fired, Enqueue(message), dead))
        if next_us is None:
            self._remove(due)
            self._removed -= 1  # it is not in the heap
        else:
            due.timer = replace(timer, due_us=next_us, fired=timer.fired + 1)
            self._plan(due)
        return True


def _size(timer: Timer) -> int:
    return len(timer.payload) + len(timer.cron) + limits.MESSAGE_OVERHEAD_BYTES
