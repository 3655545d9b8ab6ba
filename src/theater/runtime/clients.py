"""Clients that wait for the answers to their requests.

A future has one owner: whoever takes it out of the table here completes it. So an answer and a
time-out that come together never both complete it, and none is left behind when the node closes.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future

from theater.errors import TheaterError
from theater.journal.port import Journal
from theater.journal.records import Answer
from theater.runtime.answers import actor_error


class Clients:
    """Futures by the id of the message whose answer they are to have."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._futures: dict[str, list[Future[bytes]]] = {}
        self._over: TheaterError | None = None

    def __contains__(self, message: str) -> bool:
        return message in self._futures

    def __len__(self) -> int:
        return len(self._futures)

    def expect(self, message: str, future: Future[bytes]) -> None:
        """The future is to have the message's answer. Raises what `close` was given."""
        with self._lock:
            if self._over is not None:
                raise self._over
            self._futures.setdefault(message, []).append(future)

    def forget(self, message: str, future: Future[bytes]) -> bool:
        """Take a future out; False if its answer is on its way, or it was never here."""
        with self._lock:
            futures = self._futures.get(message, [])
            if future not in futures:
                return False
            futures.remove(future)
            if not futures:
                del self._futures[message]
            return True

    def tell(self, message: str, answer: Answer, number: int) -> None:
        """Give an answer to everybody who waits for it, once record `number` is on disk."""
        with self._lock:
            futures = self._futures.pop(message, None)
        if futures is None:
            return

        def on_disk(error: BaseException | None) -> None:
            for future in futures:
                if not future.set_running_or_notify_cancel():
                    continue
                if error is not None:
                    future.set_exception(error)
                elif answer.ok:
                    future.set_result(answer.body)
                else:
                    future.set_exception(actor_error(answer))

        self._journal.when_durable(number, on_disk)

    def close(self, error: TheaterError) -> None:
        """Tell everybody who waits, and who would, that no answer comes from this process."""
        with self._lock:
            self._over = error
            futures = [future for waiting in self._futures.values() for future in waiting]
            self._futures.clear()
        for future in futures:
            if future.set_running_or_notify_cancel():
                future.set_exception(error)
