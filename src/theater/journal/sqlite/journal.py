"""The journal port on SQLite: a queue in front, one writer thread, readers beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import apsw

from theater.chain.event import Event
from theater.journal.image import checked_content
from theater.journal.port import (
    Failpoint,
    JournalStatistics,
    KeptKey,
    StoreImage,
    Unhandled,
    UnhandledTotals,
)
from theater.journal.queue import CommitQueue
from theater.journal.records import (
    ActorRow,
    Answer,
    Channel,
    ForgetKeys,
    Message,
    OpenWait,
    Record,
    SetSupervision,
    Timer,
    UnhandledState,
)
from theater.journal.sqlite.directory import DataDirectory
from theater.journal.sqlite.files import ContentFiles, FileLayer, SystemFiles
from theater.journal.sqlite.mark import CommitMark
from theater.journal.sqlite.reader import Reader
from theater.journal.sqlite.schema import close_connection, connect_writer
from theater.journal.sqlite.trouble import refusal
from theater.journal.sqlite.writer import Writer
from theater.limits import (
    JOURNAL_GROUP_RECORDS_MAX,
    JOURNAL_QUEUE_BYTES_MAX,
    JOURNAL_QUEUE_RECORDS_MAX,
)


class SqliteJournal:
    """One node's journal. `open` makes one; it holds its data directory until `close`."""

    def __init__(
        self,
        directory: DataDirectory,
        queue: CommitQueue,
        connection: apsw.Connection,
        writer: Writer,
        reader: Reader,
        group_records_max: int,
    ) -> None:
        self._directory = directory
        self._queue = queue
        self._connection = connection
        self._writer = writer
        self._reader = reader
        self._group_records_max = group_records_max
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="theater-journal", daemon=True)
        self._thread.start()

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        failpoint: Failpoint | None = None,
        group_records_max: int = JOURNAL_GROUP_RECORDS_MAX,
        queue_records_max: int = JOURNAL_QUEUE_RECORDS_MAX,
        queue_bytes_max: int = JOURNAL_QUEUE_BYTES_MAX,
        vfs: str | None = None,
        files: FileLayer | None = None,
    ) -> SqliteJournal:
        """Open the journal in a data directory, making one if there is none.

        `failpoint` is called around every record, with `group_records_max` 1 each in a transaction
        of its own. `vfs` names a file layer of SQLite's, `files` is the one for large content.
        Raises Unavailable, Conflict or Denied for a directory that can't be used, IntegrityError
        for a database that is damaged, JournalFailed for one that can't be opened.
        """
        directory = DataDirectory.hold(path)
        connection: apsw.Connection | None = None
        try:
            connection = connect_writer(directory.database, vfs)
            content = ContentFiles(directory.content, SystemFiles() if files is None else files)
            mark = CommitMark.open(path, connection)
            writer = Writer(connection, content, mark, failpoint)
        except BaseException as error:
            if connection is not None:
                close_connection(connection)
            directory.release()
            if isinstance(error, (apsw.Error, OSError)):
                raise refusal(directory.database, error) from error
            raise
        queue = CommitQueue(
            failpoint=failpoint, records_max=queue_records_max, bytes_max=queue_bytes_max
        )
        reader = Reader(directory.database, vfs, content)
        return cls(directory, queue, connection, writer, reader, group_records_max)

    def append(self, record: Record) -> int:
        return self._queue.append(record)

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
        """Write what is queued, then close. Idempotent. On the writer's thread it only begins to."""
        self._queue.close()
        if threading.current_thread() is self._thread:
            return
        self._thread.join()
        with self._closing:
            if not self._closed:
                self._closed = True
                self._reader.close()
                close_connection(self._connection)
                self._directory.release()

    def actors(
        self, *, ended: bool = False, after: int = -1, limit: int = 1000
    ) -> Sequence[ActorRow]:
        return self._reader.actors(ended=ended, after=after, limit=limit)

    def actor(self, actor: str) -> ActorRow | None:
        return self._reader.actor(actor)

    def find_actors(self, text: str, limit: int = 10) -> Sequence[ActorRow]:
        return self._reader.find_actors(text, limit)

    def children(
        self, parent: str, *, before: int | None = None, limit: int = 100
    ) -> Sequence[ActorRow]:
        return self._reader.children(parent, before, limit)

    def next_number(self) -> int:
        return self._reader.next_number()

    def events(self, actor: str, start: int = 0, limit: int | None = None) -> Iterator[Event]:
        return self._reader.events(actor, start, limit)

    def tail(self, position: int = 0, limit: int | None = None) -> Iterator[tuple[int, str, Event]]:
        return self._reader.tail(position, limit)

    def tail_end(self) -> int:
        return self._reader.tail_end()

    def content(self, digest: bytes) -> tuple[bytes | None, bytes] | None:
        queued = self._queue.queued_content(digest)
        if queued is not None:
            return checked_content(digest, *queued)
        return self._reader.content(digest)

    def has_content(self, digest: bytes) -> bool:
        return self._queue.queued_content(digest) is not None or self._reader.has_content(digest)

    def messages(self, receiver: str | None = None, limit: int | None = None) -> Sequence[Message]:
        return self._reader.messages(receiver, limit)

    def message(self, message: str) -> Message | None:
        return self._reader.message(message)

    def living_messages(self) -> Sequence[Message]:
        return self._reader.living_messages()

    def unhandled(
        self,
        state: UnhandledState,
        receiver: str | None = None,
        *,
        after: int = 0,
        limit: int = 100,
    ) -> Sequence[Unhandled]:
        return self._reader.unhandled(state, receiver, after, limit)

    def unhandled_totals(self, state: UnhandledState) -> UnhandledTotals:
        return self._reader.unhandled_totals(state)

    def wait_row(self, wait: str) -> tuple[OpenWait, Answer | None] | None:
        return self._reader.wait_row(wait)

    def waits(self, actor: str | None = None) -> Sequence[tuple[OpenWait, Answer | None]]:
        return self._reader.waits(actor)

    def timers(self, actor: str | None = None) -> Sequence[Timer]:
        return self._reader.timers(actor)

    def channels(self) -> Sequence[Channel]:
        return self._reader.channels()

    def supervision(self) -> Sequence[SetSupervision]:
        return self._reader.supervision()

    def names(self) -> Mapping[str, str]:
        return self._reader.names()

    def key(self, key: str) -> KeptKey | None:
        queued = self._queue.queued_key(key)
        return queued(self._reader.key(key))

    def forget_keys(self, before_us: int) -> None:
        self.append((ForgetKeys(before_us),))

    def stores_of(self, owner: str) -> Sequence[str]:
        return self._reader.stores_of(owner)

    def store_image(self, store: str) -> StoreImage | None:
        self._queue.wait(self._queue.appended())
        return self._reader.store_image(store)

    def _run(self) -> None:
        queue = self._queue
        queue.serve(threading.get_ident())
        try:
            while group := queue.take(self._group_records_max):
                count, grown, conflict = self._writer.commit(group)
                if count:
                    queue.committed(group[:count], grown)
                if conflict is not None:
                    raise conflict
        except BaseException as error:  # noqa: BLE001 - what broke the writer is the failure
            queue.fail(error)
        queue.end()
