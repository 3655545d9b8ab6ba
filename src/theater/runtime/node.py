"""A node: everything that runs in one process over one data directory.

The facade that servers, the Python API and tests use. Whatever it promises is on disk: futures
complete, and reads return, only when the journal has what they tell.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from theater import ids, limits
from theater.chain.content import plain_digest
from theater.errors import (
    TheaterError,
    TooLarge,
    Unavailable,
    UsageError,
)
from theater.journal.port import Journal
from theater.journal.records import (
    Keep,
    Message,
)
from theater.journal.sqlite import SqliteJournal
from theater.manifest import wrong_name
from theater.manifest.model import Manifest
from theater.runtime import futures, opening
from theater.runtime.actor import Actor
from theater.runtime.births import Births
from theater.runtime.black_box import BlackBox
from theater.runtime.chain_saving import ChainSaving
from theater.runtime.channel_ends import ClientEnd
from theater.runtime.client_channels import ClientChannels
from theater.runtime.dispatcher import Dispatcher
from theater.runtime.entropy import RandomPool
from theater.runtime.family import Family
from theater.runtime.imports import Imports
from theater.runtime.info import ActorInfo
from theater.runtime.instances import load_program
from theater.runtime.lives import Lives
from theater.runtime.operations import Operations
from theater.runtime.outside import Outside, unanswered
from theater.runtime.parking import Effects
from theater.runtime.program import Program
from theater.runtime.programs import Programs
from theater.runtime.registry import standard_handlers
from theater.runtime.residency import passivate_idle
from theater.runtime.router import Router
from theater.runtime.scheduler import Scheduler
from theater.runtime.services import Services
from theater.runtime.settings import NodeSettings
from theater.runtime.starting import digest_of
from theater.runtime.supervision.supervisors import Supervisors
from theater.runtime.timers import Timers
from theater.runtime.tree import Tree
from theater.runtime.unhandled import UnhandledMessages
from theater.runtime.unhandling import Unhandling
from theater.runtime.updates import Updates
from theater.store import Stores

log = logging.getLogger(__name__)
T = TypeVar("T")

SWITCH_INTERVAL_S: Final = 0.0005
"""With the interpreter's default, four busy threads made the epoch ticker up to 96 ms late."""

CLOSE_S: Final = 5.0
SWEEP_S: Final = 1.0
RETRY_S: Final = 1.0
FORGET_S: Final = 600.0
STARTERS: Final = 4
NODE: Final = "outside"
"""The name of clients that did not give one."""


class Node(Unhandling):
    """Actors, their journal, and the threads that run them. Open one with `Node.open`."""

    def __init__(
        self, journal: Journal, settings: NodeSettings, data_dir: Path | None = None
    ) -> None:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._black_box = BlackBox.open(data_dir)
        dispatcher = Dispatcher(settings.workers, settings.workers_max, self._black_box)
        timers = Timers(settings.clock)
        router = Router(journal, dispatcher, settings.clock, timers.after)
        scheduler = Scheduler(journal, router, settings.clock)
        family = Family(router, timers.after)
        stores = Stores(journal)
        tree = Tree(router, journal, stores)
        handlers = standard_handlers(router, scheduler, tree, stores, settings.secrets)
        super().__init__(
            journal,
            router,
            Programs(journal, handlers, settings.cache_dir),
            Imports(None if data_dir is None else data_dir / "imports"),
        )
        self._settings = settings
        self._opened = settings.clock.wall_us(), settings.clock.monotonic()
        self._dispatcher = dispatcher
        self._lives = Lives(journal, router, self.info)
        pool = RandomPool(settings.random)
        self._random = pool.take
        self._services = Services(
            journal,
            self._router,
            self._dispatcher,
            self._black_box,
            scheduler,
            family,
            Supervisors(router, family, settings.clock),
            settings.clock,
            self._random,
            pool.piece,
            self._program,
            self._when_started,
            self._when_ended,
            lambda actor: self._later(RETRY_S, actor),
            timers.after,
            Effects(),
        )
        self._timers = timers
        self._saving = ChainSaving(journal, data_dir, settings.chain_dirs, settings.chain_write)
        self._outside = Outside(journal, router, settings.clock)
        self._client_channels = ClientChannels(
            journal, router, self._outside, settings.clock, self._random, timers.after, NODE
        )
        self._births = Births(
            self._services,
            self._outside,
            self._lives,
            self._programs,
            self._saving,
            self.info,
            settings.batch,
        )
        self._unhandled = UnhandledMessages(
            journal,
            self._router,
            self._outside,
            settings.clock,
            self._random,
            partial(load_program, self._services),
        )
        self._starters = ThreadPoolExecutor(STARTERS, "theater-starter")
        self._operations = Operations(
            self._services,
            self._lives,
            self._starters,
            self.info,
            self._births.restored,
            self._when_revived,
        )
        self._updates = Updates(
            self._services, self._lives, self._operations, self._births.restored
        )
        tree.open(self._services, self._births, self._programs, self._operations, self._starters)
        self._swept = -1
        self._closed = False
        journal.on_failure(self._fail)

    @classmethod
    def open(cls, data_dir: Path, settings: NodeSettings | None = None) -> Node:
        """Open a data directory and take up what was interrupted there.

        Raises Conflict or Unavailable for a directory that is newer than this version or in use.
        """
        settings = settings or NodeSettings()
        journal = SqliteJournal.open(
            data_dir,
            failpoint=settings.failpoint,
            group_records_max=settings.group_records_max,
        )
        return cls.over(journal, settings, data_dir)

    @classmethod
    def over(
        cls, journal: Journal, settings: NodeSettings | None = None, data_dir: Path | None = None
    ) -> Node:
        """Open a node over a journal that is open already; without `data_dir` it saves no files."""
        node = cls(journal, settings or NodeSettings(), data_dir)
        try:
            opening.recover(node._services, node._births.restored)
            for actor in list(node._router.actors.values()):
                if actor.status == "stopping":
                    node._services.family.finish_stop(actor)
            node._saving.open(node._router.actors.values())
            node._services.scheduler.start()
            node._timers.after(SWEEP_S, node._sweep)
            node._timers.after(FORGET_S, node._forget_keys)
        except BaseException:
            node.close()
            raise
        return node

    def close(self) -> None:
        """Stop working and write what is queued. Calls in progress are taken up at the next start."""
        with self._lives.lock:
            if self._closed:
                return
            self._closed = True
        self._timers.close()
        self._services.scheduler.close()
        self._starters.shutdown(wait=False, cancel_futures=True)
        self._updates.close()
        self._dispatcher.stop()
        closing = Unavailable("this node is closing; ask again later", code="node.closing")
        self._router.close(closing)
        self._feed.close(closing)
        self._lives.close(closing)
        self._black_box.close()
        self._saving.close(CLOSE_S)
        self.journal.close()
        for actor in list(self._router.actors.values()):
            running = actor.running
            if running is not None:
                running.kill("killed")  # nothing of it is recorded any more: the journal is closed
        # What is tried for an update is interrupted by the engine's clock, which must go on till then.
        tried = self._updates.wait(CLOSE_S)
        if self._dispatcher.close(CLOSE_S) and tried:
            for actor in list(self._router.actors.values()):
                actor.passivate()
            self._programs.close()

    def on_failure(self, listener: Callable[[BaseException], None]) -> None:
        """Tell `listener` once if storage fails: nothing more may be acknowledged then."""
        self.journal.on_failure(listener)

    # Components and actors

    def add_component(self, wasm: bytes) -> str:
        """Keep a component and return its SHA-256 in hexadecimal, once it is on disk.

        TooLarge above the bound.
        """
        if len(wasm) > limits.COMPONENT_BYTES_MAX:
            raise TooLarge(
                f"the component has {len(wasm)} bytes, at most {limits.COMPONENT_BYTES_MAX}",
                code="component.too_large",
            )
        digest = plain_digest(wasm)
        kept = self.journal.has_content(digest)
        number = (
            self.journal.appended() if kept else self.journal.append((Keep(digest, None, wasm),))
        )
        self.journal.wait(number)
        return digest.hex()

    def has_component(self, sha256: str) -> bool:
        """Whether a component of that hash is kept."""
        return self.journal.has_content(digest_of(sha256))

    def start(
        self,
        manifest: Manifest,
        *,
        component: str,
        name: str | None = None,
        state: bytes | None = None,
        key: str | None = None,
    ) -> Future[ActorInfo]:
        """Start an actor; the future completes when its `init` has returned and that is on disk.

        `state` replaces the manifest's initial state. With a `key` that was used before, the future
        is about the actor that was started then.
        """
        wrong = None if name is None else wrong_name(name)
        if wrong is not None:
            raise UsageError(wrong, code="actor.name")
        future: Future[ActorInfo] = Future()

        def run() -> None:
            try:
                self._births.start(manifest, digest_of(component), name, state, key, future)
            except Exception as error:  # noqa: BLE001 - whatever it is, the caller is told
                futures.fail(future, error)

        def given_up(job: Future[None]) -> None:
            if job.cancelled():
                futures.fail(future, Unavailable("this node is closing", code="node.closing"))

        try:
            self._starters.submit(run).add_done_callback(given_up)
        except RuntimeError:
            raise Unavailable("this node is closing", code="node.closing") from None
        return future

    def _later(self, seconds: float, actor: Actor) -> None:
        self._timers.after(seconds, lambda: self._router.wake(actor))

    def _program(self, actor: Actor, component: bytes) -> Program:
        held = self._programs.held(actor)
        return self._programs.program(component, actor.manifest, held)

    def _when_started(self, actor: Actor, number: int) -> None:
        self._lives.started(actor, number)
        self._services.family.started(actor)

    def _when_ended(self, actor: Actor, number: int) -> None:
        self._saving.ended(actor.id)
        self._lives.ended(actor, number)
        self._services.family.ended(actor)

    def _when_revived(self, actor: Actor) -> None:
        self._saving.started(actor)
        self._saving.starting(actor.id, actor.manifest)

    def stop(self, actor: str, *, force: bool = False) -> Future[ActorInfo]:
        """Stop an actor after the call in hand, or at once; stopping what has ended is no error.

        A call that is not done within the manifest's `shutdown_ms` is killed.
        """
        return self._operations.stop(actor, force=force)

    def pause(self, actor: str) -> Future[ActorInfo]:
        """Let the call in hand finish, then take no messages; the future completes when it rests.

        Messages are accepted meanwhile. Pausing what is paused is no error; Conflict for one that
        is stopping or has ended.
        """
        return self._operations.pause(actor)

    def resume(self, actor: str) -> Future[ActorInfo]:
        """Go on after a pause; resuming what is not paused is no error."""
        return self._operations.resume(actor)

    def restart(
        self, actor: str, *, keep_state: bool = False, key: str | None = None
    ) -> Future[ActorInfo]:
        """Begin anew with the same id, chain, mailbox and stores; also an actor that has failed.

        The call in hand is killed and its message put back. From the initial state `init` is called
        again, outstanding requests have failed, and the future completes when it has returned;
        ActorFailed if it fails. With `keep_state` only the instance is new. With a `key` that was
        used before nothing is restarted again. Conflict for an actor that is stopping or stopped.
        """
        return self._operations.restart(actor, keep_state=keep_state, key=key)

    def update(
        self, actor: str, component: str, *, force: bool = False, key: str | None = None
    ) -> Future[ActorInfo]:
        """Have an actor go on with another component, by its SHA-256; also one that has failed.

        Like a restart with `keep_state`, once the component has shown in a replay of the actor's
        last calls that it behaves as the one before; Diverged with the first difference if it does
        not, and nothing has changed then. `force` leaves that out. Denied for a component that
        imports what the manifest doesn't grant; Unavailable (`update.busy`) for an actor that gets
        on faster than it can be tried. With a `key` that was used before nothing is updated again.
        """
        return self._updates.update(actor, digest_of(component), force=force, key=key)

    def wait(self, actor: str) -> Future[ActorInfo]:
        """The future of the actor's end; NotFound for one that never was."""
        return self._lives.wait(actor)

    # Messages

    def send(
        self, actor: str, body: bytes, *, key: str | None = None, trace: str | None = None
    ) -> Future[str]:
        """Put a message into an actor's mailbox; the future has its id once it is on disk.

        `trace` is a `traceparent` of W3C Trace Context; one that is malformed is left out.
        """
        future: Future[str] = Future()
        sent, number = self._outside.send(self._message("send", actor, body, key, trace))
        self._lives.complete(future, sent, number)
        return future

    def request(
        self,
        actor: str,
        body: bytes,
        *,
        key: str | None = None,
        timeout_ms: int | None = None,
        trace: str | None = None,
    ) -> Future[bytes]:
        """Send a message and have its answer; ActorFailed with the actor's words if it is an error.

        After `timeout_ms` (default: the actor's `request_timeout_ms`) the future fails with
        TimedOut; the message is handled all the same.
        """
        receiver = self._router.living(actor)
        wait_ms = min(timeout_ms or receiver.manifest.request_timeout_ms, limits.WAIT_MS_MAX)
        message = self._message("request", actor, body, key, trace, wait_ms)
        expected, future = self._outside.request(message)
        # What waits for the time-out must not hold the message.
        late = partial(self._too_late, actor, expected, future, wait_ms)
        cancel = self._timers.after(wait_ms / 1000, late)

        def done(_: Future[bytes]) -> None:
            cancel()
            self._outside.forget(expected, future)  # the client may have cancelled it

        future.add_done_callback(done)
        return future

    def _too_late(self, actor: str, message: str, future: Future[bytes], wait_ms: int) -> None:
        if self._outside.forget(message, future):
            futures.fail(future, unanswered(self._router, actor, wait_ms))

    def _message(
        self,
        kind: str,
        actor: str,
        body: bytes,
        key: str | None,
        trace: str | None,
        wait_ms: int | None = None,
    ) -> Message:
        now = self._settings.clock.wall_us()
        source = self._random(16)
        if key is not None:
            source = ids.for_purpose(source, kind.encode(), actor.encode(), body)
        return Message(
            id=ids.message_id(source),
            receiver=actor,
            kind=kind,
            origin="client",
            sender=NODE,
            body=body,
            position=self._router.position(),
            deadline_us=None if wait_ms is None else now + wait_ms * 1000,
            trace=None if trace is None else ids.traceparent(trace),
            key=key,
        )

    def open_channel(
        self,
        actor: str,
        body: bytes,
        woken: Callable[[], None],
        *,
        timeout_ms: int | None = None,
        trace: str | None = None,
    ) -> ClientEnd:
        """Ask an actor for a channel; `opened` of the end that is returned has its answer.

        Whoever holds the end gives it to `leave_channel` when it is done, whatever came of it.
        `woken` is called on any thread when there may be something to take from it.
        """
        return self._client_channels.open(actor, body, woken, timeout_ms=timeout_ms, trace=trace)

    def leave_channel(self, end: ClientEnd) -> None:
        """Give a channel's end up; the channel is closed, if it is open."""
        self._client_channels.leave(end)

    def send_on_channel(
        self, channel: str, body: bytes, *, key: str | None = None, trace: str | None = None
    ) -> Future[str]:
        """Send on a client's channel; the future has the message's id once it is on disk.

        Conflict if no client has such an open channel.
        """
        return self._client_channels.send(channel, body, key=key, trace=trace)

    def close_channel(self, channel: str) -> Future[None]:
        """Close a client's channel for good; the future is done when that is on disk."""
        return self._client_channels.close(channel)

    # Inside

    def _sweep(self) -> None:
        now = self._settings.clock.monotonic()
        for actor in list(self._router.actors.values()):
            idle = now - actor.last_used
            if actor.live is not None and idle * 1000 > actor.manifest.passivate_after_ms:
                self.passivate(actor.id)
            if actor.outstanding:
                self._router.expire(actor)
        self._timers.after(SWEEP_S, self._sweep)
        if self.journal.appended() != self._swept:
            self._swept = self.journal.appended()
            self._unhandled.trim(self._passed_us())

    def _forget_keys(self) -> None:
        now_us = self._passed_us()
        self.journal.forget_keys(now_us - limits.ANSWER_KEPT_S * 1_000_000)
        self._unhandled.trim(now_us)
        self._timers.after(FORGET_S, self._forget_keys)

    def _passed_us(self) -> int:
        """The time, by which a wall clock that is set forward makes nothing older than it is."""
        clock = self._settings.clock
        opened_us, opened_s = self._opened
        return min(clock.wall_us(), opened_us + round((clock.monotonic() - opened_s) * 1_000_000))

    def passivate(self, actor: str) -> bool:
        """Give up an actor's instance if it has nothing to do; whether that was so."""
        found = self._router.actors.get(actor)
        return found is not None and passivate_idle(found)

    def _fail(self, error: BaseException) -> None:
        self._black_box.close()
        failure = (
            error
            if isinstance(error, TheaterError)
            else Unavailable(f"storage failed: {error}", code="journal.failed")
        )
        self._router.close(failure)
        self._feed.close(failure)
        self._lives.close(failure)
