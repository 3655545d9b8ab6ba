"""Reading what is committed, from any thread, on connections of its own."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias, cast

import apsw
import msgspec

from theater.chain.event import Event
from theater.chain.tip import Tip
from theater.errors import IntegrityError, JournalFailed
from theater.journal.image import checked_content
from theater.journal.port import KeptKey, StoreImage, Unhandled, UnhandledTotals
from theater.journal.records import (
    ActorRow,
    ActorStatus,
    Answer,
    Channel,
    Message,
    MessageState,
    OpenWait,
    OriginKind,
    SetSupervision,
    Timer,
    TimerKind,
    UnhandledState,
)
from theater.journal.sqlite.files import ContentFiles
from theater.journal.sqlite.runs import HASH_BYTES, unpack
from theater.journal.sqlite.schema import (
    PLACE_SEQ_BITS,
    close_connection,
    connect_reader,
    place,
    place_seq,
)
from theater.journal.sqlite.trouble import told
from theater.limits import JOURNAL_READERS_MAX, MESSAGE_START_BYTES

RUNS_A_READ = 8
RUN_PLACE_BITS = 16
ID_PREFIX = re.compile(r"[ -~]+")

ACTORS = """SELECT id, name, parent, actors.number, status, component, manifest, manifest_length,
    grants, grants_length, manifest_path, started_at, deaths, engine, shutdown, ok, body, event_seq,
    event_hash, tips.seq, tips.at, tips.hash, tips.state, tips.state_length, tips.segment,
    tips.call, tips.now, stopped_by
    FROM actors JOIN tips USING (number)"""
ALIVE = "status NOT IN ('stopped', 'failed')"
MESSAGES = """SELECT id, receiver, kind, origin, sender, body, position, state, attempt, subject,
    deadline_us, trace, cause_seq, cause_hash, wait, key, reason FROM messages"""
LIVING = f"{MESSAGES} INDEXED BY messages_alive WHERE state NOT IN ('dead', 'aside')"
UNHANDLED = """SELECT unhandled.number, at_us, bytes, messages.id, messages.receiver, kind, origin,
    sender, substr(body, 1, ?), position, messages.state, attempt, subject, deadline_us, trace,
    cause_seq, cause_hash, wait, key, reason
    FROM unhandled JOIN messages ON messages.id = unhandled.message WHERE unhandled.state = ?"""
WAITS = """SELECT id, waits.actor, call, number, due_us, input_digest, meant.actor, ok, body,
    event_seq, event_hash FROM waits LEFT JOIN answers ON answers.wait = waits.id
    LEFT JOIN meant ON meant.wait = waits.id"""
TIMERS = "SELECT id, actor, kind, due_us, payload, span_us, cron, fired FROM timers"

_SUPERVISION = msgspec.json.Decoder(SetSupervision)

Row: TypeAlias = "tuple[apsw.SQLiteValue, ...]"


class Reader:
    """Reads on up to JOURNAL_READERS_MAX connections; who finds none free waits for one."""

    def __init__(self, path: Path, vfs: str | None, files: ContentFiles) -> None:
        self._path = path
        self._vfs = vfs
        self._files = files
        self._free: list[apsw.Connection] = []
        self._lock = threading.Lock()
        self._places = threading.Semaphore(JOURNAL_READERS_MAX)
        self._closed = False

    def close(self) -> None:
        """Close the connections; what is being read is read to its end first."""
        with self._lock:
            self._closed = True
            free, self._free = self._free, []
        for connection in free:
            close_connection(connection)

    @contextmanager
    def _connection(self) -> Iterator[apsw.Connection]:
        with self._places:
            with self._lock:
                if self._closed:
                    raise JournalFailed("the journal is closed", code="journal.closed")
                connection = self._free.pop() if self._free else None
            with told(self._path):
                if connection is None:
                    connection = connect_reader(self._path, self._vfs)
            try:
                with told(self._path):
                    yield connection
            finally:
                with self._lock:
                    keep = not self._closed
                    if keep:
                        self._free.append(connection)
                if not keep:
                    close_connection(connection)

    def _rows(self, sql: str, *bindings: apsw.SQLiteValue) -> list[Row]:
        with self._connection() as connection:
            return connection.execute(sql, bindings).fetchall()

    def _row(self, sql: str, *bindings: apsw.SQLiteValue) -> Row | None:
        rows = self._rows(sql, *bindings)
        return rows[0] if rows else None

    def actors(self, *, ended: bool, after: int, limit: int) -> Sequence[ActorRow]:
        which = "" if ended else f" AND {ALIVE}"
        sql = f"{ACTORS} WHERE actors.number > ?{which} ORDER BY actors.number LIMIT ?"
        return [_actor(row) for row in self._rows(sql, after, limit)]

    def actor(self, actor: str) -> ActorRow | None:
        row = self._row(f"{ACTORS} WHERE id = ?", actor)
        return None if row is None else _actor(row)

    def find_actors(self, text: str, limit: int) -> Sequence[ActorRow]:
        order = f"ORDER BY NOT ({ALIVE}), actors.number LIMIT ?"
        if not text:
            return [_actor(row) for row in self._rows(f"{ACTORS} {order}", limit)]
        if not ID_PREFIX.fullmatch(text):
            rows = self._rows(f"{ACTORS} WHERE name = ? {order}", text, limit)
            return [_actor(row) for row in rows]
        where = "WHERE (id >= ? AND id < ?) OR name = ?"
        beyond = text[:-1] + chr(ord(text[-1]) + 1)
        rows = self._rows(f"{ACTORS} {where} {order}", text, beyond, text, limit)
        return [_actor(row) for row in rows]

    def children(self, parent: str, before: int | None, limit: int) -> Sequence[ActorRow]:
        below = "AND actors.number < ?2" if before is not None else "AND ?2 IS NULL"
        sql = f"{ACTORS} WHERE parent = ?1 {below} ORDER BY actors.number DESC LIMIT ?3"
        return [_actor(row) for row in self._rows(sql, parent, before, limit)]

    def next_number(self) -> int:
        row = self._row("SELECT coalesce(max(number), -1) + 1 FROM actors")
        assert row is not None
        return cast(int, row[0])

    def events(self, actor: str, start: int, limit: int | None) -> Iterator[Event]:
        """Events from `start` to the chain's end as of the first one read."""
        row = self._row(
            "SELECT number, seq, hash FROM actors JOIN tips USING (number) WHERE id = ?", actor
        )
        if row is None:
            return
        number, last, head = cast(tuple[int, int, bytes], row)
        end = last + 1 if limit is None else min(last + 1, start + limit)
        seq = start
        parent: bytes | None = None
        while seq < end:
            runs = self._runs(number, seq, end)
            if not runs:
                raise _missing(actor, seq)
            for first, count, packed in runs:
                if not first <= seq < first + count:
                    raise _missing(actor, seq)
                for event in unpack(actor, first, count, packed):
                    if event.seq < seq:
                        continue
                    if event.seq >= end:
                        return
                    if parent not in (None, event.parent):
                        raise _missing(actor, seq)
                    if event.seq == last and event.hash != head:
                        raise IntegrityError(
                            f"the chain of actor {actor} does not end in its head",
                            actor=actor,
                            seq=last,
                        )
                    yield event
                    seq, parent = event.seq + 1, event.hash

    def _runs(self, number: int, seq: int, end: int) -> list[tuple[int, int, bytes]]:
        """The runs that hold events from `seq` on, a few at a time: first seq, count, bytes."""
        rows = self._rows(
            """SELECT place, count, events FROM runs
            WHERE place >= (SELECT max(place) FROM runs WHERE place BETWEEN ? AND ?) AND place < ?
            ORDER BY place LIMIT ?""",
            place(number, 0),
            place(number, seq),
            place(number, end),
            RUNS_A_READ,
        )
        runs = cast(list[tuple[int, int, bytes]], rows)
        return [(place_seq(at), count, packed) for at, count, packed in runs]

    def tail(self, position: int, limit: int | None) -> Iterator[tuple[int, str, Event]]:
        """Events of all chains in the order of their runs. A position is a run's id and a place in it."""
        left = -1 if limit is None else limit
        while left != 0:
            rows = self._rows(
                """SELECT runs.id, place, count, events, actors.id
                FROM runs JOIN actors ON actors.number = place >> ?
                WHERE runs.id >= ? ORDER BY runs.id LIMIT ?""",
                PLACE_SEQ_BITS,
                position >> RUN_PLACE_BITS,
                RUNS_A_READ,
            )
            before = position
            for run, at, count, packed, actor in cast(list[tuple[int, int, int, bytes, str]], rows):
                begin = run << RUN_PLACE_BITS
                first = place_seq(at)
                for event in unpack(actor, first, count, packed):
                    behind = begin + event.seq - first + 1
                    if behind <= position:
                        continue
                    position = behind
                    yield position, actor, event
                    left -= 1
                    if left == 0:
                        return
            if position == before:
                return

    def tail_end(self) -> int:
        row = self._row("SELECT coalesce(max(id), 0) FROM runs")
        assert row is not None
        return (cast(int, row[0]) + 1) << RUN_PLACE_BITS

    def content(self, digest: bytes) -> tuple[bytes | None, bytes] | None:
        row = self._row("SELECT salt, data FROM contents WHERE digest = ?", digest)
        if row is None:
            return None
        salt, data = cast(tuple[bytes | None, bytes | None], row)
        if data is None:
            data = self._files.read(digest)
        if data is None:
            raise IntegrityError(
                f"the file of content {digest.hex()} is gone from the data directory: put it back from "
                "a backup; a component comes back also with `theater start` of its manifest",
                digest=digest,
            )
        return checked_content(digest, salt, data)

    def has_content(self, digest: bytes) -> bool:
        row = self._row("SELECT length, data IS NULL FROM contents WHERE digest = ?", digest)
        if row is None:
            return False
        length, in_file = row
        return not in_file or self._files.size(digest) == length

    def messages(self, receiver: str | None, limit: int | None) -> Sequence[Message]:
        where = "WHERE receiver = ?1" if receiver is not None else "WHERE ?1 IS NULL"
        rows = self._rows(
            f"{MESSAGES} {where} ORDER BY position, id LIMIT ?2",
            receiver,
            -1 if limit is None else limit,
        )
        return [_message(row) for row in rows]

    def message(self, message: str) -> Message | None:
        row = self._row(f"{MESSAGES} WHERE id = ?", message)
        return None if row is None else _message(row)

    def living_messages(self) -> Sequence[Message]:
        return [_message(row) for row in self._rows(f"{LIVING} ORDER BY position, id")]

    def unhandled(
        self, state: UnhandledState, receiver: str | None, after: int, limit: int
    ) -> Sequence[Unhandled]:
        of = "" if receiver is None else " AND unhandled.receiver = ?"
        sql = f"{UNHANDLED}{of} AND unhandled.number > ? ORDER BY unhandled.number LIMIT ?"
        which = (state,) if receiver is None else (state, receiver)
        return [
            Unhandled(*cast(tuple[int, int | None, int], row[:3]), _message(row[3:]))
            for row in self._rows(sql, MESSAGE_START_BYTES, *which, after, limit)
        ]

    def unhandled_totals(self, state: UnhandledState) -> UnhandledTotals:
        row = self._row("SELECT count, bytes, dropped FROM unhandled_totals WHERE state = ?", state)
        assert row is not None
        return UnhandledTotals(*cast(tuple[int, int, int], row))

    def wait_row(self, wait: str) -> tuple[OpenWait, Answer | None] | None:
        row = self._row(f"{WAITS} WHERE id = ?", wait)
        return None if row is None else _wait(row)

    def waits(self, actor: str | None) -> Sequence[tuple[OpenWait, Answer | None]]:
        where = "WHERE waits.actor = ?1" if actor is not None else "WHERE ?1 IS NULL"
        return [_wait(row) for row in self._rows(f"{WAITS} {where} ORDER BY id", actor)]

    def timers(self, actor: str | None) -> Sequence[Timer]:
        where = "WHERE actor = ?1" if actor is not None else "WHERE ?1 IS NULL"
        rows = self._rows(f"{TIMERS} {where} ORDER BY due_us, id", actor)
        return [
            Timer(*cast(tuple[str, str, TimerKind, int, bytes, int, str, int], row)) for row in rows
        ]

    def channels(self) -> Sequence[Channel]:
        rows = self._rows("SELECT id, opener, acceptor FROM channels ORDER BY id")
        return [Channel(*cast(tuple[str, str | None, str], row)) for row in rows]

    def supervision(self) -> Sequence[SetSupervision]:
        rows = self._rows("SELECT kept FROM supervision ORDER BY supervisor")
        return [_SUPERVISION.decode(cast(str, row[0])) for row in rows]

    def names(self) -> Mapping[str, str]:
        return dict(cast(list[tuple[str, str]], self._rows("SELECT name, actor FROM names")))

    def key(self, key: str) -> KeptKey | None:
        row = self._row(
            "SELECT message, at_us, ok, body, event_seq, event_hash FROM keys WHERE key = ?", key
        )
        if row is None:
            return None
        message, at_us = cast(tuple[str, int], row[:2])
        return KeptKey(message, at_us, _answer(row[2:]))

    def stores_of(self, owner: str) -> Sequence[str]:
        rows = self._rows("SELECT id FROM stores WHERE owner = ? ORDER BY id", owner)
        return [cast(str, row[0]) for row in rows]

    def store_image(self, store: str) -> StoreImage | None:
        with self._connection() as connection, connection:
            owners = connection.execute(
                "SELECT owner FROM stores WHERE id = ?", (store,)
            ).fetchall()
            if not owners:
                return None
            contents = connection.execute(
                "SELECT digest, length FROM store_contents WHERE store = ?", (store,)
            ).fetchall()
            labels = connection.execute(
                "SELECT label, digests FROM labels WHERE store = ?", (store,)
            ).fetchall()
        return StoreImage(
            cast(str, owners[0][0]),
            dict(cast(list[tuple[bytes, int]], contents)),
            {
                label: tuple(
                    digests[at : at + HASH_BYTES] for at in range(0, len(digests), HASH_BYTES)
                )
                for label, digests in cast(list[tuple[str, bytes]], labels)
            },
        )


def _missing(actor: str, seq: int) -> IntegrityError:
    return IntegrityError(f"event {seq} of actor {actor} is missing", actor=actor, seq=seq)


def _answer(columns: Row) -> Answer | None:
    ok, body, seq, hash_ = cast(tuple[int | None, bytes, int | None, bytes | None], columns)
    if ok is None:
        return None
    return Answer(bool(ok), body, None if seq is None or hash_ is None else (seq, hash_))


def _actor(row: Row) -> ActorRow:
    id_, name, parent, number, status, component = cast(
        tuple[str, str, str | None, int, ActorStatus, bytes], row[:6]
    )
    manifest, manifest_length, grants, grants_length = cast(
        tuple[bytes, int, bytes, int], row[6:10]
    )
    path, started_at, deaths, engine, shutdown = cast(tuple[str, int, int, bytes, int], row[10:15])
    return ActorRow(
        id=id_,
        name=name,
        parent=parent,
        number=number,
        status=status,
        component=component,
        manifest=(manifest, manifest_length),
        grants=(grants, grants_length),
        manifest_path=path,
        started_at=started_at,
        tip=_tip(row[19:27]),
        deaths=deaths,
        engine=engine,
        shutdown=bool(shutdown),
        outcome=_answer(row[15:19]),
        stopped_by=cast("str | None", row[27]),
    )


def _tip(columns: Row) -> Tip:
    seq, at, hash_, state, length, segment, call, now = cast(
        tuple[int, int, bytes, bytes | None, int | None, int | None, int | None, int], columns
    )
    ref = None if state is None or length is None else (state, length)
    return Tip(seq=seq, at=at, hash=hash_, state=ref, segment=segment, call=call, now=now)


def _message(row: Row) -> Message:
    id_, receiver, kind, origin, sender, body, position, state, attempt = cast(
        tuple[str, str, str, OriginKind, str, bytes, int, MessageState, int], row[:9]
    )
    subject, deadline_us, trace, cause_seq, cause_hash, wait, key, reason = cast(
        tuple[
            *tuple[str | None, int | None, str | None, int | None, bytes | None],
            *tuple[str | None, str | None, str | None],
        ],
        row[9:],
    )
    return Message(
        id=id_,
        receiver=receiver,
        kind=kind,
        origin=origin,
        sender=sender,
        body=body,
        position=position,
        state=state,
        attempt=attempt,
        subject=subject,
        deadline_us=deadline_us,
        trace=trace,
        cause=None if cause_seq is None or cause_hash is None else (cause_seq, cause_hash),
        wait=wait,
        key=key,
        reason=reason,
    )


def _wait(row: Row) -> tuple[OpenWait, Answer | None]:
    wait = OpenWait(*cast(tuple[str, str, int, int, int, bytes, str | None], row[:7]))
    return wait, _answer(row[7:])
