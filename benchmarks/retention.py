"""A data directory with a long past: opening it, listing, appending to it, and who waits for its checkpoints."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import apsw

from benchmarks.journal import Chains
from benchmarks.measure import Figure, Reading, Readings, Size, Stopwatch, benchmark
from benchmarks.references import ROW
from benchmarks.stage import directory
from theater.journal.sqlite import SqliteJournal
from theater.journal.sqlite.directory import DATABASE, FORMAT
from theater.journal.sqlite.schema import CHECKPOINT_PAGES

EVENTS = 1_000_000
ACTORS = 1_000
PAGE = ROW * 26
"""About as much as a page of SQLite holds."""
TOGETHER = 20
"""How many events are waited for at once, where waiting is measured."""


@benchmark(
    "retention.long",
    Figure(
        "open",
        "journal with 1,000,000 events of 1,000 actors: opened, actors listed",
        "ms",
        "less",
        "the same with a hundredth of the events",
    ),
    Figure(
        "append",
        "events journaled there, 1,000 actors in turn",
        "/s",
        "more",
        "the same with a hundredth of the events",
    ),
    Figure(
        "stall",
        "there, longest wait of twenty events for the disk, checkpoints included",
        "ms",
        "less",
        "bare SQLite, one row replaced at random in each of twenty places, in a file as large",
        target=50,
    ),
    runs=1,
)
@contextmanager
def long(size: Size) -> Iterator[Callable[[], Readings]]:
    events, actors = size.of(EVENTS, 2_000), size.of(ACTORS, 20)
    count, waits = size.of(20_000, 200), size.of(400, 20)
    with directory(size) as folder:
        shutil.copytree(_kept(size, events, actors), folder / "long")
        shutil.copytree(_kept(size, events // 100, actors), folder / "short")
        large = (folder / "long" / DATABASE).stat().st_size
        _fill(folder / "bare", large)

        def measure() -> Readings:
            opened, shortly = _opened(folder / "long"), _opened(folder / "short")
            journaled, quickly = (
                _appended(folder / "long", count),
                _appended(folder / "short", count),
            )
            return {
                "open": (opened, shortly),
                "append": (journaled, quickly),
                "stall": (_longest(folder / "long", waits), _bare_longest(folder / "bare", waits)),
            }

        yield measure


def _kept(size: Size, events: int, actors: int) -> Path:
    """A data directory with so many events, made once below the cache."""
    kept = size.cache / f"retention-{FORMAT}-{events}-{actors}"
    if not kept.exists():
        part = kept.with_suffix(f".{os.getpid()}")
        journal = SqliteJournal.open(part)
        Chains(journal, actors).grow(events)
        journal.close()
        part.rename(kept)
    return kept


def _opened(data_dir: Path) -> Reading:
    with Stopwatch(1) as watch:
        journal = SqliteJournal.open(data_dir)
        assert journal.actors()
    journal.close()
    return watch.each("ms")


def _appended(data_dir: Path, count: int) -> Reading:
    journal = SqliteJournal.open(data_dir)
    try:
        chains = Chains.found(journal)
        with Stopwatch(count) as watch:
            chains.grow(count)
        return watch.rate()
    finally:
        journal.close()


def _longest(data_dir: Path, waits: int) -> Reading:
    journal = SqliteJournal.open(data_dir)
    try:
        chains, longest = Chains.found(journal), 0.0
        with Stopwatch(waits) as watch:
            for _ in range(waits):
                began = perf_counter()
                chains.grow(TOGETHER)
                longest = max(longest, perf_counter() - began)
        return Reading(1e3 * longest, watch.cpu_us)
    finally:
        journal.close()


def _fill(file: Path, bytes_: int) -> None:
    connection = apsw.Connection(str(file))
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, data BLOB)")
    with connection:
        connection.executemany(
            "INSERT INTO row (data) VALUES (?)", ((PAGE,) for _ in range(bytes_ // len(PAGE)))
        )
    connection.close()


def _bare_longest(file: Path, waits: int) -> Reading:
    connection = apsw.Connection(str(file))
    connection.execute("PRAGMA synchronous = full")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    (rows,) = connection.execute("SELECT max(id) FROM row").fetchone() or (0,)
    chance, longest = random.Random(1), 0.0
    try:
        with Stopwatch(waits) as watch:
            for _ in range(waits):
                began = perf_counter()
                with connection:
                    connection.executemany(
                        "REPLACE INTO row (id, data) VALUES (?, ?)",
                        [(chance.randint(1, rows), PAGE) for _ in range(TOGETHER)],
                    )
                longest = max(longest, perf_counter() - began)
        return Reading(1e3 * longest, watch.cpu_us)
    finally:
        connection.close()
