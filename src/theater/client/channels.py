"""One end of a channel, as the clients hold it: iterate over what comes, send, close.

The channel is open as long as the connection is that its messages come on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import TracebackType
from typing import Self

from theater.client.calls import decoded
from theater.errors import Conflict, Unavailable
from theater.protocol.messages import ChannelLine


def _cut_off() -> Unavailable:
    return Unavailable(
        "the connection of the channel broke, so the channel is closed; open another one",
        code="channel.broken",
    )


def _line(raw: bytes) -> ChannelLine:
    return decoded(raw, ChannelLine)


class Channel:
    """A channel of `Client`. One thread iterates over its messages; any may send and close.

    Leaving its context closes it and its connection.
    """

    def __init__(
        self,
        channel: str,
        lines: Iterator[bytes],
        send: Callable[[str, bytes, str | None], str],
        close: Callable[[str], None],
        drop: Callable[[], None],
    ) -> None:
        self.id = channel
        self._lines = lines
        self._send = send
        self._close = close
        self._drop = drop
        self._over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._drop()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the messages that come until the channel is closed.

        Unavailable if the connection breaks: then it is closed too.
        """
        while not self._over:
            raw = next(self._lines, None)
            if raw is None:
                self._over = True
                raise _cut_off()
            line = _line(raw)
            self._over = line.closed
            if line.body is not None:
                yield line.body

    def send(self, body: bytes, *, key: str | None = None) -> str:
        """Send on the channel; returns the message's id once it is on disk. Conflict if it is closed."""
        return self._send(self.id, body, key)

    def close(self) -> None:
        """Close the channel for good; what came before can still be read. Closed twice is no error."""
        try:
            self._close(self.id)
        except Conflict as error:
            if error.code != "channel.closed":
                raise


class AsyncChannel:
    """A channel of `AsyncClient`; `Channel` with coroutines, to be used in `async with`."""

    def __init__(
        self,
        channel: str,
        lines: AsyncIterator[bytes],
        send: Callable[[str, bytes, str | None], Awaitable[str]],
        close: Callable[[str], Awaitable[None]],
        drop: Callable[[], Awaitable[None]],
    ) -> None:
        self.id = channel
        self._lines = lines
        self._send = send
        self._close = close
        self._drop = drop
        self._over = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._drop()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the messages that come until the channel is closed.

        Unavailable if the connection breaks: then it is closed too.
        """
        while not self._over:
            raw = await anext(self._lines, None)
            if raw is None:
                self._over = True
                raise _cut_off()
            line = _line(raw)
            self._over = line.closed
            if line.body is not None:
                yield line.body

    async def send(self, body: bytes, *, key: str | None = None) -> str:
        """Send on the channel; returns the message's id once it is on disk. Conflict if it is closed."""
        return await self._send(self.id, body, key)

    async def close(self) -> None:
        """Close the channel for good; what came before can still be read. Closed twice is no error."""
        try:
            await self._close(self.id)
        except Conflict as error:
            if error.code != "channel.closed":
                raise
