"""The one dispatch behind every door of the server: what can be asked of a node, as coroutines.

HTTP routes, and whatever else speaks for clients, call this and nothing else of the node. Calls
that end by a future are awaited through the bridge; calls that read or compile run on threads of
their own, so that the loop never waits for a disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from theater.errors import TimedOut, Unavailable, UsageError
from theater.handlers.grant_types import GRANT_TYPES
from theater.ids import ACTOR_ID
from theater.journal.records import UnhandledState
from theater.limits import IMPORTS_AT_ONCE_MAX, MIB, PATH_CHARS_MAX, SUBSCRIPTION_BEAT_S
from theater.manifest import parse
from theater.protocol.actors import ActorView, StartRequest
from theater.protocol.history import ImportView, ReplayView, VerifyView, verify_view
from theater.protocol.messages import UnhandledList
from theater.runtime.channel_ends import ClientEnd
from theater.runtime.imports import unwritable
from theater.runtime.info import ActorInfo
from theater.runtime.inspection import ImportReport
from theater.runtime.node import Node
from theater.runtime.subscription import Subscription, Taken
from theater.server.bridge import Bridge
from theater.server.feed import Feed, stopping
from theater.server.views import actor_view, import_view, replay_view, unhandled_list

T = TypeVar("T")

_UPLOAD_BYTES = 1 * MIB
Render = Callable[[Taken], bytes]


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a history a client wants; `cursor` comes before `start`, None is what comes next."""

    start: int | None = 0
    cursor: str | None = None
    type: str | None = None
    limit: int | None = None
    follow: bool = False


class Dispatch:
    """A node as seen from one event loop. `actor` arguments are ids, names or unique prefixes."""

    def __init__(self, node: Node, loop: asyncio.AbstractEventLoop, *, subscriptions: int) -> None:
        self._node = node
        self._loop = loop
        self._bridge = Bridge(loop)
        self._feed = Feed(loop, subscriptions)
        self._readers = ThreadPoolExecutor(8, "theater-read")
        # Subscribers queue among themselves, so that many of them don't keep everyone else waiting.
        self._followers = ThreadPoolExecutor(2, "theater-feed")
        self._importing = 0
        self._endings: dict[str, Future[ActorInfo]] = {}
        # Compiling and re-executing keep a core busy for seconds: they queue among themselves.
        self._labourers = ThreadPoolExecutor(2, "theater-work")

    def end_streams(self) -> None:
        """End what would otherwise go on for ever."""
        self._feed.close()

    def close(self) -> None:
        """End every stream, and answer everyone who still waits."""
        self._feed.close()
        self._bridge.close()
        self._followers.shutdown(wait=False, cancel_futures=True)
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._labourers.shutdown(wait=False, cancel_futures=True)

    # Messages

    async def send(self, actor: str, body: bytes, key: str | None, trace: str | None) -> str:
        """Return the message's id once it is accepted and on disk."""
        found = await self.actor_id(actor)
        return await self._bridge.result(self._node.send(found, body, key=key, trace=trace))

    async def request(
        self,
        actor: str,
        body: bytes,
        key: str | None,
        timeout_ms: int | None,
        trace: str | None,
    ) -> bytes:
        """Return the actor's answer once it is on disk."""
        found = await self.actor_id(actor)
        return await self._bridge.result(
            self._node.request(found, body, key=key, timeout_ms=timeout_ms, trace=trace)
        )

    async def send_on_channel(
        self, channel: str, body: bytes, key: str | None, trace: str | None
    ) -> str:
        """Return the message's id once it is accepted and on disk."""
        return await self._bridge.result(
            self._node.send_on_channel(channel, body, key=key, trace=trace)
        )

    async def close_channel(self, channel: str) -> None:
        """Close a client's channel; returns once that is on disk."""
        await self._bridge.result(await self._read(lambda: self._node.close_channel(channel)))

    @asynccontextmanager
    async def channel(
        self, actor: str, body: bytes, timeout_ms: int | None, trace: str | None
    ) -> AsyncIterator[tuple[str, AsyncIterator[list[bytes]]]]:
        """Open a channel that is closed when the context is left.

        Yields its id and what comes on it, several messages at a time, until it is closed. None at a
        time is a sign of life.
        """
        found = await self.actor_id(actor)
        with self._feed.place() as more:
            end = await self._read(
                lambda: self._node.open_channel(
                    found, body, self._feed.bell(more), timeout_ms=timeout_ms, trace=trace
                )
            )
            try:
                await self._bridge.result(end.opened)
                yield end.channel, self._received(end, more)
            finally:
                # Not awaited: who is cancelled here must leave it all the same. After the end of the
                # node there is nobody to leave it to; the next one closes it.
                with suppress(RuntimeError):
                    self._readers.submit(self._node.leave_channel, end)

    async def _received(self, end: ClientEnd, more: asyncio.Event) -> AsyncIterator[list[bytes]]:
        def look() -> tuple[bool, list[bytes]]:
            over = end.over  # asked before: what came until then is taken now
            return over, end.take()

        told = self._loop.time()
        while True:
            if self._feed.closed:
                raise stopping()
            more.clear()
            over, bodies = await self._loop.run_in_executor(self._followers, look)
            if over and not bodies:
                return
            if not bodies and not self._feed.closed:
                with suppress(TimeoutError):
                    async with asyncio.timeout(told + SUBSCRIPTION_BEAT_S - self._loop.time()):
                        await more.wait()
            if bodies or self._loop.time() - told >= SUBSCRIPTION_BEAT_S:
                yield bodies
                told = self._loop.time()

    async def unhandled(
        self, state: UnhandledState, actor: str | None, after: int, limit: int
    ) -> UnhandledList:
        """Return dead letters, or messages in quarantine, of all actors or one."""
        of = None if actor is None else await self.actor_id(actor)
        ask = self._node.dead_letters if state == "dead" else self._node.quarantine
        return unhandled_list(await self._read(lambda: ask(of, after=after, limit=limit)))

    async def unhandled_body(self, message: str) -> bytes:
        return (await self._read(lambda: self._node.unhandled(message))).body

    async def deliver(self, message: str, to: str | None, key: str | None) -> str:
        """Deliver a message again; returns the new one's id once it is on disk."""
        receiver = None if to is None else await self.actor_id(to)
        sending = await self._read(lambda: self._node.deliver(message, to=receiver, key=key))
        return await self._bridge.result(sending)

    async def drop(self, message: str) -> None:
        """Forget an unhandled message."""
        await self._bridge.result(await self._read(lambda: self._node.drop(message)))

    # Actors

    async def actor_id(self, text: str) -> str:
        """Return the id that `text` means; a whole id is taken as it is."""
        if ACTOR_ID.fullmatch(text):
            return text
        return await self._read(lambda: self._node.find(text))

    async def start(self, wanted: StartRequest, key: str | None) -> ActorView:
        """Start an actor and return it once its `actor-start` is on disk."""

        def begin() -> Future[ActorInfo]:
            if len(wanted.path) > PATH_CHARS_MAX:
                raise UsageError(
                    f"`path` may have {PATH_CHARS_MAX} characters", code="body.invalid"
                )
            manifest = parse(wanted.manifest, grant_types=GRANT_TYPES, path=wanted.path)
            if wanted.state is None and isinstance(manifest.initial_state, str):
                # A client must not have the server open files that only the server's user may.
                raise UsageError(
                    f"the manifest names the initial state {manifest.initial_state}: send its "
                    "bytes as `state`",
                    code="state.missing",
                )
            return self._node.start(
                manifest, component=wanted.component, name=wanted.name, state=wanted.state, key=key
            )

        return actor_view(await self._bridge.result(await self._work(begin)))

    async def stop(self, actor: str, *, force: bool) -> ActorView:
        found = await self.actor_id(actor)
        stopping = await self._read(lambda: self._node.stop(found, force=force))
        return actor_view(await self._bridge.result(stopping))

    async def pause(self, actor: str) -> ActorView:
        """Return the actor once its call in hand is done and it is paused."""
        found = await self.actor_id(actor)
        pausing = await self._read(lambda: self._node.pause(found))
        return actor_view(await self._bridge.result(pausing))

    async def resume(self, actor: str) -> ActorView:
        found = await self.actor_id(actor)
        resuming = await self._read(lambda: self._node.resume(found))
        return actor_view(await self._bridge.result(resuming))

    async def restart(self, actor: str, *, keep_state: bool, key: str | None) -> ActorView:
        """Return the actor once it runs again."""
        found = await self.actor_id(actor)
        restarting = await self._read(
            lambda: self._node.restart(found, keep_state=keep_state, key=key)
        )
        return actor_view(await self._bridge.result(restarting))

    async def update(
        self, actor: str, *, component: str, force: bool, key: str | None
    ) -> ActorView:
        """Return the actor once it goes on with the component; Diverged if that behaves otherwise."""
        found = await self.actor_id(actor)
        updating = await self._read(
            lambda: self._node.update(found, component, force=force, key=key)
        )
        return actor_view(await self._bridge.result(updating))

    async def wait(self, actor: str, timeout_s: float) -> ActorView:
        """Return the actor once it ended; TimedOut if it still lives after `timeout_s`."""
        found = await self.actor_id(actor)
        # Shared by all who wait, so that one who asks again and again leaves nothing behind.
        ending = self._endings.get(found)
        if ending is None:
            ending = self._endings[found] = await self._read(lambda: self._node.wait(found))
            ending.add_done_callback(lambda _: self._endings.pop(found, None))
        try:
            async with asyncio.timeout(timeout_s):
                return actor_view(await self._bridge.result(ending))
        except TimeoutError:
            raise TimedOut(
                f"the actor still lives after {timeout_s:g} s; ask again to wait longer",
                code="wait.timed_out",
            ) from None

    async def actors(self, *, ended: bool, parent: str | None) -> list[ActorView]:
        above = None if parent is None else await self.actor_id(parent)
        found = await self._read(lambda: self._node.list(ended=ended, parent=above))
        return [actor_view(info) for info in found]

    async def actor(self, actor: str) -> ActorView:
        found = await self.actor_id(actor)
        return actor_view(await self._read(lambda: self._node.info(found)))

    async def state(self, actor: str, at: int | None) -> bytes | None:
        """Return the state now, or as it was after the event with seq `at`."""
        found = await self.actor_id(actor)
        return await self._read(lambda: self._node.state(found, at))

    # Components

    async def has_component(self, sha256: str) -> bool:
        return await self._read(lambda: self._node.has_component(sha256))

    async def add_component(self, wasm: bytes, named: str) -> str:
        """Keep a component that a client named by its SHA-256; UsageError if it is another one."""

        def add() -> str:
            found = sha256(wasm).hexdigest()
            if found != named:
                raise UsageError(
                    f"the body's SHA-256 is {found}, not {named}", code="component.hash"
                )
            return self._node.add_component(wasm)

        return await self._work(add)

    # Histories

    async def verify(self, actor: str) -> VerifyView:
        found = await self.actor_id(actor)
        return verify_view(await self._work(lambda: self._node.verify(found)))

    async def replay(self, actor: str, until: int | None) -> ReplayView:
        found = await self.actor_id(actor)
        return replay_view(await self._work(lambda: self._node.replay(found, until=until)))

    async def import_chain(self, pieces: AsyncIterator[bytes], actor: str | None) -> ImportView:
        """Keep a chain file that comes in pieces; `actor` is its id where the chain doesn't say it."""
        if self._importing >= IMPORTS_AT_ONCE_MAX:
            raise Unavailable(
                f"{IMPORTS_AT_ONCE_MAX} chains are being imported already; try again later",
                code="import.busy",
            )
        self._importing += 1
        path = None
        try:
            path = await self._read(self._node.imports.draft_path)
            await self._upload(path, pieces)
            return import_view(await self._work(lambda: self._import(path, actor)))
        except OSError as error:
            raise unwritable(error) from error
        finally:
            self._importing -= 1
            if path is not None:
                path.unlink(missing_ok=True)

    async def _upload(self, path: Path, pieces: AsyncIterator[bytes]) -> None:
        with await self._read(lambda: path.open("xb", buffering=_UPLOAD_BYTES)) as file:
            async for piece in pieces:
                await self._read(partial(file.write, piece))
            await self._read(file.flush)

    def _import(self, path: Path, actor: str | None) -> ImportReport:
        with path.open("rb") as file:
            return self._node.import_chain(file, actor=actor)

    def content_nowait(self, digest: bytes) -> bytes | None:
        """Return content; for the `render` of `subscribed`, which runs on a reader's thread."""
        return self._node.content(digest)

    @asynccontextmanager
    async def subscribed(
        self, actors: Sequence[str], asked: Asked, render: Render
    ) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
        """Begin a subscription; yields where it begins, and its rendered events, several at a time.

        `actors` are ids, none for all. What can't be begun raises here, before anything was sent.
        An empty piece is a sign of life; the pieces end when everything was given that was asked
        for, or raise. `render` runs on a reader's thread and returns b"" for what is not wanted.
        """
        with ExitStack() as stack:
            more = stack.enter_context(self._feed.place()) if asked.follow else asyncio.Event()
            subscription = await self._read(
                lambda: self._node.subscribe(
                    actors,
                    start=asked.start,
                    cursor=asked.cursor,
                    type=asked.type,
                    follow=asked.follow,
                    woken=self._feed.bell(more),
                )
            )
            stack.enter_context(subscription)
            yield subscription.cursor, self._pieces(subscription, more, asked.limit, render)

    async def _pieces(
        self, subscription: Subscription, more: asyncio.Event, limit: int | None, render: Render
    ) -> AsyncIterator[bytes]:
        def take() -> tuple[bytes, int]:
            # Whether a log line is wanted shows when it is rendered, so these are counted here.
            lines = [line for each in subscription.take(limit) if (line := render(each))]
            return b"".join(lines), len(lines)

        told = self._loop.time()
        while limit != 0 and not subscription.over():
            if self._feed.closed:
                raise stopping()
            more.clear()
            piece, count = await self._loop.run_in_executor(self._followers, take)
            limit = None if limit is None else limit - count
            if (
                not piece
                and subscription.idle
                and not subscription.over()
                and not self._feed.closed
            ):
                with suppress(TimeoutError):
                    async with asyncio.timeout(told + SUBSCRIPTION_BEAT_S - self._loop.time()):
                        await more.wait()
            if piece or self._loop.time() - told >= SUBSCRIPTION_BEAT_S:
                yield piece
                told = self._loop.time()

    async def _read(self, call: Callable[[], T]) -> T:
        return await self._loop.run_in_executor(self._readers, call)

    async def _work(self, call: Callable[[], T]) -> T:
        return await self._loop.run_in_executor(self._labourers, call)


def seq_of(text: str, what: str) -> int:
    """Return a position in a chain that a client wrote; UsageError if it is none."""
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        raise UsageError(f"{what} is a position in a chain, 0 or more", code="query.invalid")
    return int(text)


def flag_of(text: str, what: str) -> bool:
    """Return what a client wrote for a yes or no."""
    if text not in ("true", "false"):
        raise UsageError(f"{what} is true or false", code="query.invalid")
    return text == "true"
