"""Routes that read a history: events and log lines, as JSON lines or Server-Sent Events.

Both forms carry the same objects. Server-Sent Events always follow, their ids are seqs, and
`Last-Event-ID` resumes behind the one that was seen. A stream that breaks ends with an object
`{"error": …}`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from fnmatch import fnmatchcase

import msgspec

from theater.chain import jsonl
from theater.chain.event import Event
from theater.errors import JournalFailed, TheaterError
from theater.protocol.log import log_line
from theater.protocol.names import EVENT_STREAM, JSON_LINES
from theater.server.dispatch import Dispatch, flag_of, seq_of
from theater.server.exchange import Exchange, error_line

Line = Callable[[Event], bytes | None]

_encode = msgspec.json.Encoder().encode


async def events(exchange: Exchange, dispatch: Dispatch) -> None:
    """Stream events, from `from` on, at most `limit`, of types that match `type`."""
    fields = exchange.query("from", "limit", "type", "follow")
    pattern = fields.get("type")

    def line(event: Event) -> bytes | None:
        if pattern is not None and not fnmatchcase(event.type, pattern):
            return None
        return jsonl.line(event).removesuffix(b"\n")

    await _stream(exchange, dispatch, fields, line)


async def logs(exchange: Exchange, dispatch: Dispatch) -> None:
    """Stream the lines of the log: what the actor logged and what its guest printed."""
    fields = exchange.query("from", "limit", "follow")

    def line(event: Event) -> bytes | None:
        found = log_line(event, dispatch.content_nowait)
        return None if found is None else _encode(found)

    await _stream(exchange, dispatch, fields, line)


async def _stream(
    exchange: Exchange, dispatch: Dispatch, fields: dict[str, str], line: Line
) -> None:
    start = seq_of(fields.get("from", "0"), "from")
    limit = seq_of(fields["limit"], "limit") if "limit" in fields else None
    follow = flag_of(fields.get("follow", "false"), "follow")
    actor = (await dispatch.actor(exchange.path("actor"))).id
    sse = EVENT_STREAM in exchange.head.get(b"accept", b"").decode("latin-1")
    if sse:
        seen = exchange.head.get(b"last-event-id")
        if seen is not None:
            start = seq_of(seen.decode("latin-1"), "Last-Event-ID") + 1
        follow = flag_of(fields.get("follow", "true"), "follow")

    def render(event: Event) -> bytes:
        text = line(event)
        if text is None:
            return b""
        return b"id: %d\ndata: %b\n\n" % (event.seq, text) if sse else text + b"\n"

    async def pieces() -> AsyncIterator[bytes]:
        try:
            async for piece in dispatch.history(
                actor, start=start, limit=limit, follow=follow, render=render
            ):
                yield piece or (b": alive\n\n" if sse else b"\n")
        except TheaterError as error:
            if error.code == JournalFailed.code:
                raise
            told = error_line(error)
            yield b"event: error\ndata: %b\n\n" % told if sse else told + b"\n"

    await exchange.stream(EVENT_STREAM if sse else JSON_LINES, pieces())
