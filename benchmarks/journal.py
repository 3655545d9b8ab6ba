"""The journal: events a second that one thread makes and the journal's thread writes, in groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.measure import Figure, Prepared, Reading, Readings, Size, Stopwatch, benchmark
from benchmarks.references import EVENT_TYPE, ROW, sqlite_events, sqlite_rows
from benchmarks.stage import directory
from theater.chain.event import make_event
from theater.chain.tip import Tip
from theater.journal.records import ActorRow, Append, CreateActor
from theater.journal.sqlite import SqliteJournal

TARGET = 60_000


class Chains:
    """Chains that grow in turn, with the runtime's own records."""

    def __init__(self, journal: SqliteJournal, count: int) -> None:
        self._journal = journal
        self._grown = 0
        ref = bytes(32), 0
        rows = [
            ActorRow(f"actor-{n}", "a", None, n, "running", bytes(32), ref, ref, "", 0)
            for n in range(count)
        ]
        for row in rows:
            journal.append((CreateActor(row),))
        self._tips = {row.id: row.tip for row in rows}
        journal.wait(journal.appended())

    @classmethod
    def found(cls, journal: SqliteJournal) -> Chains:
        """Those that a journal has already."""
        chains = cls(journal, 0)
        chains._tips = {row.id: row.tip for row in journal.actors()}
        return chains

    def grow(self, count: int) -> None:
        """Append events and return when they are on disk."""
        journal, tips = self._journal, self._tips
        names = list(tips)
        for number in range(count):
            actor = names[(self._grown + number) % len(names)]
            tip = tips[actor]
            event = make_event(tip.seq + 1, tip.at + 1, tip.hash, EVENT_TYPE, ROW)
            tips[actor] = after = Tip(event.seq, event.at, event.hash)
            journal.append((Append(actor, event, after),))
        self._grown += count
        journal.wait(journal.appended())


def _figure(actors: int) -> Figure:
    named = "one actor" if actors == 1 else f"{actors:,} actors in turn"
    return Figure(
        "rate",
        f"events made and journaled, {named}",
        "/s",
        "more",
        "events made, rows of bare SQLite written by a thread (WAL, FULL, 1,000 a commit)",
        target=TARGET,
    )


@contextmanager
def _journaled(size: Size, actors: int) -> Iterator[Callable[[], Readings]]:
    count = size.of(30_000, 300)
    with directory(size) as folder:
        journal = SqliteJournal.open(folder / "data")
        try:
            chains = Chains(journal, min(actors, count))

            def measure() -> Readings:
                with Stopwatch(count) as watch:
                    chains.grow(count)
                return {"rate": (watch.rate(), sqlite_events(folder, count, actors))}

            yield measure
        finally:
            journal.close()


@benchmark("journal.one_actor", _figure(1))
def one_actor(size: Size) -> Prepared:
    return _journaled(size, 1)


@benchmark("journal.hundred_actors", _figure(100))
def hundred_actors(size: Size) -> Prepared:
    return _journaled(size, 100)


@benchmark("journal.thousand_actors", _figure(1000))
def thousand_actors(size: Size) -> Prepared:
    return _journaled(size, 1000)


@benchmark(
    "journal.one_at_a_time",
    Figure(
        "each",
        "one event, each waited for until it is on disk",
        "ms",
        "less",
        "a row of bare SQLite in a commit of its own (WAL, FULL)",
    ),
)
@contextmanager
def one_at_a_time(size: Size) -> Iterator[Callable[[], Readings]]:
    count = size.of(300, 20)
    with directory(size) as folder:
        journal = SqliteJournal.open(folder / "data")
        try:
            chains = Chains(journal, 1)

            def measure() -> Readings:
                with Stopwatch(count) as watch:
                    for _ in range(count):
                        chains.grow(1)
                floor = sqlite_rows(folder, count, 1)
                return {"each": (watch.each("ms"), Reading(1e3 / floor.value, floor.cpu_us))}

            yield measure
        finally:
            journal.close()
