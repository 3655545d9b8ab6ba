"""A bounded queue of messages for one actor, and the flag that says whether a worker has it.

Places are reserved before a message is journaled and filled after: a message is visible only once
its record is queued, and a mailbox is never above its bounds, in messages and in bytes, nor are all
mailboxes of a node together above theirs. What is put back to the front, and what recovery found,
counts but is never refused.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from theater import limits
from theater.journal.records import Message

OnCancel = Callable[[Callable[[], None]], Callable[[], None]]
"""Registers what is called from another thread when the waiting call is killed; returns the undo."""


def size_of(message: Message) -> int:
    """Return the bytes that a waiting message is counted for."""
    return len(message.body) + limits.MESSAGE_OVERHEAD_BYTES


class Budget:
    """Bytes that the mailboxes of a node share."""

    def __init__(self, bytes_max: int = limits.MAILBOXES_BYTES_MAX) -> None:
        self.bytes_max: Final = bytes_max
        self._lock = threading.Lock()
        self._used = 0
        self._short = False
        """Whether somebody has not got what he wanted since those who wait were told last."""
        self._waiting: set[threading.Event] = set()

    @property
    def used(self) -> int:
        """Bytes taken."""
        return self._used

    def take(self, size: int) -> bool:
        """Take bytes; False if there are not enough."""
        with self._lock:
            if self._used + size > self.bytes_max:
                self._short = True
                return False
            self._used += size
            return True

    def force(self, size: int) -> None:
        """Take bytes, whatever the bound."""
        with self._lock:
            self._used += size

    def give(self, size: int) -> None:
        """Give bytes back."""
        with self._lock:
            self._used -= size
            if self._short:
                self._short = False
                for woken in self._waiting:
                    woken.set()

    def wait(self, woken: threading.Event) -> None:
        """Set `woken` when bytes are given back after there were not enough, until `leave`."""
        with self._lock:
            self._waiting.add(woken)

    def leave(self, woken: threading.Event) -> None:
        with self._lock:
            self._waiting.discard(woken)


class Line(Protocol):
    """One that stands in line for a place with its thread. Satisfied by threading.Event."""

    def set(self) -> None: ...


class Turn:
    """A place in a mailbox that a call waits for without a thread.

    It is taken for the call as soon as it is there, so that nobody is before it when it comes back.
    """

    __slots__ = ("_mailbox", "_size", "_taken", "_tell")

    def __init__(self, mailbox: Mailbox, size: int, tell: Callable[[], None]) -> None:
        self._mailbox = mailbox
        self._size = size
        self._tell = tell
        self._taken = False

    def stand_in_line(self) -> None:
        """Begin to wait."""
        self._mailbox.wait(self)

    def serve(self, take: Callable[[int], bool]) -> bool:
        """Take the place if there is one. Under the mailbox's lock."""
        self._taken = take(self._size)
        if self._taken:
            self._tell()
        return self._taken

    def set(self) -> None:
        """The mailbox has closed: the place never comes."""
        self._tell()

    def is_for(self, places: object, size: int) -> bool:
        """Whether it was asked for with this."""
        return places is self._mailbox and size == self._size

    def take(self, places: object, size: int) -> bool:
        """Whether the place is there, and was asked for with this; whoever calls has it then."""
        if self.is_for(places, size):
            return self._leave()
        self.give_up()
        return False

    def give_up(self) -> None:
        """Give the place back, or wait for it no more."""
        if self._leave():
            self._mailbox.release(self._size)

    def _leave(self) -> bool:
        if not self._taken:
            # It may come just now.
            self._mailbox.leave(self)
        return self._taken


class Mailbox:
    """Messages in the order in which they are to be handled."""

    __slots__ = (
        "_budget",
        "_bytes",
        "_messages",
        "_reserved",
        "_waiting",
        "bytes_max",
        "capacity",
        "closed",
        "lock",
    )

    def __init__(
        self,
        capacity: int,
        budget: Budget,
        bytes_max: int = limits.MAILBOX_BYTES_MAX,
    ) -> None:
        self.capacity: Final = capacity
        self.bytes_max: Final = bytes_max
        self.lock = threading.Lock()
        self.closed = False
        self._budget = budget
        self._messages: deque[Message] | None = None
        self._reserved = 0
        self._bytes = 0
        self._waiting: list[Line] = []

    def __len__(self) -> int:
        return 0 if self._messages is None else len(self._messages)

    @property
    def bytes(self) -> int:
        """What the messages here, and the reserved places, are counted for."""
        return self._bytes

    @property
    def crowded(self) -> bool:
        """Whether somebody waits for a place here."""
        return bool(self._waiting)

    def is_full(self, size: int) -> bool:
        """Whether the mailbox itself, whatever all mailboxes together hold, has no place now."""
        return not self.closed and (
            len(self) + self._reserved >= self.capacity or self._bytes + size > self.bytes_max
        )

    def overflows(self, size: int) -> bool:
        """Whether even what goes past the bounds goes too far: the bytes are twice as many by now."""
        return (
            len(self) >= self.capacity + limits.REPORTS_BEYOND_MAX
            or self._bytes + size > 2 * self.bytes_max
            or self._budget.used + size > 2 * self._budget.bytes_max
        )

    def reserve(self, size: int, timeout_s: float = 0, on_cancel: OnCancel | None = None) -> bool:
        """Take a place, waiting for one at most `timeout_s`. False if there is none, it is closed, or
        the wait was cancelled.
        """
        with self.lock:
            if self._take(size):
                return True
            if self.closed or timeout_s <= 0:
                return False
            woken = threading.Event()
            self._waiting.append(woken)
        return self._reserve_later(size, time.monotonic() + timeout_s, woken, on_cancel)

    def _reserve_later(
        self, size: int, deadline: float, woken: threading.Event, on_cancel: OnCancel | None
    ) -> bool:
        cancelled = threading.Event()

        def cancel() -> None:
            cancelled.set()
            woken.set()

        undo = None if on_cancel is None else on_cancel(cancel)
        self._budget.wait(woken)
        # Bytes that were given back before it was registered have woken nobody: it looks once more.
        woken.set()
        try:
            while True:
                left = deadline - time.monotonic()
                woken.wait(max(0.0, left))
                woken.clear()
                with self.lock:
                    if cancelled.is_set():
                        return False
                    if self._take(size):
                        return True
                    if self.closed or left <= 0:
                        return False
        finally:
            self._budget.leave(woken)
            if undo is not None:
                undo()
            with self.lock:
                self._waiting.remove(woken)
                # Whether or not it took its place: there may be one for the next.
                self._wake()

    def turn(self, size: int, tell: Callable[[], None]) -> Turn:
        """A place to wait for without a thread; `tell` is called when it is there or never comes."""
        return Turn(self, size, tell)

    def wait(self, woken: Line) -> None:
        """Set `woken` when it is its turn to look for a place, or the mailbox closes, until `leave`."""
        with self.lock:
            self._waiting.append(woken)
            if isinstance(woken, Turn):
                # It does not look for itself, and there may be a place by now.
                if self.closed:
                    woken.set()
                else:
                    self._wake()

    def leave(self, woken: Line) -> None:
        """Wait no more; there may be a place for the next."""
        with self.lock:
            if woken in self._waiting:
                self._waiting.remove(woken)
                self._wake()

    def release(self, size: int) -> None:
        """Give a reserved place back unused."""
        with self.lock:
            self._reserved -= 1
            self._drop(size)

    def fill(self, message: Message) -> bool:
        """Put a message into the place that was reserved for it. False if the mailbox closed meanwhile."""
        with self.lock:
            self._reserved -= 1
            if self.closed:
                self._drop(size_of(message))
                return False
            self._queue().append(message)
            return True

    def restore(self, message: Message) -> bool:
        """Put a message behind the others, whatever the bounds. False if the mailbox is closed.

        For what recovery found, and for what the runtime itself has to tell.
        """
        with self.lock:
            if self.closed:
                return False
            self._force(size_of(message))
            self._queue().append(message)
            return True

    def push_front(self, message: Message) -> None:
        """Put a message that could not be handled back, before all others, whatever the bounds."""
        with self.lock:
            self._force(size_of(message))
            self._queue().appendleft(message)

    def pop(self) -> Message | None:
        """Take the oldest message, None if there is none."""
        with self.lock:
            if not self._messages:
                return None
            message = self._messages.popleft()
            self._drop(size_of(message))
            return message

    def shrink(self) -> None:
        """Give up the memory that an empty mailbox needs only while it is used."""
        with self.lock:
            if not self._messages:
                self._messages = None

    def close(self) -> list[Message]:
        """Refuse messages from now on and return those that were waiting."""
        with self.lock:
            self.closed = True
            left = list(self._messages or ())
            self._messages = None
            self._drop(sum(map(size_of, left)))
            for woken in self._waiting:
                woken.set()
            return left

    def _queue(self) -> deque[Message]:
        # Made late: an empty one takes 600 bytes, and most actors of a node are idle.
        if self._messages is None:
            self._messages = deque()
        return self._messages

    def _take(self, size: int) -> bool:
        if self.closed or self.is_full(size) or not self._budget.take(size):
            return False
        self._reserved += 1
        self._bytes += size
        return True

    def _force(self, size: int) -> None:
        self._bytes += size
        self._budget.force(size)

    def _drop(self, size: int) -> None:
        self._bytes -= size
        self._budget.give(size)
        self._wake()

    def _wake(self) -> None:
        while self._waiting:
            first = self._waiting[0]
            if not isinstance(first, Turn):
                first.set()
                return
            if self.closed or not first.serve(self._take):
                return
            del self._waiting[0]
