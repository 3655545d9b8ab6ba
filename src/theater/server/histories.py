"""Routes that read histories: events and log lines, as JSON lines or Server-Sent Events.

Both forms carry the same objects. Server-Sent Events always follow, their ids say where to go on, and
`Last-Event-ID` does. A stream that breaks ends with an object `{"error": …}`; one of Server-Sent
Events that is whole ends with an event `end`, so that a browser knows not to come back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import msgspec

from theater.chain import jsonl
from theater.errors import JournalFailed, TheaterError, Unavailable, UsageError
from theater.protocol.log import log_line
from theater.protocol.names import EVENT_STREAM, JSON_LINES, NOW, STREAM_CURSOR
from theater.runtime.subscription import Taken
from theater.server.dispatch import Asked, Dispatch, flag_of, seq_of
from theater.server.exchange import Exchange, error_line

_encode = msgspec.json.Encoder().encode

Rendered = Callable[[Taken], tuple[str, bytes] | None]
"""The id and the text of an event, None for one that is not wanted."""

_END: Final = b"event: end\ndata: {}\n\n"


async def events(exchange: Exchange, dispatch: Dispatch) -> None:
    """Stream events, from `from` on, at most `limit`, of types that match `type`."""
    fields = exchange.query("from", "limit", "type", "follow")
    actor = (await dispatch.actor(exchange.path("actor"))).id

    def render(taken: Taken) -> tuple[str, bytes]:
        return str(taken.event.seq), jsonl.line(taken.event).removesuffix(b"\n")

    await _stream(exchange, dispatch, [actor], fields, render)


async def logs(exchange: Exchange, dispatch: Dispatch) -> None:
    """Stream the lines of the log: what the actor logged and what its guest printed."""
    fields = exchange.query("from", "limit", "follow")
    actor = (await dispatch.actor(exchange.path("actor"))).id

    def render(taken: Taken) -> tuple[str, bytes] | None:
        found = log_line(taken.event, dispatch.content_nowait)
        return None if found is None else (str(taken.event.seq), _encode(found))

    await _stream(exchange, dispatch, [actor], fields, render)


async def all_events(exchange: Exchange, dispatch: Dispatch) -> None:
    """Stream the events of several actors, or of all that are and come, each with its actor."""
    items = exchange.query_items("actor", "from", "cursor", "limit", "type", "follow")
    texts = [value for name, value in items if name == "actor"]
    actors = [(await dispatch.actor(text)).id for text in texts]

    def render(taken: Taken) -> tuple[str, bytes]:
        line = jsonl.line(taken.event).removesuffix(b"\n")
        told = b'{"actor":"%b","cursor":"%b","event":%b}'
        return taken.cursor, told % (taken.actor.encode(), taken.cursor.encode(), line)

    await _stream(exchange, dispatch, actors, dict(items), render, by_cursor=True)


async def _stream(
    exchange: Exchange,
    dispatch: Dispatch,
    actors: Sequence[str],
    fields: dict[str, str],
    render: Rendered,
    *,
    by_cursor: bool = False,
) -> None:
    sse = EVENT_STREAM in exchange.head.get(b"accept", b"").decode("latin-1")
    asked = _asked(exchange, fields, sse=sse, by_cursor=by_cursor)

    def one(taken: Taken) -> bytes:
        found = render(taken)
        if found is None:
            return b""
        id_, text = found
        return b"id: %b\ndata: %b\n\n" % (id_.encode(), text) if sse else text + b"\n"

    def broken(error: TheaterError) -> bytes:
        told = error_line(error)
        return b"event: error\ndata: %b\n\n" % told if sse else told + b"\n"

    async def sent(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for piece in pieces:
                yield piece or (b": alive\n\n" if sse else b"\n")
            if sse:
                yield _END
        except TheaterError as error:
            if error.code == JournalFailed.code:
                raise
            yield broken(error)

    async with dispatch.subscribed(actors, asked, one) as (cursor, pieces):
        slow = Unavailable(
            "nothing of this stream was taken for too long; go on behind the last event that came",
            code="subscription.slow",
        )
        form = EVENT_STREAM if sse else JSON_LINES
        await exchange.stream(form, sent(pieces), {STREAM_CURSOR: cursor}, broken(slow))


def _asked(exchange: Exchange, fields: dict[str, str], *, sse: bool, by_cursor: bool) -> Asked:
    start = fields.get("from", "0")
    seen = exchange.head.get(b"last-event-id") if sse else None
    cursor = fields.get("cursor")
    begin = None if by_cursor and start == NOW else seq_of(start, "from")
    if seen is not None and by_cursor:
        cursor = seen.decode("latin-1")
    elif seen is not None:
        begin = seq_of(seen.decode("latin-1"), "Last-Event-ID") + 1
    follow = flag_of(fields.get("follow", "true" if sse else "false"), "follow")
    limit = seq_of(fields["limit"], "limit") if "limit" in fields else None
    if cursor is not None and "from" in fields and seen is None:
        raise UsageError("either `from` or `cursor` says where to begin", code="query.invalid")
    return Asked(begin, cursor, fields.get("type"), limit, follow)
