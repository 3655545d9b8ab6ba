"""Dead letters and messages set aside: listed, delivered again, dropped, and never too many.

A message that nobody handled is kept by the journal with the reason, until an operator delivers it
again or drops it, or it is the oldest beyond the bounds. To deliver is one record: the old message
is gone and a new one, of the same sender, waits in a mailbox. Each kept message goes away once: who
claims it first has it, and what is claimed is not offered again before its record is on disk.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, get_args

from msgspec.structs import replace

from theater import ids, limits
from theater.chain import shapes
from theater.clock import Clock
from theater.errors import Conflict, JournalFailed, NotFound
from theater.journal.port import Journal, Unhandled, UnhandledTotals
from theater.journal.records import CountDropped, Message, Settle, Step, UnhandledState
from theater.runtime.actor import Actor
from theater.runtime.kinds import KINDS
from theater.runtime.outside import Outside
from theater.runtime.program import Program
from theater.runtime.router import Router

log = logging.getLogger(__name__)

UNHANDLED: Final = get_args(UnhandledState)
NUMBER_MAX: Final = 2**63 - 1
"""The highest that a journal could give."""

CALL_ENDS: Final = frozenset(get_args(shapes.ErrorKind))
"""The reasons that are the ends of calls; all others begin with what they are about and a dot."""


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What is kept of a state: messages, bytes of their bodies, and seconds."""

    state: UnhandledState
    what: str
    count: int
    bytes: int
    seconds: int


@dataclass(frozen=True, slots=True)
class UnhandledPage:
    """Some of the messages of a state, oldest first; `next` is what to go on after, None at the end.

    `totals` are of the whole node, whatever the page was asked for.
    """

    messages: Sequence[Unhandled]
    next: int | None
    totals: UnhandledTotals


class UnhandledMessages:
    """What the journal keeps of unhandled messages, and who may take it away. Thread-safe."""

    def __init__(
        self,
        journal: Journal,
        router: Router,
        outside: Outside,
        clock: Clock,
        random: Callable[[int], bytes],
        program: Callable[[Actor], Program],
    ) -> None:
        self._journal = journal
        self._router = router
        self._outside = outside
        self._clock = clock
        self._random = random
        self._program = program
        self._lock = threading.Lock()
        self._claimed: set[str] = set()
        self._trimmed = 0

    def page(
        self, state: UnhandledState, receiver: str | None, after: int, limit: int
    ) -> UnhandledPage:
        """At most `limit` messages of a state, those numbered above `after`."""
        limit = max(1, min(limit, limits.UNHANDLED_PAGE_MAX))
        after = max(0, min(after, NUMBER_MAX))
        found = self._journal.unhandled(state, receiver, after=after, limit=limit + 1)
        further = found[limit - 1].number if len(found) > limit else None
        return UnhandledPage(found[:limit], further, self._journal.unhandled_totals(state))

    def message(self, message: str) -> Message:
        """A dead letter, or a message set aside, with its whole body; NotFound for any other."""
        found = self._journal.message(message)
        if found is None or found.state not in UNHANDLED:
            raise _gone(message)
        return found

    def deliver(self, message: str, to: str | None, key: str | None) -> tuple[str, int]:
        """Put a message into a mailbox again: its receiver's, or that of the living actor `to`.

        Returns the id of the new message and its record's number. NotFound if it isn't there (any
        more), or its receiver has ended or has no handler for it; else what sending may raise.
        """
        kept = self._journal.message(message)
        if kept is not None and kept.state in UNHANDLED:
            self._handler(kept, to)  # may have to compile, which nobody else should wait for
        claimed = False
        said = b"deliver", message.encode(), (to or "").encode()
        new = ids.message_id(ids.for_purpose(self._random(16), *said))

        def build() -> tuple[Message, Step]:
            nonlocal claimed
            kept = self._claim(message)
            claimed = True
            return self._again(kept, self._handler(kept, to), new), Settle(message, "done")

        try:
            sent, number = self._outside.put_anew(new, build, key)
        except BaseException:
            if claimed:
                self._release([message])
            raise
        if claimed:
            self._journal.when_durable(number, lambda _: self._release([message]))
        return sent, number

    def drop(self, message: str) -> int:
        """Forget a message for good; it is counted. Returns the record's number."""
        kept = self._claim(message)
        number = self._drop("dead" if kept.state == "dead" else "aside", [message])
        log.info("message %s for actor %s was dropped by an operator", message, kept.receiver)
        return number

    def trim(self, now_us: int) -> None:
        """Drop the oldest messages beyond the bounds, so many at a time, and say so in the log."""
        if self._journal.durable() < self._trimmed:
            return
        with suppress(JournalFailed):  # the node stops, and says so elsewhere
            for bounds in _bounds():
                self._trim(bounds, now_us)

    def _trim(self, bounds: _Bounds, now_us: int) -> None:
        excess = self._excess(bounds, now_us)
        if excess:
            self._trimmed = self._drop(bounds.state, [each.message.id for each in excess])
            log.warning(
                "dropped %d %s, the oldest, from %s to %s: a node keeps at most %d, of %d bytes "
                "together, for %d days",
                len(excess),
                bounds.what,
                excess[0].message.id,
                excess[-1].message.id,
                bounds.count,
                bounds.bytes,
                bounds.seconds // 86_400,
            )

    def _excess(self, bounds: _Bounds, now_us: int) -> list[Unhandled]:
        """Claim the oldest messages beyond the bounds."""
        totals = self._journal.unhandled_totals(bounds.state)
        count, size = totals.count - bounds.count, totals.bytes - bounds.bytes
        before_us = now_us - bounds.seconds * 1_000_000
        excess: list[Unhandled] = []
        after, page = 0, 1
        while len(excess) < limits.UNHANDLED_DROPPED_AT_ONCE_MAX:
            found = self._journal.unhandled(bounds.state, after=after, limit=page)
            for each in found:
                old = each.at_us is not None and each.at_us < before_us
                if count <= 0 and size <= 0 and not old:
                    return excess
                with self._lock:
                    if each.message.id not in self._claimed:
                        self._claimed.add(each.message.id)
                        excess.append(each)
                count, size, after = count - 1, size - each.bytes, each.number
            if len(found) < page:
                return excess
            page = limits.UNHANDLED_PAGE_MAX
        return excess

    def _drop(self, state: UnhandledState, messages: Sequence[str]) -> int:
        done: list[Step] = [Settle(message, "done") for message in messages]
        try:
            number = self._journal.append((*done, CountDropped(state, len(messages))))
        except BaseException:
            self._release(messages)
            raise
        self._journal.when_durable(number, lambda _: self._release(messages))
        return number

    def _claim(self, message: str) -> Message:
        with self._lock:
            # In this order: what is not claimed any more is gone from the journal by now.
            if message in self._claimed:
                raise _gone(message)
            kept = self.message(message)
            self._claimed.add(message)
            return kept

    def _release(self, messages: Sequence[str]) -> None:
        with self._lock:
            self._claimed.difference_update(messages)

    def _handler(self, kept: Message, to: str | None) -> Actor:
        """Return the living actor that is to have the message; NotFound if it can't handle it."""
        wanted = kept.receiver if to is None else to
        if kept.kind == "channel-open" or (
            kept.kind.startswith("channel-") and wanted != kept.receiver
        ):
            raise Conflict(
                f"a message of the kind {kept.kind} belongs to its receiver and to what it was sent "
                "for, and can't be delivered to another one or for nothing; drop it",
                code="message.bound",
            )
        actor = self._router.actors.get(wanted)
        if actor is None or actor.ended:
            raise NotFound(
                f"actor {wanted[:80]} does not live (any more); name one that does and is to have "
                "the message",
                code="actor.ended",
                actor=wanted,
            )
        kind = KINDS.get(kept.kind)
        program = actor.program or self._program(actor)
        if kind is None or kind.export not in program.exports:
            raise NotFound(
                f"actor {actor.id} has no handler for a message of the kind {kept.kind}",
                code="actor.no_handler",
            )
        return actor

    def _again(self, kept: Message, receiver: Actor, id_: str) -> Message:
        """Return the message as a new one of the same origin. Nobody waits for its answer."""
        asks = kept.kind == "request"
        timeout_us = receiver.manifest.request_timeout_ms * 1000
        return replace(
            kept,
            id=id_,
            receiver=receiver.id,
            position=self._router.position(),
            state="waiting",
            attempt=0,
            # A request that is deferred for ever must not be outstanding for ever.
            deadline_us=self._clock.wall_us() + timeout_us if asks else None,
            wait=None,
            key=None,
            reason=None,
        )


def attempts(message: Message) -> int:
    """Return how many calls of its receiver an unhandled message has ended."""
    return message.attempt + (message.reason in CALL_ENDS)


def _bounds() -> tuple[_Bounds, ...]:
    return (
        _Bounds(
            "dead",
            "dead letters",
            limits.DEAD_LETTERS_MAX,
            limits.DEAD_LETTERS_BYTES_MAX,
            limits.DEAD_LETTERS_KEPT_S,
        ),
        _Bounds(
            "aside",
            "messages in quarantine",
            limits.QUARANTINE_MAX,
            limits.QUARANTINE_BYTES_MAX,
            limits.QUARANTINE_KEPT_S,
        ),
    )


def _gone(message: str) -> NotFound:
    return NotFound(
        f"there is no unhandled message {message[:80]!r} (any more); `theater dead-letters` and "
        "`theater quarantine` list them",
        code="message.not_found",
    )
