"""The asynchronous client, on `httpx2`: the methods of `Client`, to be awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import httpx2

from theater.client import calls
from theater.client.address import authorization, parse_address
from theater.client.calls import Call, Upload
from theater.client.channels import AsyncChannel
from theater.client.following import Following, behind_cursor, behind_seq
from theater.errors import TimedOut, Unavailable
from theater.ids import ACTOR_ID
from theater.limits import UNHANDLED_PAGE
from theater.protocol.actors import ActorView, ServerView, StartRequest
from theater.protocol.history import (
    ActorEvent,
    EventLine,
    ImportView,
    LogLine,
    ReplayView,
    VerifyView,
)
from theater.protocol.messages import UnhandledList
from theater.protocol.names import CHANNEL, STREAM_CURSOR

T = TypeVar("T")

_CONNECTIONS = httpx2.Limits(
    max_connections=None, max_keepalive_connections=64, keepalive_expiry=30.0
)


class AsyncClient:
    """A server's API as coroutines; `actor` arguments are ids, unique prefixes or names.

    Errors are those of `theater.errors`. `send`, `request`, `start`, `restart` and `update` carry an
    idempotency key, made up if none is given, and are tried again, up to `retries` times, when a
    connection fails.
    """

    def __init__(self, address: str, token: str | None = None, *, retries: int = 2) -> None:
        self.address = parse_address(address).url
        self._retries = retries
        self._http = httpx2.AsyncClient(
            base_url=self.address,
            headers=authorization(token),
            limits=_CONNECTIONS,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections that are kept."""
        await self._http.aclose()

    async def about(self) -> ServerView:
        """Return who answers."""
        return await self._call(calls.about())

    async def add_component(self, wasm: bytes) -> str:
        """Upload a component unless the server has it, and return its SHA-256 in hexadecimal."""
        digest = sha256(wasm).hexdigest()
        if not await self._call(calls.has_component(digest)):
            await self._call(calls.put_component(digest, wasm))
        return digest

    async def start(
        self,
        manifest: str,
        *,
        path: str,
        component: str,
        name: str | None = None,
        state: bytes | None = None,
        key: str | None = None,
    ) -> ActorView:
        """Start an actor from a manifest's text, after substitution, and a component's SHA-256."""
        wanted = StartRequest(
            manifest=manifest, path=path, component=component, name=name, state=state
        )
        return await self._call(calls.start(wanted, key))

    async def actors(self, *, ended: bool = False, parent: str | None = None) -> list[ActorView]:
        """Return the living actors, or the children of `parent`; with `ended` the others too."""
        return (await self._call(calls.actors(ended, parent))).actors

    async def actor(self, actor: str) -> ActorView:
        """Return one actor."""
        return await self._call(calls.actor(actor))

    async def send(self, actor: str, body: bytes, *, key: str | None = None) -> str:
        """Send a message and return its id once it is on disk."""
        return (await self._call(calls.send(actor, body, key))).message

    async def request(
        self, actor: str, body: bytes, *, timeout_ms: int | None = None, key: str | None = None
    ) -> bytes:
        """Ask an actor and return its answer; ActorFailed if it answers with an error."""
        return await self._call(calls.request(actor, body, timeout_ms, key))

    async def open_channel(
        self, actor: str, body: bytes = b"", *, timeout_ms: int | None = None
    ) -> AsyncChannel:
        """Ask an actor for a channel, with a first message; ActorFailed if it refuses.

        To be used in an `async with`: the channel is open as long as its connection.
        """
        call = calls.open_channel(actor, body, timeout_ms)
        response = await self._send(call, stream=True)
        if response.status_code != 200:
            try:
                raise calls.failure(response.status_code, await response.aread(), call.path)
            finally:
                await response.aclose()

        async def lines() -> AsyncIterator[bytes]:
            all_lines = _split(response)
            try:
                while True:
                    # There are signs of life from here on.
                    async with asyncio.timeout(calls.STREAM_S):
                        line = await anext(all_lines, None)
                    if line is None:
                        return
                    if line:
                        yield calls.line_of(line)
            except (httpx2.TransportError, httpx2.StreamError, TimeoutError) as error:
                raise calls.unreachable(self.address, error) from None

        async def send(channel: str, sent: bytes, key: str | None) -> str:
            return (await self._call(calls.send_on_channel(channel, sent, key))).message

        async def close(channel: str) -> None:
            await self._call(calls.close_channel(channel))

        return AsyncChannel(
            response.headers.get(CHANNEL, ""), lines(), send, close, response.aclose
        )

    async def dead_letters(
        self, actor: str | None = None, *, after: int = 0, limit: int = UNHANDLED_PAGE
    ) -> UnhandledList:
        """Return messages that nobody handled, of all actors or one, oldest first.

        Those behind `after`, which is the `next` of the list before.
        """
        return await self._call(calls.dead_letters(actor, after, limit))

    async def quarantine(
        self, actor: str | None = None, *, after: int = 0, limit: int = UNHANDLED_PAGE
    ) -> UnhandledList:
        """Return messages that were set aside, like `dead_letters`."""
        return await self._call(calls.quarantine(actor, after, limit))

    async def message_body(self, message: str) -> bytes:
        """Return the whole body of a dead letter or a message in quarantine."""
        return await self._call(calls.message_body(message))

    async def deliver(self, message: str, *, to: str | None = None, key: str | None = None) -> str:
        """Deliver an unhandled message again, to its receiver or to the actor `to`.

        Returns the new message's id once it is on disk. With the same key it is delivered once.
        """
        return (await self._call(calls.deliver(message, to, key))).message

    async def drop(self, message: str) -> None:
        """Forget an unhandled message."""
        await self._call(calls.drop(message))

    async def stop(self, actor: str, *, force: bool = False) -> ActorView:
        """Stop an actor and return it as it ended."""
        return await self._call(calls.stop(actor, force))

    async def pause(self, actor: str) -> ActorView:
        """Have an actor take no messages, and return it once its call in hand is done."""
        return await self._call(calls.pause(actor))

    async def resume(self, actor: str) -> ActorView:
        """Have a paused actor go on."""
        return await self._call(calls.resume(actor))

    async def restart(
        self, actor: str, *, keep_state: bool = False, key: str | None = None
    ) -> ActorView:
        """Begin an actor anew, with the same id, chain, mailbox and stores; ActorFailed if its `init`
        fails. With `keep_state` it goes on with its last state in a new instance.
        """
        return await self._call(calls.restart(actor, keep_state, key))

    async def update(
        self, actor: str, component: str, *, force: bool = False, key: str | None = None
    ) -> ActorView:
        """Have an actor go on with another component, by its SHA-256, that the server has.

        Diverged, with the first difference, if it behaves otherwise in the actor's last calls, which are
        run again with it first; `force` leaves that out.
        """
        return await self._call(calls.update(actor, component, force, key))

    async def wait(self, actor: str, timeout_s: float | None = None) -> ActorView:
        """Return the actor once it ended; TimedOut if it still lives after `timeout_s`."""
        clock = asyncio.get_running_loop().time
        end = None if timeout_s is None else clock() + timeout_s
        while True:
            left = calls.ANSWER_S if end is None else max(0.0, end - clock())
            try:
                return await self._call(calls.wait(actor, left))
            except TimedOut as error:
                if error.code != "wait.timed_out" or (end is not None and clock() >= end):
                    raise

    async def state(self, actor: str, at: int | None = None) -> bytes | None:
        """Return the state now, or after the event with seq `at`."""
        return await self._call(calls.state(actor, at))

    async def events(
        self,
        actor: str,
        *,
        start: int = 0,
        limit: int | None = None,
        type: str | None = None,
        follow: bool = False,
    ) -> AsyncIterator[EventLine]:
        """Yield events from seq `start` on whose type matches the pattern `type`.

        With `follow` until the actor has ended: if the connection breaks, or the server is started
        again, it goes on by itself behind the last event. Unavailable if the server stays away.
        """
        lines = self.event_lines(actor, start=start, limit=limit, type=type, follow=follow)
        async for line in lines:
            yield calls.decoded(line, EventLine)

    async def event_lines(
        self,
        actor: str,
        *,
        start: int = 0,
        limit: int | None = None,
        type: str | None = None,
        follow: bool = False,
    ) -> AsyncIterator[bytes]:
        """Yield the same as `events`, as the lines of an exported chain, without their newlines."""
        named = await self._settled(actor, follow)

        def ask(at: int | str | None, left: int | None) -> Call[None]:
            return calls.events(named, start if at is None else int(at), left, type, follow)

        lines = self._lines(Following(ask, behind_seq, limit=limit, again=self._retries > 0))
        async for line in lines:
            yield line

    async def logs(
        self, actor: str, *, start: int = 0, limit: int | None = None, follow: bool = False
    ) -> AsyncIterator[LogLine]:
        """Yield the lines of the log, those of events from seq `start` on; `follow` as for `events`."""
        named = await self._settled(actor, follow)

        def ask(at: int | str | None, left: int | None) -> Call[None]:
            return calls.logs(named, start if at is None else int(at), left, follow)

        lines = self._lines(Following(ask, behind_seq, limit=limit, again=self._retries > 0))
        async for line in lines:
            yield calls.decoded(line, LogLine)

    async def subscribe(
        self,
        actors: Sequence[str] = (),
        *,
        start: int | None = 0,
        cursor: str | None = None,
        limit: int | None = None,
        type: str | None = None,
        follow: bool = True,
    ) -> AsyncIterator[ActorEvent]:
        """Yield the events of several actors, or of all that are and come, each with its actor.

        `start` None begins with what comes next, a `cursor` behind the event that it came with. Goes
        on by itself like `events`, until all of the actors have ended.
        """
        named = [await self._settled(actor, follow) for actor in actors]

        def ask(at: int | str | None, left: int | None) -> Call[None]:
            place = cursor if at is None else str(at)
            return calls.all_events(named, start, place, left, type, follow)

        lines = self._lines(Following(ask, behind_cursor, limit=limit, again=self._retries > 0))
        async for line in lines:
            yield calls.decoded(line, ActorEvent)

    async def verify(self, actor: str) -> VerifyView:
        """Have the chain recomputed."""
        return await self._call(calls.verify(actor))

    async def replay(self, actor: str, *, until: int | None = None) -> ReplayView:
        """Have the chain re-executed, up to the event with seq `until`, without any effect."""
        return await self._call(calls.replay(actor, until))

    async def import_chain(self, path: Path, *, actor: str | None = None) -> ImportView:
        """Have a chain file of any form verified and kept, to be looked at like an ended actor.

        `actor` is its id for a chain that doesn't say it any more.
        """
        return await self._call(calls.import_chain(path, actor))

    async def _call(self, call: Call[T]) -> T:
        response = await self._send(call, stream=False)
        if response.status_code >= 400 and call.method != "HEAD":
            raise calls.failure(response.status_code, response.content, call.path)
        return call.read(response.status_code, response.content)

    async def _settled(self, actor: str, follow: bool) -> str:
        """Return what names the same actor for ever: by the next connection a name may mean another."""
        return (await self.actor(actor)).id if follow and not ACTOR_ID.fullmatch(actor) else actor

    async def _lines(self, following: Following) -> AsyncIterator[bytes]:
        while not following.done:
            try:
                async for line in self._lines_once(following):
                    following.took(line)
                    yield line
                return
            except Unavailable as error:
                pause_s = following.pause_s(error)
            await asyncio.sleep(pause_s)

    async def _lines_once(self, following: Following) -> AsyncIterator[bytes]:
        call = following.call()
        response = await self._send(call, stream=True)
        try:
            if response.status_code != 200:
                raise calls.failure(response.status_code, await response.aread(), call.path)
            following.opened(response.headers.get(STREAM_CURSOR))
            async for line in _split(response):
                if line:
                    yield calls.line_of(line)
                following.alive()
        except httpx2.TransportError as error:
            raise calls.unreachable(self.address, error) from None
        finally:
            await response.aclose()

    async def _send(self, call: Call[T], *, stream: bool) -> httpx2.Response:
        """Send a call and return its answer, trying again where that is harmless."""
        for attempt in range(self._retries + 1):
            request = self._http.build_request(
                call.method,
                call.path,
                content=call.body if call.upload is None else _pieces(call.upload),
                headers=call.headers,
                timeout=call.timeout_s,
            )
            try:
                return await self._http.send(request, stream=stream)
            except httpx2.TimeoutException:
                raise TimedOut(
                    f"the server did not answer within {call.timeout_s:g} s",
                    code="client.timed_out",
                ) from None
            except httpx2.TransportError as error:
                if not call.again or attempt == self._retries:
                    raise calls.unreachable(self.address, error) from None
                await asyncio.sleep(0.1 * 2**attempt)
        raise AssertionError("unreachable")


async def _split(response: httpx2.Response) -> AsyncIterator[bytes]:
    rest = b""
    async for piece in response.aiter_raw():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line


async def _pieces(upload: Upload) -> AsyncIterator[bytes]:
    pieces = upload.pieces()
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece
