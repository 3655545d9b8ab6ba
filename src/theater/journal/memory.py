"""A journal that lives and dies with the process, for tests and for nodes that keep nothing.

A record is durable as soon as it is appended, or, with `on_demand`, once `commit` says so: a test
can then look at the moment between the two, and lose what was not committed with `reopened`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

from theater.chain.event import Event
from theater.errors import Conflict
from theater.journal.image import (
    ENDED,
    UNHANDLED,
    Image,
    checked_chain,
    checked_content,
    checked_event,
)
from theater.journal.port import (
    Failpoint,
    JournalStatistics,
    KeptKey,
    StoreImage,
    Unhandled,
    UnhandledTotals,
)
from theater.journal.queue import CommitQueue, Entry
from theater.journal.records import (
    ActorRow,
    Answer,
    Append,
    Channel,
    ForgetKeys,
    Message,
    OpenWait,
    Record,
    SetSupervision,
    Timer,
    UnhandledState,
)
from theater.limits import (
    JOURNAL_GROUP_RECORDS_MAX,
    JOURNAL_QUEUE_BYTES_MAX,
    JOURNAL_QUEUE_RECORDS_MAX,
)


class MemoryJournal:
    """The journal port in memory. What is called on the writer's thread runs on an appender's."""

    def __init__(
        self,
        *,
        on_demand: bool = False,
        failpoint: Failpoint | None = None,
        group_records_max: int = JOURNAL_GROUP_RECORDS_MAX,
        queue_records_max: int = JOURNAL_QUEUE_RECORDS_MAX,
        queue_bytes_max: int = JOURNAL_QUEUE_BYTES_MAX,
        image: Image | None = None,
    ) -> None:
        self._queue = CommitQueue(
            failpoint=failpoint, records_max=queue_records_max, bytes_max=queue_bytes_max
        )
        self._on_demand = on_demand
        self._group_records_max = group_records_max
        self._image = Image() if image is None else image
        self._lock = threading.Lock()
        self._writing = threading.RLock()
        self._busy = False
        self._closed = False

    def append(self, record: Record) -> int:
        number = self._queue.append(record)
        if not self._on_demand:
            self._drain(None)
        return number

    def commit(self, number: int | None = None) -> None:
        """Make records up to `number` durable, or all that are queued."""
        self._drain(number)

    def reopened(self) -> MemoryJournal:
        """A journal that holds what is durable now, as after a crash."""
        with self._lock:
            return MemoryJournal(on_demand=self._on_demand, image=self._image.copy())

    def appended(self) -> int:
        return self._queue.appended()

    def durable(self) -> int:
        return self._queue.durable()

    def wait(self, number: int, timeout_s: float | None = None) -> None:
        self._queue.wait(number, timeout_s)

    def when_durable(self, number: int, done: Callable[[BaseException | None], None]) -> None:
        self._queue.when_durable(number, done)

    def on_commit(self, listener: Callable[[dict[str, int]], None]) -> Callable[[], None]:
        return self._queue.on_commit(listener)

    def on_failure(self, listener: Callable[[BaseException], None]) -> None:
        self._queue.on_failure(listener)

    def statistics(self) -> JournalStatistics:
        return self._queue.statistics()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._queue.close()
        self._drain(None)
        self._queue.end()

    def fail(self, cause: BaseException) -> None:
        """Behave from now on as if storage had failed."""
        self._queue.fail(cause)

    def actors(
        self, *, ended: bool = False, after: int = -1, limit: int = 1000
    ) -> Sequence[ActorRow]:
        with self._lock:
            rows = [
                row
                for row in self._image.actors.values()
                if row.number > after and (ended or row.status not in ENDED)
            ]
        return sorted(rows, key=lambda row: row.number)[:limit]

    def actor(self, actor: str) -> ActorRow | None:
        with self._lock:
            return self._image.actors.get(actor)

    def find_actors(self, text: str, limit: int = 10) -> Sequence[ActorRow]:
        with self._lock:
            rows = [
                row
                for row in self._image.actors.values()
                if row.id.startswith(text) or row.name == text
            ]
        return sorted(rows, key=lambda row: (row.status in ENDED, row.number))[:limit]

    def children(
        self, parent: str, *, before: int | None = None, limit: int = 100
    ) -> Sequence[ActorRow]:
        with self._lock:
            found = [
                row
                for row in self._image.actors.values()
                if row.parent == parent and (before is None or row.number < before)
            ]
        return sorted(found, key=lambda row: -row.number)[:limit]

    def next_number(self) -> int:
        with self._lock:
            return max((row.number for row in self._image.actors.values()), default=-1) + 1

    def events(self, actor: str, start: int = 0, limit: int | None = None) -> Iterator[Event]:
        with self._lock:
            chain = list(self._image.chains.get(actor, ()))
        end = len(chain) if limit is None else min(len(chain), start + limit)
        return checked_chain(actor, chain[:end], start)

    def tail(self, position: int = 0, limit: int | None = None) -> Iterator[tuple[int, str, Event]]:
        with self._lock:
            end = None if limit is None else position + limit
            order = self._image.order[position:end]
            found = [(actor, self._image.chains[actor][seq]) for actor, seq in order]
        for behind, (actor, event) in enumerate(found, position + 1):
            yield behind, actor, checked_event(actor, event, event.parent)

    def tail_end(self) -> int:
        with self._lock:
            return len(self._image.order)

    def content(self, digest: bytes) -> tuple[bytes | None, bytes] | None:
        found = self._queue.queued_content(digest)
        if found is None:
            with self._lock:
                found = self._image.contents.get(digest)
        return None if found is None else checked_content(digest, *found)

    def has_content(self, digest: bytes) -> bool:
        if self._queue.queued_content(digest) is not None:
            return True
        with self._lock:
            return digest in self._image.contents

    def messages(self, receiver: str | None = None, limit: int | None = None) -> Sequence[Message]:
        with self._lock:
            found = [
                message
                for message in self._image.messages.values()
                if receiver is None or message.receiver == receiver
            ]
        return sorted(found, key=lambda message: (message.position, message.id))[:limit]

    def message(self, message: str) -> Message | None:
        with self._lock:
            return self._image.messages.get(message)

    def living_messages(self) -> Sequence[Message]:
        return [message for message in self.messages() if message.state not in UNHANDLED]

    def unhandled(
        self,
        state: UnhandledState,
        receiver: str | None = None,
        *,
        after: int = 0,
        limit: int = 100,
    ) -> Sequence[Unhandled]:
        with self._lock:
            return self._image.unhandled_page(state, receiver, after, limit)

    def unhandled_totals(self, state: UnhandledState) -> UnhandledTotals:
        with self._lock:
            return self._image.unhandled_totals(state)

    def wait_row(self, wait: str) -> tuple[OpenWait, Answer | None] | None:
        with self._lock:
            return self._image.waits.get(wait)

    def waits(self, actor: str | None = None) -> Sequence[tuple[OpenWait, Answer | None]]:
        with self._lock:
            found = [
                wait
                for wait in self._image.waits.values()
                if actor is None or wait[0].actor == actor
            ]
        return sorted(found, key=lambda wait: wait[0].id)

    def timers(self, actor: str | None = None) -> Sequence[Timer]:
        with self._lock:
            found = [
                timer
                for timer in self._image.timers.values()
                if actor is None or timer.actor == actor
            ]
        return sorted(found, key=lambda timer: (timer.due_us, timer.id))

    def channels(self) -> Sequence[Channel]:
        with self._lock:
            found = list(self._image.channels.values())
        return sorted(found, key=lambda channel: channel.id)

    def supervision(self) -> Sequence[SetSupervision]:
        with self._lock:
            found = list(self._image.supervision.values())
        return sorted(found, key=lambda each: each.supervisor)

    def names(self) -> Mapping[str, str]:
        with self._lock:
            return dict(self._image.names)

    def key(self, key: str) -> KeptKey | None:
        queued = self._queue.queued_key(key)
        with self._lock:
            kept = self._image.keys.get(key)
        return queued(kept)

    def forget_keys(self, before_us: int) -> None:
        self.append((ForgetKeys(before_us),))

    def stores_of(self, owner: str) -> Sequence[str]:
        with self._lock:
            return sorted(store for store, its in self._image.owners.items() if its == owner)

    def store_image(self, store: str) -> StoreImage | None:
        self._queue.wait(self._queue.appended())
        with self._lock:
            return self._image.store(store)

    def _drain(self, up_to: int | None) -> None:
        with self._writing:
            if self._busy:  # a callback of the group in hand appends: the loop below takes it too
                return
            self._busy = True
            self._queue.serve(threading.get_ident())
            try:
                while group := self._queue.take_nowait(self._room(up_to)):
                    self._write(group)
            except BaseException as error:  # noqa: BLE001 - what broke the write is the failure
                self._queue.fail(error)
            finally:
                self._queue.serve(None)
                self._busy = False

    def _room(self, up_to: int | None) -> int:
        if up_to is None:
            return self._group_records_max
        return max(0, min(self._group_records_max, up_to - self._queue.durable()))

    def _write(self, group: list[Entry]) -> None:
        failpoint = self._queue.failpoint
        good: list[Entry] = []
        conflict: Conflict | None = None
        grown: dict[str, int] = {}
        if failpoint is not None:
            for number, _, _ in group:
                failpoint("written", number)
        with self._lock:
            for entry in group:
                try:
                    self._image.apply(entry[1])
                except Conflict as error:
                    conflict = error
                    break
                good.append(entry)
                for step in entry[1]:
                    if isinstance(step, Append):
                        grown[step.actor] = step.event.seq
        if good:
            if failpoint is not None:
                for number, _, _ in good:
                    failpoint("committed", number)
            self._queue.committed(good, grown)
        if conflict is not None:
            raise conflict
