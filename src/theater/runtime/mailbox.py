"""A bounded queue of messages for one actor, and the flag that says whether a worker has it.

Places are reserved before a message is journaled and filled after: a message is visible only once
its record is queued, and a mailbox is never above its bound. What is put back to the front, and
what recovery found, counts but is never refused.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from theater.journal.records import Message


class Mailbox:
    """Messages in the order in which they are to be handled."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.lock = threading.Lock()
        self.closed = False
        self._space = threading.Condition(self.lock)
        self._messages: deque[Message] = deque()
        self._reserved = 0

    def __len__(self) -> int:
        return len(self._messages)

    def reserve(self, timeout_s: float) -> bool:
        """Take a place, waiting for one at most `timeout_s`. False if there is none or it is closed."""
        with self.lock:
            if not self.closed and len(self._messages) + self._reserved < self.capacity:
                self._reserved += 1
                return True
            deadline = time.monotonic() + timeout_s
            while not self.closed:
                if len(self._messages) + self._reserved < self.capacity:
                    self._reserved += 1
                    return True
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._space.wait(left)
            return False

    def release(self) -> None:
        """Give a reserved place back unused."""
        with self.lock:
            self._reserved -= 1
            self._space.notify()

    def fill(self, message: Message) -> bool:
        """Put a message into the place that was reserved for it. False if the mailbox closed meanwhile."""
        with self.lock:
            self._reserved -= 1
            if self.closed:
                return False
            self._messages.append(message)
            return True

    def restore(self, message: Message) -> None:
        """Put a message that recovery found behind the others, whatever the bound."""
        with self.lock:
            self._messages.append(message)

    def push_front(self, message: Message) -> None:
        """Put a message that could not be handled back, before all others, whatever the bound."""
        with self.lock:
            self._messages.appendleft(message)

    def pop(self) -> Message | None:
        """Take the oldest message, None if there is none."""
        with self.lock:
            if not self._messages:
                return None
            message = self._messages.popleft()
            self._space.notify()
            return message

    def close(self) -> list[Message]:
        """Refuse messages from now on and return those that were waiting."""
        with self.lock:
            self.closed = True
            left = list(self._messages)
            self._messages.clear()
            self._space.notify_all()
            return left
