"""Subscriptions: the events of chains from any seq on, first those that are there, then what comes.

A subscription holds positions and no events. It takes events from the journal when its subscriber
asks for some, and is only told that there are more; so there is neither a gap nor a double between
history and what is live, a slow subscriber costs nobody anything, and nothing is given that is not
on disk. Whatever door events leave by, a subscription stands behind it.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import TracebackType
from typing import Final, Protocol, Self

from theater.chain.event import Event
from theater.errors import NotFound, UsageError
from theater.journal.port import Journal
from theater.journal.records import ActorRow
from theater.limits import (
    EVENT_TYPE_BYTES_MAX,
    EVENTS_PER_CHUNK,
    SUBSCRIPTION_ACTORS_MAX,
    SUBSCRIPTION_BYTES,
)
from theater.runtime.feed import Feed

ENDED: Final = ("stopped", "failed")
SEQ_MAX: Final = 2**63 - 1
_CURSOR: Final = re.compile(r"(0|[1-9][0-9]{0,18})(\.(0|[1-9][0-9]{0,18}))*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Taken:
    """An event of an actor. `cursor` is where a subscription to the same goes on behind it."""

    actor: str
    event: Event
    cursor: str


class _Source(Protocol):
    """Positions in one or in all chains. One thread at a time, but for `grew`."""

    @property
    def idle(self) -> bool:
        """Whether nothing more is known to be there."""
        ...

    @property
    def over(self) -> bool:
        """Whether nothing more can come."""
        ...

    @property
    def cursor(self) -> str: ...

    def grew(self, actors: Collection[str]) -> None: ...

    def read(self, events: int) -> Generator[tuple[str, Event], None, None]:
        """Yield some of what is there, at most so many; each is passed once it was yielded."""
        ...


class Chains(Protocol):
    """Where chains are read: a journal, or more than that."""

    def actor(self, actor: str) -> ActorRow | None: ...

    def events(self, actor: str, start: int, limit: int | None) -> Iterator[Event]: ...


class Subscription:
    """What a subscriber has still to be given. Iterate over it, in a thread or in a coroutine.

    `take` is for doors with a pace of their own: it reads from disk, so not in an event loop. One
    subscriber's thread at a time; `close` from any. `chains` are those that actors are looked up in,
    if there are more than the journal's.
    """

    def __init__(
        self,
        journal: Journal,
        feed: Feed,
        actors: Sequence[str],
        *,
        start: int | None = 0,
        cursor: str | None = None,
        type: str | None = None,
        follow: bool = True,
        woken: Callable[[], None] | None = None,
        chains: Chains | None = None,
    ) -> None:
        if len(actors) > SUBSCRIPTION_ACTORS_MAX or len(set(actors)) != len(actors):
            raise UsageError(
                f"a subscription is to at most {SUBSCRIPTION_ACTORS_MAX} actors, each once, or to all",
                code="subscription.actors",
            )
        if type is not None and len(type.encode()) > EVENT_TYPE_BYTES_MAX:
            raise UsageError(
                f"a pattern has at most {EVENT_TYPE_BYTES_MAX} bytes, as a type",
                code="subscription.type",
            )
        if start is not None and not 0 <= start <= SEQ_MAX:
            raise UsageError("a chain begins at 0", code="subscription.start")
        places = None if cursor is None else _places(cursor, len(actors) or 1)
        self._feed = feed
        self._type = type
        self._listening = tuple(actors) or None
        self._event = threading.Event()
        self._woken = woken or self._event.set
        self._closed = False
        self._follow = follow
        # Listened before looking, so that nothing falls between the two.
        self._source: _Source | None = None
        if follow:
            feed.listen(self._listening, self._grew)
        try:
            if actors:
                self._source = _Chains(chains or journal, actors, start, places, follow)
            else:
                self._source = _Everything(journal, start, places, follow)
        except BaseException:
            self.close()
            raise

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
        """End the subscription; whoever iterates over it ends. Idempotent."""
        self._closed = True
        self._feed.leave(self._listening, self._grew)
        self._woken()

    @property
    def idle(self) -> bool:
        """Whether `take` would find nothing now; `woken` is called when that changes."""
        return self._at.idle

    def over(self) -> bool:
        """Whether everything was taken that will ever come: the actors ended, or it was closed."""
        return self._closed or self._at.over

    @property
    def cursor(self) -> str:
        """Where a subscription to the same goes on behind what was taken."""
        return self._at.cursor

    def take(self, wanted: int | None = None) -> list[Taken]:
        """Return what comes next, about SUBSCRIPTION_BYTES of it and at most `wanted` events.

        Empty if there is nothing now, and sometimes if none of what was looked at has the type.
        Raises Unavailable when the node closes, IntegrityError for an event that was tampered with.
        """
        if self._feed.over is not None:
            raise self._feed.over
        source = self._at
        taken: list[Taken] = []
        size = 0
        with closing(source.read(EVENTS_PER_CHUNK)) as events:
            for actor, event in events:
                if self._type is not None and not fnmatchcase(event.type, self._type):
                    continue
                taken.append(Taken(actor, event, source.cursor))
                size += len(event.data or b"")
                if size >= SUBSCRIPTION_BYTES or len(taken) == wanted:
                    break
        return taken

    def __iter__(self) -> Iterator[Taken]:
        self._woken = self._event.set
        while not self.over():
            self._event.clear()
            yield from self.take()
            if self.idle and not self.over() and self._feed.over is None:
                self._event.wait()

    async def __aiter__(self) -> AsyncIterator[Taken]:
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(woken.set)
            except RuntimeError:
                return  # the loop is closed, so nobody iterates any more

        self._woken = wake
        while not self.over():
            woken.clear()
            for each in await loop.run_in_executor(None, self.take):
                yield each
            if self.idle and not self.over() and self._feed.over is None:
                await woken.wait()

    @property
    def _at(self) -> _Source:
        assert self._source is not None
        return self._source

    def _grew(self, actors: Collection[str]) -> None:
        if self._source is not None:
            self._source.grew(actors)
        self._woken()


class _Chain:
    """How far one chain was read: `next` is read next, `until` bounds what is not followed."""

    __slots__ = ("actor", "next", "over", "until")

    def __init__(self, actor: str, start: int, until: int | None) -> None:
        self.actor = actor
        self.next = start
        self.until = until
        self.over = False


class _Chains:
    """Some actors' chains, in turns."""

    def __init__(
        self,
        chains: Chains,
        actors: Sequence[str],
        start: int | None,
        places: Sequence[int] | None,
        follow: bool,
    ) -> None:
        self._histories = chains
        self._chains: dict[str, _Chain] = {}
        for index, actor in enumerate(actors):
            end = self._row(actor).tip.seq + 1
            begin = places[index] if places is not None else end if start is None else start
            self._chains[actor] = _Chain(actor, begin, None if follow else end)
        self._turns = deque(self._chains)
        # Filled on the writer's thread, emptied on the subscriber's; each step is atomic.
        self._grown: set[str] = set()

    @property
    def idle(self) -> bool:
        return not self._turns and not self._grown

    @property
    def over(self) -> bool:
        return all(chain.over for chain in self._chains.values())

    @property
    def cursor(self) -> str:
        return ".".join([str(chain.next) for chain in self._chains.values()])

    def grew(self, actors: Collection[str]) -> None:
        for actor in actors:
            self._grown.add(actor)

    def read(self, events: int) -> Generator[tuple[str, Event], None, None]:
        while self._grown:
            actor = self._grown.pop()
            if actor not in self._turns:
                self._turns.append(actor)
        if not self._turns:
            return
        chain = self._chains[self._turns.popleft()]
        # What the row tells is on disk, and its status was recorded together with its last event.
        row = self._row(chain.actor)
        end = row.tip.seq + 1 if chain.until is None else chain.until
        try:
            if chain.next < end:
                most = min(events, end - chain.next)
                for event in self._histories.events(chain.actor, chain.next, most):
                    chain.next = event.seq + 1
                    yield chain.actor, event
        finally:
            if chain.next < end:
                self._turns.append(chain.actor)
            elif chain.until is not None or row.status in ENDED:
                chain.over = True

    def _row(self, actor: str) -> ActorRow:
        row = self._histories.actor(actor)
        if row is None:
            raise NotFound(f"there is no actor {actor}", code="actor.not_found")
        return row


class _Everything:
    """All chains in the order of the journal's commits, those of new actors too."""

    def __init__(
        self, journal: Journal, start: int | None, places: Sequence[int] | None, follow: bool
    ) -> None:
        self._journal = journal
        end = journal.tail_end()
        self._start = start or 0
        self._position = end if start is None else 0
        if places is not None:
            self._position = places[0]
            # In one chain a start may be ahead of what is there. A position of all never is.
            if self._position > end:
                raise UsageError(
                    "this cursor is ahead of what is recorded here: it is of another node, or of "
                    "later data; begin anew with a seq",
                    code="subscription.cursor",
                )
        self._until = None if follow else end
        self.idle = False
        self.over = False

    @property
    def cursor(self) -> str:
        return str(self._position)

    def grew(self, actors: Collection[str]) -> None:
        self.idle = False

    def read(self, events: int) -> Generator[tuple[str, Event], None, None]:
        self.idle = True
        looked = 0
        for position, actor, event in self._journal.tail(self._position, events):
            if self._until is not None and position > self._until:
                self.over = True
                return
            looked += 1
            # Before it is yielded, and not behind it: whoever takes no more may never come back.
            self.idle = False
            self._position = position
            if event.seq >= self._start:
                yield actor, event
        if looked < events and self._until is not None:
            self.over = True


def _places(cursor: str, count: int) -> list[int]:
    places = [int(part) for part in cursor.split(".")] if _CURSOR.fullmatch(cursor) else []
    if len(places) != count or max(places) > SEQ_MAX:
        raise UsageError(
            "this cursor is of another subscription: use one that came with an event of a "
            "subscription to the same actors",
            code="subscription.cursor",
        )
    return places
