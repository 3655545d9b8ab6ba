"""The synchronous client, on the standard library's `http.client`.

Not on httpx2, whose import would be a third of what `theater list` may take
(docs/adr/0008-what-the-command-imports.md has the measurements).
"""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from theater.client import calls
from theater.client.address import authorization, parse_address
from theater.client.calls import Call
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

if TYPE_CHECKING:
    from theater.client.channels import Channel

T = TypeVar("T")

_IDLE_S = 30.0
_BREAKS = (OSError, http.client.HTTPException)


class Client:
    """A server's API as methods; `actor` arguments are ids, unique prefixes or names.

    Errors are those of `theater.errors`. `send`, `request`, `start`, `restart` and `update` carry an
    idempotency key, made up if none is given, and are tried again, up to `retries` times, when a
    connection fails.
    May be used from several threads.
    """

    def __init__(self, address: str, token: str | None = None, *, retries: int = 2) -> None:
        server = parse_address(address)
        self.address = server.url
        self._server = server
        self._retries = retries
        self._headers = authorization(token)
        self._idle: list[tuple[float, http.client.HTTPConnection]] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def about(self) -> ServerView:
        """Return who answers."""
        return self._call(calls.about())

    def add_component(self, wasm: bytes) -> str:
        """Upload a component unless the server has it, and return its SHA-256 in hexadecimal."""
        digest = sha256(wasm).hexdigest()
        if not self._call(calls.has_component(digest)):
            self._call(calls.put_component(digest, wasm))
        return digest

    def start(
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
        return self._call(calls.start(wanted, key))

    def actors(self, *, ended: bool = False, parent: str | None = None) -> list[ActorView]:
        """Return the living actors, or the children of `parent`; with `ended` the others too."""
        return self._call(calls.actors(ended, parent)).actors

    def actor(self, actor: str) -> ActorView:
        """Return one actor."""
        return self._call(calls.actor(actor))

    def send(self, actor: str, body: bytes, *, key: str | None = None) -> str:
        """Send a message and return its id once it is on disk."""
        return self._call(calls.send(actor, body, key)).message

    def request(
        self, actor: str, body: bytes, *, timeout_ms: int | None = None, key: str | None = None
    ) -> bytes:
        """Ask an actor and return its answer; ActorFailed if it answers with an error."""
        return self._call(calls.request(actor, body, timeout_ms, key))

    def open_channel(
        self, actor: str, body: bytes = b"", *, timeout_ms: int | None = None
    ) -> Channel:
        """Ask an actor for a channel, with a first message; ActorFailed if it refuses.

        To be used in a `with`: the channel is open as long as its connection.
        """
        from theater.client.channels import Channel

        call = calls.open_channel(actor, body, timeout_ms)
        response, connection = self._open(call)
        if response.status != 200:
            try:
                raise calls.failure(response.status, response.read(), call.path)
            finally:
                connection.close()
        if connection.sock is not None:
            connection.sock.settimeout(calls.STREAM_S)  # there are signs of life from here on

        def lines() -> Iterator[bytes]:
            try:
                yield from map(calls.line_of, filter(None, _split(response)))
            except _BREAKS as error:
                raise calls.unreachable(self.address, error) from None

        def drop() -> None:
            sock = connection.sock
            if sock is not None:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)  # a thread that reads is woken
            connection.close()

        return Channel(
            response.getheader(CHANNEL, ""),
            lines(),
            lambda channel, sent, key: (
                self._call(calls.send_on_channel(channel, sent, key)).message
            ),
            lambda channel: self._call(calls.close_channel(channel)),
            drop,
        )

    def dead_letters(
        self, actor: str | None = None, *, after: int = 0, limit: int = UNHANDLED_PAGE
    ) -> UnhandledList:
        """Return messages that nobody handled, of all actors or one, oldest first.

        Those behind `after`, which is the `next` of the list before.
        """
        return self._call(calls.dead_letters(actor, after, limit))

    def quarantine(
        self, actor: str | None = None, *, after: int = 0, limit: int = UNHANDLED_PAGE
    ) -> UnhandledList:
        """Return messages that were set aside, like `dead_letters`."""
        return self._call(calls.quarantine(actor, after, limit))

    def message_body(self, message: str) -> bytes:
        """Return the whole body of a dead letter or a message in quarantine."""
        return self._call(calls.message_body(message))

    def deliver(self, message: str, *, to: str | None = None, key: str | None = None) -> str:
        """Deliver an unhandled message again, to its receiver or to the actor `to`.

        Returns the new message's id once it is on disk. With the same key it is delivered once.
        """
        return self._call(calls.deliver(message, to, key)).message

    def drop(self, message: str) -> None:
        """Forget an unhandled message."""
        self._call(calls.drop(message))

    def stop(self, actor: str, *, force: bool = False) -> ActorView:
        """Stop an actor and return it as it ended."""
        return self._call(calls.stop(actor, force))

    def pause(self, actor: str) -> ActorView:
        """Have an actor take no messages, and return it once its call in hand is done."""
        return self._call(calls.pause(actor))

    def resume(self, actor: str) -> ActorView:
        """Have a paused actor go on."""
        return self._call(calls.resume(actor))

    def restart(self, actor: str, *, keep_state: bool = False, key: str | None = None) -> ActorView:
        """Begin an actor anew, with the same id, chain, mailbox and stores; ActorFailed if its `init`
        fails. With `keep_state` it goes on with its last state in a new instance.
        """
        return self._call(calls.restart(actor, keep_state, key))

    def update(
        self, actor: str, component: str, *, force: bool = False, key: str | None = None
    ) -> ActorView:
        """Have an actor go on with another component, by its SHA-256, that the server has.

        Diverged, with the first difference, if it behaves otherwise in the actor's last calls, which are
        run again with it first; `force` leaves that out.
        """
        return self._call(calls.update(actor, component, force, key))

    def wait(self, actor: str, timeout_s: float | None = None) -> ActorView:
        """Return the actor once it ended; TimedOut if it still lives after `timeout_s`."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left = calls.ANSWER_S if end is None else max(0.0, end - time.monotonic())
            try:
                return self._call(calls.wait(actor, left))
            except TimedOut as error:
                if error.code != "wait.timed_out" or (end and time.monotonic() >= end):
                    raise

    def state(self, actor: str, at: int | None = None) -> bytes | None:
        """Return the state now, or after the event with seq `at`."""
        return self._call(calls.state(actor, at))

    def events(
        self,
        actor: str,
        *,
        start: int = 0,
        limit: int | None = None,
        type: str | None = None,
        follow: bool = False,
    ) -> Iterator[EventLine]:
        """Yield events from seq `start` on whose type matches the pattern `type`.

        With `follow` until the actor has ended: if the connection breaks, or the server is started
        again, it goes on by itself behind the last event. Unavailable if the server stays away.
        """
        lines = self.event_lines(actor, start=start, limit=limit, type=type, follow=follow)
        return (calls.decoded(line, EventLine) for line in lines)

    def event_lines(
        self,
        actor: str,
        *,
        start: int = 0,
        limit: int | None = None,
        type: str | None = None,
        follow: bool = False,
    ) -> Iterator[bytes]:
        """Yield the same as `events`, as the lines of an exported chain, without their newlines."""
        named = self._settled(actor, follow)

        def ask(at: int | str | None, left: int | None) -> Call[None]:
            return calls.events(named, start if at is None else int(at), left, type, follow)

        return self._lines(Following(ask, behind_seq, limit=limit, again=self._retries > 0))

    def logs(
        self, actor: str, *, start: int = 0, limit: int | None = None, follow: bool = False
    ) -> Iterator[LogLine]:
        """Yield the lines of the log, those of events from seq `start` on; `follow` as for `events`."""
        named = self._settled(actor, follow)

        def ask(at: int | str | None, left: int | None) -> Call[None]:
            return calls.logs(named, start if at is None else int(at), left, follow)

        lines = self._lines(Following(ask, behind_seq, limit=limit, again=self._retries > 0))
        return (calls.decoded(line, LogLine) for line in lines)

    def subscribe(
        self,
        actors: Sequence[str] = (),
        *,
        start: int | None = 0,
        cursor: str | None = None,
        limit: int | None = None,
        type: str | None = None,
        follow: bool = True,
    ) -> Iterator[ActorEvent]:
        """Yield the events of several actors, or of all that are and come, each with its actor.

        `start` None begins with what comes next, a `cursor` behind the event that it came with. Goes
        on by itself like `events`, until all of the actors have ended.
        """
        named = [self._settled(actor, follow) for actor in actors]

        def ask(at: int | str | None, left: int | None) -> Call[None]:
            place = cursor if at is None else str(at)
            return calls.all_events(named, start, place, left, type, follow)

        lines = self._lines(Following(ask, behind_cursor, limit=limit, again=self._retries > 0))
        return (calls.decoded(line, ActorEvent) for line in lines)

    def verify(self, actor: str) -> VerifyView:
        """Have the chain recomputed."""
        return self._call(calls.verify(actor))

    def replay(self, actor: str, *, until: int | None = None) -> ReplayView:
        """Have the chain re-executed, up to the event with seq `until`, without any effect."""
        return self._call(calls.replay(actor, until))

    def import_chain(self, path: Path, *, actor: str | None = None) -> ImportView:
        """Have a chain file of any form verified and kept, to be looked at like an ended actor.

        `actor` is its id for a chain that doesn't say it any more.
        """
        return self._call(calls.import_chain(path, actor))

    def _call(self, call: Call[T]) -> T:
        response, connection = self._open(call)
        try:
            body = response.read()
        except _BREAKS as error:
            connection.close()
            raise calls.unreachable(self.address, error) from None
        if response.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.append((time.monotonic(), connection))
        if response.status >= 400 and call.method != "HEAD":
            raise calls.failure(response.status, body, call.path)
        return call.read(response.status, body)

    def _settled(self, actor: str, follow: bool) -> str:
        """Return what names the same actor for ever: by the next connection a name may mean another."""
        return self.actor(actor).id if follow and not ACTOR_ID.fullmatch(actor) else actor

    def _lines(self, following: Following) -> Iterator[bytes]:
        while not following.done:
            try:
                for line in self._lines_once(following):
                    following.took(line)
                    yield line
                return
            except Unavailable as error:
                pause_s = following.pause_s(error)
            time.sleep(pause_s)

    def _lines_once(self, following: Following) -> Iterator[bytes]:
        call = following.call()
        response, connection = self._open(call)
        try:
            if response.status != 200:
                raise calls.failure(response.status, response.read(), call.path)
            following.opened(response.getheader(STREAM_CURSOR))
            for line in _split(response):
                if line:
                    yield calls.line_of(line)
                following.alive()
        except _BREAKS as error:
            raise calls.unreachable(self.address, error) from None
        finally:
            connection.close()

    def _open(self, call: Call[T]) -> tuple[http.client.HTTPResponse, http.client.HTTPConnection]:
        """Send a call and return the answer's head, trying again where that is harmless."""
        for attempt in range(self._retries + 1):
            connection = self._connection(call.timeout_s)
            broken: OSError | None = None
            try:
                try:
                    connection.request(
                        call.method,
                        call.path,
                        call.body if call.upload is None else call.upload.pieces(),
                        {**self._headers, **call.headers},
                    )
                except (BrokenPipeError, ConnectionResetError) as error:
                    # A server that refuses a body may have answered before it closed the connection.
                    broken = error
                return connection.getresponse(), connection
            except TimeoutError:
                connection.close()
                raise TimedOut(
                    f"the server did not answer within {call.timeout_s:g} s",
                    code="client.timed_out",
                ) from None
            except _BREAKS as error:
                connection.close()
                if not call.again or attempt == self._retries:
                    raise calls.unreachable(self.address, broken or error) from None
                time.sleep(0.1 * 2**attempt)
        raise AssertionError("unreachable")

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        now = time.monotonic()
        with self._lock:
            while self._idle:
                since, kept = self._idle.pop()
                if now - since < _IDLE_S and kept.sock is not None:
                    kept.sock.settimeout(timeout_s)
                    return kept
                kept.close()
        secure = self._server.secure
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        return kind(self._server.host, self._server.port, timeout=timeout_s)


def _split(response: http.client.HTTPResponse) -> Iterator[bytes]:
    rest = b""
    while piece := response.read1(1 << 16):
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
