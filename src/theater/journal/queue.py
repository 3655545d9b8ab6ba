"""The way into a journal: records get their numbers here, wait for the writer, and are announced.

Every backend stands behind one of these, so that order, bounds, output commit and failure are the
same for all of them. It knows nothing of storage: the backend takes what has gathered, makes it
durable, and says so.
"""

from __future__ import annotations

import heapq
import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from typing import TypeVar

from theater.errors import JournalFailed, TimedOut
from theater.journal.port import Failpoint, JournalStatistics, KeptKey
from theater.journal.records import (
    AnswerKey,
    Append,
    Enqueue,
    ForgetKeys,
    GiveAnswer,
    Keep,
    OpenKey,
    Record,
    SetTimer,
    Settle,
    Take,
)
from theater.limits import (
    JOURNAL_GATHER_MS,
    JOURNAL_GATHER_RECORDS,
    JOURNAL_QUEUE_BYTES_MAX,
    JOURNAL_QUEUE_RECORDS_MAX,
)

T = TypeVar("T")

logger = logging.getLogger("theater.journal")

STEP_BYTES = 256
"""What a step is counted for besides the bytes that it carries."""

_NEVER = sys.maxsize

Entry = tuple[int, Record, int]
"""A queued record: its number, itself, and the bytes that it is counted for."""


class CommitQueue:
    """Numbers records, bounds what waits, and tells who waits for what is durable."""

    def __init__(
        self,
        *,
        failpoint: Failpoint | None = None,
        records_max: int = JOURNAL_QUEUE_RECORDS_MAX,
        bytes_max: int = JOURNAL_QUEUE_BYTES_MAX,
    ) -> None:
        self.failpoint = failpoint
        self._records_max = records_max
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._writer: int | None = None
        self._wake_at = _NEVER
        self._closing = False
        self._failure: JournalFailed | None = None
        self._over: JournalFailed | None = None
        self._entries: deque[Entry] = deque()
        self._appended = 0
        self._durable = 0
        self._groups = 0
        self._bytes = 0
        self._content: dict[bytes, tuple[int, bytes | None, bytes]] = {}
        self._content_order: deque[tuple[int, bytes]] = deque()
        self._keys: dict[str, list[tuple[int, OpenKey | AnswerKey]]] = {}
        self._key_order: deque[tuple[int, str]] = deque()
        self._forgotten: deque[tuple[int, int]] = deque()
        self._waiting: list[tuple[int, int, Callable[[BaseException | None], None]]] = []
        self._tickets = count()
        self._listeners: dict[int, Callable[[dict[str, int]], None]] = {}
        self._failure_listeners: list[Callable[[BaseException], None]] = []

    # For those who append

    def append(self, record: Record) -> int:
        """Queue a record; blocks while the queue is at its bound, except on the writer's thread."""
        size, read_early = _measured(record)
        if self.failpoint is not None:
            self.failpoint("before", self._appended + 1)
        with self._lock:
            if self._over is not None or self._is_full(size):
                self._wait_for_room(size)
            self._appended = number = self._appended + 1
            self._entries.append((number, record, size))
            self._bytes += size
            if read_early:
                self._remember(number, record)
            if len(self._entries) >= self._wake_at:
                self._wake_writer()
        if self.failpoint is not None:
            self.failpoint("queued", number)
        return number

    def appended(self) -> int:
        return self._appended

    def durable(self) -> int:
        return self._durable

    def wait(self, number: int, timeout_s: float | None = None) -> None:
        """Return when a record is durable. Raises TimedOut or JournalFailed."""
        if number <= self._durable:
            return
        failed: list[BaseException | None] = []
        over = threading.Lock()
        over.acquire()

        def done(error: BaseException | None) -> None:
            failed.append(error)
            over.release()

        self.when_durable(number, done)
        if not over.acquire(timeout=-1 if timeout_s is None else max(0.0, timeout_s)):
            raise TimedOut(
                f"record {number} was not on disk after {timeout_s} s; the last that is: {self._durable}",
                number=number,
            )
        if failed[0] is not None:
            raise failed[0]

    def when_durable(self, number: int, done: Callable[[BaseException | None], None]) -> None:
        with self._lock:
            late = number > self._durable
            comes = self._over is None or (self._failure is None and number <= self._appended)
            if late and comes:
                heapq.heappush(self._waiting, (number, next(self._tickets), done))
                if self._wake_at == JOURNAL_GATHER_RECORDS:
                    self._wake_writer()
                return
            over = self._over
        done(_refusal(over) if late and over is not None else None)

    def on_commit(self, listener: Callable[[dict[str, int]], None]) -> Callable[[], None]:
        with self._lock:
            ticket = next(self._tickets)
            self._listeners = {**self._listeners, ticket: listener}

        def off() -> None:
            with self._lock:
                self._listeners = {
                    other: kept for other, kept in self._listeners.items() if other != ticket
                }

        return off

    def on_failure(self, listener: Callable[[BaseException], None]) -> None:
        """Tell `listener` once if storage fails; at once if it has failed already."""
        with self._lock:
            failure = self._failure
            if failure is None:
                self._failure_listeners.append(listener)
        if failure is not None:
            listener(failure)

    def statistics(self) -> JournalStatistics:
        with self._lock:
            return JournalStatistics(
                appended=self._appended,
                durable=self._durable,
                groups=self._groups,
                queued_bytes=self._bytes,
            )

    def queued_content(self, digest: bytes) -> tuple[bytes | None, bytes] | None:
        """Salt and bytes of content that is queued."""
        with self._lock:
            found = self._content.get(digest)
        return None if found is None else found[1:]

    def queued_key(self, key: str) -> Callable[[KeptKey | None], KeptKey | None]:
        """What the queued records make of a key. Ask before reading what is durable, then apply."""
        with self._lock:
            steps = tuple(self._keys.get(key, ()))
            forgotten = tuple(self._forgotten)

        def apply(kept: KeptKey | None) -> KeptKey | None:
            for _, what in sorted((*steps, *forgotten), key=lambda item: item[0]):
                if isinstance(what, OpenKey):
                    kept = KeptKey(what.message, what.at_us, None)
                elif isinstance(what, AnswerKey):
                    if kept is not None and kept.answer is None:
                        kept = KeptKey(kept.message, kept.at_us, what.answer)
                elif kept is not None and kept.at_us < what:
                    kept = None
            return kept

        return apply

    # For the backend

    def serve(self, writer: int | None) -> None:
        """Say which thread is the writer: its own appends never wait for room."""
        self._writer = writer

    def take(self, records_max: int) -> list[Entry]:
        """Return what has gathered, waiting for something; nothing once the journal closes.

        While nobody waits for it to be durable, a little more is let gather: a commit costs the
        same for one record and for a hundred.
        """
        with self._lock:
            while not self._entries and not self._closing:
                self._wait_for_records(1)
            if not (
                self._waiting
                or self._closing
                or len(self._entries) >= min(records_max, JOURNAL_GATHER_RECORDS)
                or self._is_full(0)
            ):
                self._wait_for_records(JOURNAL_GATHER_RECORDS, JOURNAL_GATHER_MS / 1000)
            taken = self._shift(records_max)
        return list(taken)

    def take_nowait(self, records_max: int) -> list[Entry]:
        with self._lock:
            taken = self._shift(records_max)
        return list(taken)

    def committed(self, group: list[Entry], grown: dict[str, int]) -> None:
        """Announce that a group is durable, and the last seq of each chain that grew in it."""
        number = group[-1][0]
        size = sum([entry[2] for entry in group])
        due = []
        with self._lock:
            self._durable = number
            self._groups += 1
            self._bytes -= size
            self._forget(number)
            while self._waiting and self._waiting[0][0] <= number:
                due.append(heapq.heappop(self._waiting)[2])
            listeners = self._listeners
            self._room.notify_all()
        for done in due:
            self._tell(done, None)
        if grown:
            for listener in listeners.values():
                self._tell(listener, grown)

    def fail(self, cause: BaseException) -> None:
        """Refuse everything from now on and tell those who wait, and the failure listeners, once."""
        with self._lock:
            if self._failure is not None:
                return
            self._failure = JournalFailed(
                f"the journal can't be written any more: {cause}. What was acknowledged is kept; "
                "see to the storage and start the node again."
            )
            self._failure.__cause__ = cause
            self._over = failure = self._failure
            listeners, self._failure_listeners = self._failure_listeners, []
            waiting, self._waiting = sorted(self._waiting, key=lambda item: item[:2]), []
            self._entries.clear()
            self._room.notify_all()
            self._filled.notify_all()
        for _, _, done in waiting:
            self._tell(done, failure)
        for listener in listeners:
            self._tell(listener, failure)

    def close(self) -> None:
        """Take no more records; the writer's `take` returns what is left, then nothing."""
        with self._lock:
            self._closing = True
            if self._over is None:
                self._over = JournalFailed("the journal is closed", code="journal.closed")
            self._room.notify_all()
            self._filled.notify_all()

    def end(self) -> None:
        """Answer who waits for records that never came."""
        with self._lock:
            waiting, self._waiting = sorted(self._waiting, key=lambda item: item[:2]), []
            over = self._over
        for _, _, done in waiting:
            self._tell(done, over)

    def _is_full(self, size: int) -> bool:
        return self._bytes > 0 and (
            self._appended - self._durable >= self._records_max
            or self._bytes + size > self._bytes_max
        )

    def _wait_for_room(self, size: int) -> None:
        """Return once there is room, at once on the writer's thread; raises once it is over."""
        while self._over is None and self._is_full(size):
            if threading.get_ident() == self._writer:
                break
            self._wake_writer()
            self._room.wait()
        if self._over is not None:
            raise _refusal(self._over)

    def _wait_for_records(self, count: int, seconds: float | None = None) -> None:
        self._wake_at = count
        self._filled.wait(seconds)
        self._wake_at = _NEVER

    def _wake_writer(self) -> None:
        self._wake_at = _NEVER
        self._filled.notify()

    def _shift(self, records_max: int) -> Iterable[Entry]:
        # Whoever appends waits meanwhile: a whole queue is taken away in one step.
        entries = self._entries
        if len(entries) <= records_max:
            self._entries = deque()
            return entries
        return [entries.popleft() for _ in range(records_max)]

    def _remember(self, number: int, record: Record) -> None:
        for step in record:
            if isinstance(step, Keep):
                self._content[step.digest] = (number, step.salt, step.data)
                self._content_order.append((number, step.digest))
            elif isinstance(step, (OpenKey, AnswerKey)):
                self._keys.setdefault(step.key, []).append((number, step))
                self._key_order.append((number, step.key))
            elif isinstance(step, ForgetKeys):
                self._forgotten.append((number, step.before_us))

    def _forget(self, number: int) -> None:
        while self._content_order and self._content_order[0][0] <= number:
            _, digest = self._content_order.popleft()
            if digest in self._content and self._content[digest][0] <= number:
                del self._content[digest]
        while self._key_order and self._key_order[0][0] <= number:
            _, key = self._key_order.popleft()
            left = [item for item in self._keys.get(key, ()) if item[0] > number]
            if left:
                self._keys[key] = left
            else:
                self._keys.pop(key, None)
        while self._forgotten and self._forgotten[0][0] <= number:
            self._forgotten.popleft()

    def _tell(self, listener: Callable[[T], None], what: T) -> None:
        """Call a listener; its own error is logged, the others are told nevertheless."""
        try:
            listener(what)
        except Exception:
            logger.exception("a listener of the journal raised")


def _refusal(over: JournalFailed) -> JournalFailed:
    """Return why nothing more comes, as an error of its own for each who asks."""
    again = JournalFailed(over.message, code=over.code)
    again.__cause__ = over.__cause__
    return again


def _measured(record: Record) -> tuple[int, bool]:
    """The bytes that a record is counted for, and whether any of it can be read before it is durable."""
    size = STEP_BYTES * len(record)
    early = False
    for step in record:
        kind = type(step)
        if kind is Take or kind is Settle:
            continue
        if isinstance(step, Append):
            if step.event.data is not None:
                size += len(step.event.data)
        elif isinstance(step, Keep):
            size += len(step.data)
            early = True
        elif isinstance(step, Enqueue):
            size += len(step.message.body)
        elif isinstance(step, SetTimer):
            size += len(step.timer.payload)
        elif isinstance(step, GiveAnswer):
            size += len(step.answer.body)
        elif isinstance(step, AnswerKey):
            size += len(step.answer.body)
            early = True
        elif kind is OpenKey or kind is ForgetKeys:
            early = True
    return size, early
