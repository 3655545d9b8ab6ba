"""The time that one request has, and the way to end it from another thread."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from theater.handlers.http_client.failure import Failure

T = TypeVar("T")


class Scope:
    """A deadline and a cancel around every operation that may wait."""

    def __init__(self, timeout_ms: int) -> None:
        self._ends = time.monotonic() + timeout_ms / 1000
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._cancelled = False
        self._socket: socket.socket | None = None

    def cancel(self) -> None:
        """End the request: a blocked operation returns at once. Called from any thread."""
        with self._lock:
            self._cancelled = True
            self._wake.set()
            if self._socket is not None:
                _shut_down(self._socket)

    def remaining_s(self) -> float:
        """Seconds until the deadline. Raises Failure if it is over or the request was cancelled."""
        if self._cancelled:
            raise Failure("http.cancelled", "the actor was stopped")
        left = self._ends - time.monotonic()
        if left <= 0:
            raise _timeout()
        return left

    @contextmanager
    def blocking(self, sock: socket.socket, at_most_s: float | None = None) -> Iterator[None]:
        """Around an operation of a socket that may wait; an OSError without Failure is the peer's."""
        with self._lock:
            left = self.remaining_s()
            self._socket = sock
        shared = at_most_s is not None and at_most_s < left
        try:
            sock.settimeout(at_most_s if shared else left)
            yield
        except OSError as error:
            self.remaining_s()
            if isinstance(error, TimeoutError) and not shared:
                raise _timeout() from None
            raise
        finally:
            with self._lock:
                self._socket = None
        # A socket that was shut down reads as one whose peer has closed.
        if self._cancelled:
            self.remaining_s()

    def aside(self, work: Callable[[], T]) -> T:
        """The result of work that can't be interrupted, which is left behind if the time is over."""
        results: list[T] = []
        errors: list[Exception] = []

        def run() -> None:
            try:
                results.append(work())
            except Exception as error:  # noqa: BLE001 - raised again by whoever waits
                errors.append(error)
            self._wake.set()

        with self._lock:
            left = self.remaining_s()
            self._wake.clear()
        threading.Thread(target=run, name="http-resolve", daemon=True).start()
        self._wake.wait(left)
        if results:
            return results[0]
        if errors:
            raise errors[0]
        self.remaining_s()
        raise _timeout()


def _timeout() -> Failure:
    return Failure("http.timeout", "the request took longer than its grant allows")


def _shut_down(sock: socket.socket) -> None:
    # Not the method of an SSLSocket: that one first forgets its session, and a thread that is about
    # to write would write in clear text.
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        pass
