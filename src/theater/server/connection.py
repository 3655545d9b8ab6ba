"""A connection with bounds: how many there are, how large a head is, how slowly a request comes.

uvicorn's protocol has none of these. Everything else about HTTP is uvicorn's and llhttp's.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from theater.limits import BODY_BYTES_PER_S_MIN, BODY_GRACE_S, CONNECTIONS_MAX, HEADER_BYTES_MAX


class BoundedConnection(HttpToolsProtocol):
    """One client's connection. Subclassed by the server with the operator's bounds."""

    connections_max = CONNECTIONS_MAX
    grace_s = BODY_GRACE_S

    # When the request that is coming in began, None while none is; how much of it has come.
    began: float | None = None
    received = 0
    head_bytes = 0
    head_done = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.began = self.loop.time()
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

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self.transport.is_closing():
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
        """Close the connection if its request comes in too slowly. Called every second or so."""
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

    def refuse(self, status: int, message: str) -> None:
        """Answer what the application never gets to see, and close."""
        body = b'{"code":"http.%d","message":"%b","facts":{}}' % (status, message.encode())
        self.transport.write(
            b"%bcontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (STATUS_LINE[status], len(body), body)
        )
        self.transport.close()

    def _count(self, size: int) -> None:
        self.head_bytes += size
        if self.head_bytes > HEADER_BYTES_MAX and not self.transport.is_closing():
            self.refuse(431, f"the head of a request may have {HEADER_BYTES_MAX} bytes")
