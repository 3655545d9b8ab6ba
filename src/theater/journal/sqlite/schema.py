"""The tables, and how connections to them are made.

Chains are in `runs`: rows in the order of writing, found by `place`, which holds the actor's number
and the seq of the run's first event in one integer. What changes with every call is in `tips`, so
that the wide rows of `actors` are written when an actor starts and ends only. `unhandled` has a row
for each dead letter and each message that was set aside, in the order in which they came to be so;
triggers take it away with the message and keep the sums, so that nobody has to count. A row of
`supervision` is one small document, because nobody asks for a part of it. `meant` has the actor that a
wait's registered name stood for.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

import apsw

from theater.errors import Conflict
from theater.journal.sqlite.directory import FORMAT

PLACE_SEQ_BITS: Final = 36
CHECKPOINT_PAGES: Final = 4_000
WAL_BYTES_KEPT: Final = 64 * 1024 * 1024
CACHE_KIB: Final = 16_000
BUSY_MS: Final = 10_000

TABLES: Final = """
CREATE TABLE IF NOT EXISTS actors (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    parent TEXT,
    status TEXT NOT NULL,
    component BLOB NOT NULL,
    manifest BLOB NOT NULL, manifest_length INTEGER NOT NULL,
    grants BLOB NOT NULL, grants_length INTEGER NOT NULL,
    manifest_path TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    deaths INTEGER NOT NULL,
    engine BLOB NOT NULL,
    shutdown INTEGER NOT NULL,
    ok INTEGER, body BLOB, event_seq INTEGER, event_hash BLOB,
    stopped_by TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS actors_by_name ON actors (name);
CREATE INDEX IF NOT EXISTS actors_by_parent ON actors (parent, number) WHERE parent IS NOT NULL;
CREATE INDEX IF NOT EXISTS actors_alive ON actors (number) WHERE status NOT IN ('stopped', 'failed');

CREATE TABLE IF NOT EXISTS tips (
    number INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL, at INTEGER NOT NULL, hash BLOB NOT NULL,
    state BLOB, state_length INTEGER, segment INTEGER, call INTEGER, now INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY,
    place INTEGER NOT NULL,
    count INTEGER NOT NULL,
    events BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS runs_by_place ON runs (place);

CREATE TABLE IF NOT EXISTS contents (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    salt BLOB,
    length INTEGER NOT NULL,
    data BLOB
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS contents_by_digest ON contents (digest);

CREATE TABLE IF NOT EXISTS messages (
    id TEXT NOT NULL PRIMARY KEY,
    receiver TEXT NOT NULL, kind TEXT NOT NULL, origin TEXT NOT NULL, sender TEXT NOT NULL,
    body BLOB NOT NULL, position INTEGER NOT NULL, state TEXT NOT NULL, attempt INTEGER NOT NULL,
    subject TEXT, deadline_us INTEGER, trace TEXT, cause_seq INTEGER, cause_hash BLOB,
    wait TEXT, key TEXT, reason TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS messages_by_receiver ON messages (receiver, position);
CREATE INDEX IF NOT EXISTS messages_alive ON messages (position)
    WHERE state NOT IN ('dead', 'aside');

CREATE TABLE IF NOT EXISTS unhandled (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    message TEXT NOT NULL UNIQUE,
    receiver TEXT NOT NULL, state TEXT NOT NULL, bytes INTEGER NOT NULL, at_us INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS unhandled_by_state ON unhandled (state, number);
CREATE INDEX IF NOT EXISTS unhandled_by_receiver ON unhandled (state, receiver, number);
CREATE TABLE IF NOT EXISTS unhandled_totals (
    state TEXT NOT NULL PRIMARY KEY,
    count INTEGER NOT NULL, bytes INTEGER NOT NULL, dropped INTEGER NOT NULL
) STRICT;
INSERT OR IGNORE INTO unhandled_totals VALUES ('dead', 0, 0, 0), ('aside', 0, 0, 0);
CREATE TRIGGER IF NOT EXISTS unhandled_more AFTER INSERT ON unhandled BEGIN
    UPDATE unhandled_totals SET count = count + 1, bytes = bytes + new.bytes
    WHERE state = new.state;
END;
CREATE TRIGGER IF NOT EXISTS unhandled_fewer AFTER DELETE ON unhandled BEGIN
    UPDATE unhandled_totals SET count = count - 1, bytes = bytes - old.bytes
    WHERE state = old.state;
END;
CREATE TRIGGER IF NOT EXISTS messages_gone AFTER DELETE ON messages
WHEN old.state IN ('dead', 'aside') BEGIN
    DELETE FROM unhandled WHERE message = old.id;
END;
CREATE TRIGGER IF NOT EXISTS messages_back AFTER UPDATE OF state ON messages
WHEN old.state IN ('dead', 'aside') BEGIN
    DELETE FROM unhandled WHERE message = old.id;
END;

CREATE TABLE IF NOT EXISTS waits (
    id TEXT NOT NULL PRIMARY KEY,
    actor TEXT NOT NULL, call INTEGER NOT NULL, number INTEGER NOT NULL,
    due_us INTEGER NOT NULL, input_digest BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (
    wait TEXT NOT NULL PRIMARY KEY,
    ok INTEGER NOT NULL, body BLOB NOT NULL, event_seq INTEGER, event_hash BLOB
) STRICT;

CREATE TABLE IF NOT EXISTS timers (
    id TEXT NOT NULL PRIMARY KEY,
    actor TEXT NOT NULL, kind TEXT NOT NULL, due_us INTEGER NOT NULL, payload BLOB NOT NULL,
    span_us INTEGER NOT NULL, cron TEXT NOT NULL, fired INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS channels (
    id TEXT NOT NULL PRIMARY KEY, opener TEXT, acceptor TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS meant (
    wait TEXT NOT NULL PRIMARY KEY, actor TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS names (
    name TEXT NOT NULL PRIMARY KEY, actor TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS commits (
    one INTEGER PRIMARY KEY, number INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS keys (
    key TEXT NOT NULL PRIMARY KEY,
    message TEXT NOT NULL, at_us INTEGER NOT NULL,
    ok INTEGER, body BLOB, event_seq INTEGER, event_hash BLOB
) STRICT;
CREATE INDEX IF NOT EXISTS keys_by_age ON keys (at_us);

CREATE TABLE IF NOT EXISTS stores (
    id TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS stores_by_owner ON stores (owner);
CREATE TABLE IF NOT EXISTS store_contents (
    store TEXT NOT NULL, digest BLOB NOT NULL, length INTEGER NOT NULL, PRIMARY KEY (store, digest)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS labels (
    store TEXT NOT NULL, label TEXT NOT NULL, digests BLOB NOT NULL, PRIMARY KEY (store, label)
) STRICT;

CREATE TABLE IF NOT EXISTS supervision (
    supervisor TEXT NOT NULL PRIMARY KEY, kept TEXT NOT NULL
) STRICT;
"""

ADDED: Final = (("actors", "stopped_by", "TEXT"),)
"""Columns that tables of earlier versions lack. All of them may be null."""

LAY_DOWN: Final = """INSERT INTO unhandled (message, receiver, state, bytes, at_us)
    SELECT id, receiver, state, length(body), unixepoch() * 1000000 FROM messages
    WHERE state IN ('dead', 'aside') ORDER BY position, id"""
"""What the table is filled with where it was not there: a directory of an earlier version, which
kept no times. Their age counts from now on."""


def place(number: int, seq: int) -> int:
    """Return where an event stands: its actor's number and its seq in one integer."""
    return number << PLACE_SEQ_BITS | seq


def place_seq(place: int) -> int:
    return place & ((1 << PLACE_SEQ_BITS) - 1)


def connect_writer(path: Path, vfs: str | None) -> apsw.Connection:
    """Return the writer's connection, with all tables made."""
    connection = _connect(path, vfs)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_KEPT}")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    version = connection.pragma("user_version")
    if version > FORMAT:
        raise Conflict(
            f"the journal {path} is of format {version}, this version knows up to {FORMAT}: use the "
            "newer version that wrote it",
            code="data.format",
            path=str(path),
            format=version,
        )
    # So that a row that is replaced is seen to go by the triggers.
    connection.execute("PRAGMA recursive_triggers = ON")
    connection.execute("BEGIN IMMEDIATE")
    try:
        known = connection.execute(
            "SELECT 1 FROM sqlite_master WHERE name = 'unhandled'"
        ).fetchall()
        connection.execute(TABLES)
        _add_columns(connection)
        if not known:
            connection.execute(LAY_DOWN)
        connection.execute("COMMIT")
    except BaseException:
        # Where the disk is full SQLite has rolled back already; that it has is not the error.
        with suppress(apsw.Error):
            connection.execute("ROLLBACK")
        raise
    return connection


def _add_columns(connection: apsw.Connection) -> None:
    for table, column, kind in ADDED:
        there = connection.execute(
            "SELECT 1 FROM pragma_table_info(?) WHERE name = ?", (table, column)
        ).fetchall()
        if not there:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")


def connect_reader(path: Path, vfs: str | None) -> apsw.Connection:
    """Return a connection that can't write."""
    connection = _connect(path, vfs)
    connection.execute("PRAGMA query_only = ON")
    return connection


def close_connection(connection: apsw.Connection) -> None:
    """Close a connection. What is committed is safe whether or not the closing checkpoint succeeds."""
    with suppress(apsw.Error):
        connection.close()


def _connect(path: Path, vfs: str | None) -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    connection = apsw.Connection(str(path), flags=flags, vfs=vfs, statementcachesize=200)
    connection.set_busy_timeout(BUSY_MS)
    return connection
