"""A connection with bounds: how many there are, how large a head is, how slowly a request comes,
how long an answer may lie there untaken.

uvicorn's protocol has none of these. Everything else about HTTP is uvicorn's and llhttp's.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from theater.limits import (
    BODY_BYTES_PER_S_MIN,
    BODY_GRACE_S,
    CONNECTIONS_MAX,
    HEADER_BYTES_MAX,
    STALL_S,
    SUBSCRIPTION_SOCKET_BYTES,
)
from theater.server.exchange import STREAM_BEGUN


class BoundedConnection(HttpToolsProtocol):
    """One client's connection. Subclassed by the server with the operator's bounds."""

    connections_max = CONNECTIONS_MAX
    grace_s = BODY_GRACE_S
    stall_s = STALL_S

    # When the request that is coming in began, None while none is; how much of it has come.
    began: float | None = None
    received = 0
    head_bytes = 0
    head_done = False

    # Since when nothing was taken of what is buffered, and how much that is.
    stalled: tuple[float, int] | None = None
    last_words = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.began = self.loop.time()
        _notice_dead_peer(transport, self.stall_s)
        if len(self.connections) > self.connections_max:
            self.refuse(503, "too many connections; try again later")

    def data_received(self, data: bytes) -> None:
        if self.began is None:
            self.began = self.loop.time()
            self.received = 0
        self.received += len(data)
        if not self.transport.is_closing():
            super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.head_bytes = 0
        self.head_done = False
        self.last_words = b""

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self.transport.is_closing():
            self.scope[STREAM_BEGUN] = self.stream_begun  # type: ignore[typeddict-unknown-key]
            super().on_headers_complete()
            self.head_done = True

    def on_body(self, body: bytes) -> None:
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        self.began = None
        if not self.transport.is_closing():
            super().on_message_complete()

    def sweep(self, now: float) -> None:
        """Close the connection if nothing moves on it. Called every second or so."""
        self._sweep_answer(now)
        if self.began is None or self.transport.is_closing():
            return
        waited = now - self.began
        if waited <= self.grace_s:
            return
        if self.head_done:
            # Behind an answer the rest of a body is thrown away, for a bounded time, by who answered.
            if self.cycle.response_started:
                return
            if self.received >= (waited - self.grace_s) * BODY_BYTES_PER_S_MIN:
                return
        self.refuse(408, "the request came in too slowly")

    def stream_begun(self, last_words: bytes) -> None:
        """What is sent now has no end of its own; `last_words` are for a client that takes none of it."""
        self.last_words = last_words
        found = self.transport.get_extra_info("socket")
        if found is not None:
            # What the system holds for a client that stopped reading is ours to bound too.
            found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SUBSCRIPTION_SOCKET_BYTES)

    def _sweep_answer(self, now: float) -> None:
        if not self.flow.write_paused or self.transport.is_closing():
            self.stalled = None
            return
        # While writing is paused nothing is added, so less is there only if some was taken.
        size = self.transport.get_write_buffer_size()
        if self.stalled is None or size < self.stalled[1]:
            self.stalled = (now, size)
        elif now - self.stalled[0] > self.stall_s:
            self._give_up()

    def _give_up(self) -> None:
        """Let go of a client that takes nothing; it is told if it takes the rest within the same time."""
        if self.last_words:
            words = self.last_words
            self.transport.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(words), words))
        self.transport.close()
        self.loop.call_later(self.stall_s, self.transport.abort)
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.flow.resume_writing()

    def refuse(self, status: int, message: str) -> None:
        """Answer what the application never gets to see, and close."""
        body = b'{"code":"http.%d","message":"%b","facts":{}}' % (status, message.encode())
        self.transport.write(
            b"%bcontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (STATUS_LINE[status], len(body), body)
        )
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP in the words of every other error."""
        self.refuse(400, "this is not a request of HTTP/1.1")

    def _count(self, size: int) -> None:
        self.head_bytes += size
        if self.head_bytes > HEADER_BYTES_MAX and not self.transport.is_closing():
            self.refuse(431, f"the head of a request may have {HEADER_BYTES_MAX} bytes")


def _notice_dead_peer(transport: asyncio.Transport, stall_s: float) -> None:
    """Let the system close a connection whose other end acknowledges nothing any more."""
    found = transport.get_extra_info("socket")
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if found is not None and option is not None:
        with suppress(OSError):
            # Longer than our own patience, so that who only doesn't read can still be told why.
            found.setsockopt(socket.IPPROTO_TCP, option, int(stall_s * 3000))
