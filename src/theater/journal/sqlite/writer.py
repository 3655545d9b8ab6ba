"""The one thread's hand that writes: it turns groups of records into transactions."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import apsw
import msgspec

from theater.chain.tip import Tip
from theater.errors import Conflict
from theater.journal.image import check, check_event
from theater.journal.port import Failpoint
from theater.journal.queue import Entry
from theater.journal.records import ActorRow, Answer, Append, CreateActor, Message, Record
from theater.journal.sqlite.files import ContentFiles
from theater.journal.sqlite.group import Group
from theater.journal.sqlite.mark import CommitMark
from theater.journal.sqlite.runs import pack
from theater.journal.sqlite.schema import place
from theater.journal.sqlite.statements import from_list, insert, with_list
from theater.limits import CONTENT_ROW_BYTES_MAX

HEADS_MAX = 100_000
NEW_ACTORS = """INSERT INTO actors (number, id, name, parent, status, component, manifest,
    manifest_length, grants, grants_length, manifest_path, started_at, deaths, engine, shutdown,
    ok, body, event_seq, event_hash, stopped_by)"""
"""How many chains' ends the writer remembers; it forgets all of them beyond, and looks again."""


class Head:
    """Where an actor's chain ends, as far as it is queued."""

    __slots__ = ("at", "number")

    def __init__(self, number: int, at: tuple[int, bytes]) -> None:
        self.number = number
        self.at = at


class Writer:
    """Commits groups. Used by one thread."""

    def __init__(
        self,
        connection: apsw.Connection,
        files: ContentFiles,
        mark: CommitMark,
        failpoint: Failpoint | None,
    ) -> None:
        self._connection = connection
        self._mark = mark
        self._files = files
        self._failpoint = failpoint
        self._heads: dict[str, Head] = {}
        self._open_waits = {
            str(row[0]) for row in connection.execute("SELECT id FROM waits").fetchall()
        }

    def commit(self, entries: Sequence[Entry]) -> tuple[int, dict[str, int], Conflict | None]:
        """Make entries durable up to the first Conflict.

        Returns how many, the last seq of each chain that grew, and the Conflict.
        """
        group = Group(self._open_waits)
        conflict: Conflict | None = None
        count = 0
        if len(self._heads) > HEADS_MAX:
            self._heads.clear()
        for _, record, _ in entries:
            try:
                self._add(group, record)
            except Conflict as error:
                conflict = error
                break
            count += 1
        if count:
            self._write(group, [number for number, _, _ in entries[:count]])
        grown = {actor: events[-1].seq for actor, events in group.events.items()}
        return count, grown, conflict

    def _add(self, group: Group, record: Record) -> None:
        # Nothing of a record may be taken in before all of it has been checked. Nearly every record
        # has one event at most, and makes no actor: that is one look at one chain's end.
        event: Append | None = None
        for step in record:
            kind = type(step)
            if (kind is Append and event is not None) or kind is CreateActor:
                check(record, self._head)
                break
            if isinstance(step, Append):
                event = step
        else:
            if event is not None:
                check_event(event, self._head(event.actor))
        for step in record:
            if isinstance(step, Append):
                self._heads[step.actor].at = (step.event.seq, step.event.hash)
            elif isinstance(step, CreateActor):
                row = step.row
                self._heads[row.id] = Head(row.number, (row.tip.seq, row.tip.hash))
            group.add(step)

    def _head(self, actor: str) -> tuple[int, bytes] | None:
        head = self._heads.get(actor) or self._look_up(actor)
        return None if head is None else head.at

    def _look_up(self, actor: str) -> Head | None:
        row = self._connection.execute(
            "SELECT number, seq, hash FROM actors JOIN tips USING (number) WHERE id = ?", (actor,)
        ).fetchone()
        if row is None:
            return None
        head = self._heads[actor] = Head(row[0], (row[1], row[2]))
        return head

    def _write(self, group: Group, numbers: Sequence[int]) -> None:
        connection = self._connection
        self._write_files(group)
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._write_contents(group)
            self._write_chains(group)
            self._write_messages(group)
            self._write_waits(group)
            self._write_timers(group)
            self._write_channels(group)
            self._write_names(group)
            self._write_keys(group)
            self._write_stores(group)
            self._write_supervision(group)
            self._mark.count()
            self._pass("written", numbers)
            connection.execute("COMMIT")
        except BaseException:
            with suppress(apsw.Error):
                connection.execute("ROLLBACK")
            raise
        self._mark.committed()
        self._open_waits -= group.waits_gone
        self._open_waits |= group.waits.keys()
        self._pass("committed", numbers)

    def _pass(self, point: str, numbers: Sequence[int]) -> None:
        if self._failpoint is not None:
            for number in numbers:
                self._failpoint(point, number)

    def _write_files(self, group: Group) -> None:
        for keep in group.contents.values():
            if len(keep.data) > CONTENT_ROW_BYTES_MAX and not self._is_kept(
                keep.digest, len(keep.data)
            ):
                self._files.write(keep.digest, keep.data)

    def _is_kept(self, digest: bytes, length: int) -> bool:
        """Whether the file of content is there: one that was lost is written again."""
        found = self._connection.execute("SELECT 1 FROM contents WHERE digest = ?", (digest,))
        return found.fetchone() is not None and self._files.size(digest) == length

    def _write_contents(self, group: Group) -> None:
        rows = [
            (
                keep.digest,
                keep.salt,
                len(keep.data),
                keep.data if len(keep.data) <= CONTENT_ROW_BYTES_MAX else None,
            )
            for keep in group.contents.values()
        ]
        head = "INSERT OR IGNORE INTO contents (digest, salt, length, data)"
        insert(self._connection, head, rows)

    def _write_chains(self, group: Group) -> None:
        connection = self._connection
        heads = self._heads
        insert(connection, NEW_ACTORS, [_actor(row) for row in group.created.values()])
        for step in group.changed.values():
            outcome = _answer(step.outcome)
            connection.execute(
                """UPDATE actors SET status = coalesce(?, status), deaths = coalesce(?, deaths),
                engine = coalesce(?, engine), shutdown = coalesce(?, shutdown),
                component = coalesce(?, component), stopped_by = coalesce(?, stopped_by)
                WHERE id = ?""",
                (
                    *(step.status, step.deaths, step.engine, step.shutdown),
                    *(step.component, step.stopped_by, step.actor),
                ),
            )
            if step.outcome is not None:
                connection.execute(
                    "UPDATE actors SET ok = ?, body = ?, event_seq = ?, event_hash = ? WHERE id = ?",
                    (*outcome, step.actor),
                )
        runs = [
            (place(heads[actor].number, first), count, packed)
            for actor, events in group.events.items()
            for first, count, packed in pack(events)
        ]
        insert(connection, "INSERT INTO runs (place, count, events)", runs)
        tips = [_tip(heads[actor].number, tip) for actor, tip in group.tips.items()]
        insert(connection, "INSERT OR REPLACE INTO tips", tips)

    def _write_messages(self, group: Group) -> None:
        connection = self._connection
        with_list(connection, "DELETE FROM messages WHERE id IN", list(group.messages_gone))
        rows = [_message(message) for message in group.written_messages()]
        insert(connection, "INSERT OR REPLACE INTO messages", rows)
        for fate, ids in group.fates_elsewhere().items():
            with_list(
                connection,
                """UPDATE messages SET state = ?, reason = CASE WHEN ? THEN ? ELSE reason END,
                attempt = coalesce(?, attempt) WHERE id IN""",
                ids,
                (fate.state, fate.settled, fate.reason, fate.attempt),
            )
        self._write_unhandled(group)

    def _write_unhandled(self, group: Group) -> None:
        """Lay down what became a dead letter or was set aside, in that order, if it is there at all."""
        rows = [(place, *left) for place, left in enumerate(group.unhandled.items())]
        from_list(
            self._connection,
            "WITH laid (place, id, at_us) AS",
            rows,
            """INSERT INTO unhandled (message, receiver, state, bytes, at_us)
            SELECT messages.id, receiver, state, length(body), at_us
            FROM laid CROSS JOIN messages ON messages.id = laid.id ORDER BY place""",
        )
        for state, count in group.dropped.items():
            self._connection.execute(
                "UPDATE unhandled_totals SET dropped = dropped + ? WHERE state = ?", (count, state)
            )

    def _write_waits(self, group: Group) -> None:
        connection = self._connection
        gone = list(group.waits_gone)
        with_list(connection, "DELETE FROM waits WHERE id IN", gone)
        with_list(connection, "DELETE FROM answers WHERE wait IN", gone)
        with_list(connection, "DELETE FROM meant WHERE wait IN", gone)
        waits = [
            (wait.id, wait.actor, wait.call, wait.number, wait.due_us, wait.input_digest)
            for wait in group.waits.values()
        ]
        insert(connection, "INSERT INTO waits", waits)
        meant = [(wait.id, wait.meant) for wait in group.waits.values() if wait.meant is not None]
        insert(connection, "INSERT OR REPLACE INTO meant", meant)
        answers = [(wait, *_answer(answer)) for wait, answer in group.answers.items()]
        insert(connection, "INSERT OR IGNORE INTO answers", answers)

    def _write_timers(self, group: Group) -> None:
        connection = self._connection
        with_list(connection, "DELETE FROM timers WHERE id IN", list(group.timers_gone))
        rows = [
            (
                *(timer.id, timer.actor, timer.kind, timer.due_us, timer.payload),
                *(timer.span_us, timer.cron, timer.fired),
            )
            for timer in group.timers.values()
        ]
        insert(connection, "INSERT OR REPLACE INTO timers", rows)
        for id_, (due_us, times) in group.timers_fired.items():
            connection.execute(
                "UPDATE timers SET due_us = ?, fired = fired + ? WHERE id = ?",
                (due_us, times, id_),
            )

    def _write_channels(self, group: Group) -> None:
        connection = self._connection
        with_list(connection, "DELETE FROM channels WHERE id IN", list(group.channels_gone))
        rows = [(each.id, each.opener, each.acceptor) for each in group.channels.values()]
        insert(connection, "INSERT OR REPLACE INTO channels", rows)

    def _write_names(self, group: Group) -> None:
        gone = [name for name, actor in group.names.items() if actor is None]
        with_list(self._connection, "DELETE FROM names WHERE name IN", gone)
        held = [(name, actor) for name, actor in group.names.items() if actor is not None]
        insert(self._connection, "INSERT OR REPLACE INTO names", held)

    def _write_keys(self, group: Group) -> None:
        connection = self._connection
        if group.keys_before_us is not None:
            connection.execute("DELETE FROM keys WHERE at_us < ?", (group.keys_before_us,))
        with_list(connection, "DELETE FROM keys WHERE key IN", list(group.keys_gone))
        rows = [
            (key, step.message, step.at_us, *_answer(group.key_answers.get(key)))
            for key, step in group.keys.items()
        ]
        insert(connection, "INSERT OR REPLACE INTO keys", rows)
        for key, answer in group.key_answers.items():
            if key not in group.keys:
                connection.execute(
                    """UPDATE keys SET ok = ?, body = ?, event_seq = ?, event_hash = ?
                    WHERE key = ? AND ok IS NULL""",
                    (*_answer(answer), key),
                )

    def _write_stores(self, group: Group) -> None:
        connection = self._connection
        insert(connection, "INSERT OR IGNORE INTO stores", list(group.stores.items()))
        contents = [(*key, length) for key, length in group.store_contents.items()]
        insert(connection, "INSERT OR IGNORE INTO store_contents", contents)
        kept = [(*key, b"".join(digests)) for key, digests in group.labels.items() if digests]
        insert(connection, "INSERT OR REPLACE INTO labels", kept)
        for (store, label), digests in group.labels.items():
            if not digests:
                connection.execute(
                    "DELETE FROM labels WHERE store = ? AND label = ?", (store, label)
                )

    def _write_supervision(self, group: Group) -> None:
        connection = self._connection
        gone = [each.supervisor for each in group.supervision.values() if each.is_empty]
        with_list(connection, "DELETE FROM supervision WHERE supervisor IN", gone)
        kept = [
            (each.supervisor, msgspec.json.encode(each).decode())
            for each in group.supervision.values()
            if not each.is_empty
        ]
        insert(connection, "INSERT OR REPLACE INTO supervision", kept)


def _answer(answer: Answer | None) -> tuple[bool | None, bytes | None, int | None, bytes | None]:
    if answer is None:
        return None, None, None, None
    return answer.ok, answer.body, *(answer.event or (None, None))


def _actor(row: ActorRow) -> tuple[apsw.SQLiteValue, ...]:
    return (
        *(row.number, row.id, row.name, row.parent, row.status, row.component),
        *(*row.manifest, *row.grants, row.manifest_path, row.started_at),
        *(row.deaths, row.engine, row.shutdown),
        *_answer(row.outcome),
        row.stopped_by,
    )


def _tip(number: int, tip: Tip) -> tuple[apsw.SQLiteValue, ...]:
    state = tip.state or (None, None)
    return number, tip.seq, tip.at, tip.hash, *state, tip.segment, tip.call, tip.now


def _message(message: Message) -> tuple[apsw.SQLiteValue, ...]:
    cause = message.cause or (None, None)
    return (
        *(message.id, message.receiver, message.kind, message.origin, message.sender, message.body),
        *(message.position, message.state, message.attempt, message.subject, message.deadline_us),
        *(message.trace, *cause, message.wait, message.key, message.reason),
    )
