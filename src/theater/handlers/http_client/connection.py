"""HTTP/1.1 on one connection, and the idle connections that may be used again.

h11 reads and writes the protocol; here are the order of things and what makes a connection fit for
another request: both sides are done, and nothing came behind the response. Otherwise what one actor
got a server to say too much would be the answer to another actor's request.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import h11

from theater import limits
from theater.handlers.http_client.failure import Failure
from theater.handlers.http_client.network import Stream
from theater.handlers.http_client.scope import Scope

READ_BYTES: Final = 64 * 1024

KEEP_ALIVE_S: Final = 4.0
"""Shorter than the 5 s after which common servers close an idle connection."""


class Connection:
    """One connection, used by one request at a time."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.used = False
        self._whole = True
        self._http = h11.Connection(
            h11.CLIENT, max_incomplete_event_size=limits.HTTP_HEADER_BYTES_MAX
        )

    def send(
        self,
        scope: Scope,
        method: str,
        target: str,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes | None,
    ) -> None:
        """Send a request. Raises Failure."""
        self.used = True
        with _lost():
            data = self._http.send(h11.Request(method=method, target=target, headers=list(headers)))
            parts = [data, self._http.send(h11.Data(data=body)) if body else b""]
            parts.append(self._http.send(h11.EndOfMessage()))
        try:
            for part in parts:
                self.stream.write(scope, part or b"")
        except OSError:
            # A server may answer and close before it has read everything: the answer counts.
            self._whole = False

    def head(self, scope: Scope) -> h11.Response:
        """Status and headers of the response. Raises Failure."""
        while True:
            event = self._next(scope)
            if isinstance(event, h11.Response):
                return event
            if isinstance(event, h11.InformationalResponse) and event.status_code == 101:
                raise Failure("http.protocol", "the server changed to another protocol")

    def body(self, scope: Scope) -> Iterator[bytes]:
        """The parts of the response's body. Raises Failure."""
        while not isinstance(event := self._next(scope), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                yield bytes(event.data)

    def renew(self) -> bool:
        """Make ready for another request; False if this connection is fit for none."""
        done = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        if not done or not self._whole or self._http.trailing_data[0]:
            return False
        self._http.start_next_cycle()
        return True

    def close(self) -> None:
        """Close the connection."""
        self.stream.close()

    def _next(self, scope: Scope) -> object:
        with _lost():
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(self.stream.read(scope, READ_BYTES))
        if isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
            raise Failure("http.protocol", "the server closed the connection without a response")
        return event


@contextmanager
def _lost() -> Iterator[None]:
    """The end of a connection, and what is not HTTP, as the guest's error."""
    try:
        yield
    except h11.ProtocolError as error:
        raise Failure("http.protocol", str(error)) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise Failure("http.protocol", f"the connection was lost: {reason}") from error


Key = tuple[str, str, int, bool]
"""Scheme, host, port, and whether private addresses were allowed when it was made."""


class Idle:
    """Connections that wait for another request, the ones used last first. For many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[float, Key, Connection]] = deque()

    def take(self, key: Key) -> Connection | None:
        """A connection of this key that is still open, or None."""
        while True:
            with self._lock:
                closing = self._expired()
                found = next((entry for entry in reversed(self._waiting) if entry[1] == key), None)
                if found is not None:
                    self._waiting.remove(found)
            _close(closing)
            if found is None:
                return None
            if not found[2].stream.is_readable():
                return found[2]
            found[2].close()

    def give(self, key: Key, connection: Connection) -> None:
        """Keep a connection for another request, if it is fit for one; close it if not."""
        if not connection.renew():
            connection.close()
            return
        with self._lock:
            self._waiting.append((time.monotonic(), key, connection))
            closing = self._expired()
            while len(self._waiting) > limits.HTTP_IDLE_CONNECTIONS_MAX:
                closing.append(self._waiting.popleft()[2])
        _close(closing)

    def close(self) -> None:
        """Close them all."""
        with self._lock:
            closing = [connection for _, _, connection in self._waiting]
            self._waiting.clear()
        _close(closing)

    def _expired(self) -> list[Connection]:
        expired: list[Connection] = []
        while self._waiting and self._waiting[0][0] < time.monotonic() - KEEP_ALIVE_S:
            expired.append(self._waiting.popleft()[2])
        return expired


def _close(connections: list[Connection]) -> None:
    for connection in connections:
        connection.close()
