"""One request and its answer in plain ASGI: head read once, body bounded, errors as JSON.

This is the floor of the server. Hot routes and management routes get an Exchange and nothing else,
and `error` is the only place that turns an error into an answer.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.responses import StreamingResponse

from theater.errors import CodecError, TheaterError, TooLarge, UsageError
from theater.limits import IDEMPOTENCY_KEY_CHARS_MAX, MIB, QUERY_FIELDS_MAX
from theater.protocol.errors import UNREADABLE, body_of, status_of
from theater.protocol.names import TRACEPARENT

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

T = TypeVar("T")

STREAM_BEGUN: Final = "theater.stream_begun"
"""In a scope: what to tell the connection when an answer is a stream."""

_encode = msgspec.json.Encoder().encode

# What a browser must not do with an answer: guess its type, keep it, run or frame it.
_SAFE: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
JSON_HEAD: Final = ((b"content-type", b"application/json"), *_SAFE)
BYTES_HEAD: Final = ((b"content-type", b"application/octet-stream"), *_SAFE)

_KEY: Final = re.compile(rb"[!-~]{1,%d}" % IDEMPOTENCY_KEY_CHARS_MAX)
_TRACE: Final = TRACEPARENT.encode()
_DISCARD_BYTES: Final = 8 * MIB
_DISCARD_S: Final = 2.0


class ClientGone(Exception):
    """The client closed the connection; there is nobody to answer."""


class Exchange:
    """A request with its head as a dict of lower-case names, and the one answer to it."""

    __slots__ = ("_body_read", "_receive", "_send", "head", "scope", "started")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.head: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive
        self._send = send
        self._body_read = False
        self.started = False

    # Reading

    def repeated(self, name: bytes) -> bool:
        """Whether a header stands more than once."""
        headers = self.scope["headers"]
        return len(headers) != len(self.head) and sum(item[0] == name for item in headers) > 1

    def path(self, name: str) -> str:
        """Return a part of the path by the name that its route gives it."""
        part: str = self.scope["path_params"][name]
        return part

    def query(self, *known: str) -> dict[str, str]:
        """Return the query's fields; UsageError if there is one that the route doesn't know."""
        return dict(self.query_items(*known))

    def query_items(self, *known: str) -> list[tuple[str, str]]:
        """Return the query's fields in their order, for routes where one may be repeated."""
        raw: bytes = self.scope["query_string"]
        if not raw:
            return []
        try:
            fields = parse_qsl(
                raw.decode("ascii"), keep_blank_values=True, max_num_fields=QUERY_FIELDS_MAX
            )
        except ValueError:
            raise UsageError("the query can't be read", code="query.invalid") from None
        for name, _ in fields:
            if name not in known:
                raise UsageError(
                    f"unknown field {name!r} in the query; known: {', '.join(known) or 'none'}",
                    code="query.invalid",
                )
        return fields

    def key(self) -> str | None:
        """Return the Idempotency-Key, None without one; 1 to 255 visible ASCII characters."""
        raw = self.head.get(b"idempotency-key")
        if raw is None:
            return None
        if not _KEY.fullmatch(raw):
            raise UsageError(
                f"an Idempotency-Key has 1 to {IDEMPOTENCY_KEY_CHARS_MAX} visible ASCII characters",
                code="idempotency_key.invalid",
            )
        return raw.decode("ascii")

    def trace(self) -> str | None:
        """Return the `traceparent` header as it came, None without one or with several.

        As W3C Trace Context has it, one that can't be read is no reason to refuse a request.
        """
        raw = self.head.get(_TRACE)
        if raw is None or self.repeated(_TRACE):
            return None
        return raw.decode("latin-1")

    async def body(self, bound: int) -> bytes:
        """Return the whole body; TooLarge before reading if it announces more than `bound` bytes.

        How slowly it may come is the connection's business.
        """
        announced = self.head.get(b"content-length")
        if announced is not None and int(announced) > bound:
            raise _too_large(bound)
        message = await self._receive()
        if message["type"] != "http.request":
            raise ClientGone
        if not message.get("more_body"):
            self._body_read = True
            body: bytes = message["body"]
            if len(body) > bound:
                raise _too_large(bound)
            return body
        pieces: list[bytes] = [message["body"]]
        size = len(pieces[0])
        while message.get("more_body"):
            if size > bound:
                raise _too_large(bound)
            message = await self._receive()
            if message["type"] != "http.request":
                raise ClientGone
            pieces.append(message["body"])
            size += len(pieces[-1])
        self._body_read = True
        if size > bound:
            raise _too_large(bound)
        return b"".join(pieces)

    async def pieces(self, bound: int) -> AsyncIterator[bytes]:
        """Yield the body as it comes; TooLarge once it is, or says that it will be, above `bound`."""
        announced = self.head.get(b"content-length")
        if announced is not None and int(announced) > bound:
            raise _too_large(bound)
        size = 0
        more = True
        while more:
            message = await self._receive()
            if message["type"] != "http.request":
                raise ClientGone
            more = message.get("more_body", False)
            size += len(message["body"])
            if size > bound:
                raise _too_large(bound)
            yield message["body"]
        self._body_read = True

    async def read(self, shape: type[T], bound: int) -> T:
        """Return the body as one of the protocol's shapes; an empty one as the shape's defaults."""
        body = await self.body(bound)
        try:
            return msgspec.json.decode(body or b"{}", type=shape)
        except msgspec.ValidationError as error:
            raise UsageError(f"the body does not fit: {error}", code="body.invalid") from None
        except UNREADABLE as error:
            raise CodecError(f"the body is not JSON: {error}", code="encoding.json") from None

    # Answering

    async def answer(
        self, status: int, body: bytes, head: tuple[tuple[bytes, bytes], ...] = BYTES_HEAD
    ) -> None:
        """Send a whole answer."""
        self.started = True
        headers = list(head) if status == 204 else [(b"content-length", b"%d" % len(body)), *head]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def answer_json(self, value: object, status: int = 200) -> None:
        """Send one of the protocol's shapes."""
        await self.answer(status, _encode(value), JSON_HEAD)

    async def stream(
        self,
        content_type: str,
        pieces: AsyncIterator[bytes],
        head: Mapping[str, str],
        last_words: bytes,
    ) -> None:
        """Send pieces as they come, until there are no more or the client goes away.

        `head` says where the stream begins, or what it is of. A client that takes nothing for too long is left with
        `last_words`.
        """
        self.started = True
        # The connection's, which is not there when the application is called without one.
        begun = self.scope.get(STREAM_BEGUN)
        if begun is not None:
            begun(last_words)
        headers = {"x-accel-buffering": "no", **head}
        headers.update((name.decode(), value.decode()) for name, value in _SAFE)
        response = StreamingResponse(pieces, media_type=content_type, headers=headers)
        await response(self.scope, self._receive, self._send)

    async def error(self, error: TheaterError) -> None:
        """Send an error.

        The client may still be sending its body. Closing a socket with unread bytes resets the
        connection and destroys the answer on its way, so a little of the rest is read and thrown
        away before the connection is closed.
        """
        assert not self.started
        status = status_of(error)
        body = _encode(body_of(error))
        if self._body_read or not self._announces_body():
            await self.answer(status, body, JSON_HEAD)
            return
        self.started = True
        headers = [(b"content-length", b"%d" % len(body)), *JSON_HEAD]
        headers.append((b"connection", b"close"))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        await self._discard()
        await self._send({"type": "http.response.body", "body": b""})

    def _announces_body(self) -> bool:
        return self.head.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in self.head

    async def _discard(self) -> None:
        size = 0
        try:
            async with asyncio.timeout(_DISCARD_S):
                while size < _DISCARD_BYTES:
                    message = await self._receive()
                    size += len(message.get("body", b""))
                    if not message.get("more_body"):
                        return
        except TimeoutError:
            return


def error_line(error: TheaterError) -> bytes:
    """Return what stands at the end of a stream that broke: the error as a JSON object, no newline."""
    return _encode({"error": body_of(error)})


def _too_large(bound: int) -> TooLarge:
    return TooLarge(f"the body may have {bound} bytes", code="body.too_large", bound=bound)
