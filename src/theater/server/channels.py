"""Routes for channels: a stream that is one end of a channel, and what is sent the other way.

The channel lives as long as the stream that its opening is answered with: a client that is gone holds
no channel. So opening has no idempotency key; whoever does not know whether it was done opens another.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from theater.errors import JournalFailed, TheaterError, Unavailable
from theater.protocol.actors import SendReceipt
from theater.protocol.messages import ChannelLine, start_text
from theater.protocol.names import CHANNEL, EVENT_STREAM, JSON_LINES
from theater.server.dispatch import Dispatch
from theater.server.exchange import Exchange, error_line
from theater.server.messages import timeout_of

_encode = msgspec.json.Encoder().encode


async def open_channel(exchange: Exchange, dispatch: Dispatch, actor: str, bound: int) -> None:
    """Ask an actor for a channel; what comes on it as lines, once it has accepted."""
    timeout_ms = timeout_of(exchange)
    sse = EVENT_STREAM in exchange.head.get(b"accept", b"").decode("latin-1")
    body = await exchange.body(bound)

    def shown(line: ChannelLine) -> bytes:
        text = _encode(line)
        return b"data: %b\n\n" % text if sse else text + b"\n"

    def broken(error: TheaterError) -> bytes:
        told = error_line(error)
        return b"event: error\ndata: %b\n\n" % told if sse else told + b"\n"

    async def sent(channel: str, received: AsyncIterator[list[bytes]]) -> AsyncIterator[bytes]:
        try:
            yield shown(ChannelLine(channel=channel))
            async for bodies in received:
                lines = [
                    ChannelLine(body=each, text=start_text(each, whole=True)) for each in bodies
                ]
                yield b"".join(map(shown, lines)) or (b": alive\n\n" if sse else b"\n")
            yield shown(ChannelLine(closed=True)) + (b"event: end\ndata: {}\n\n" if sse else b"")
        except TheaterError as error:
            if error.code == JournalFailed.code:
                raise
            yield broken(error)

    async with dispatch.channel(actor, body, timeout_ms, exchange.trace()) as (channel, received):
        slow = Unavailable(
            "nothing of this channel was taken for too long, so it is closed; open another one",
            code="subscription.slow",
        )
        form = EVENT_STREAM if sse else JSON_LINES
        await exchange.stream(form, sent(channel, received), {CHANNEL: channel}, broken(slow))


async def send(exchange: Exchange, dispatch: Dispatch, channel: str, bound: int) -> None:
    """Send on a channel; 202 and the message's id once it is on disk."""
    exchange.query()
    body = await exchange.body(bound)
    sent = await dispatch.send_on_channel(channel, body, exchange.key(), exchange.trace())
    await exchange.answer_json(SendReceipt(message=sent), 202)


async def close(exchange: Exchange, dispatch: Dispatch) -> None:
    """Close a channel; 204 once that is on disk. What came before still comes on its stream."""
    exchange.query()
    await dispatch.close_channel(exchange.path("channel"))
    await exchange.answer(204, b"", ())
