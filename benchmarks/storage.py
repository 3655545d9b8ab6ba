"""What is kept of a conversation that grows, next to what it holds."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from benchmarks.measure import Figure, Reading, Readings, Size, Stopwatch, benchmark
from benchmarks.stage import WAIT_S, directory, manifest, settings, start
from theater.runtime.node import Node

STEP_BYTES = 200
WORDS = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "is",
    "that",
    "it",
    "was",
    "for",
    "on",
    "with",
    "as",
    "be",
    "by",
    "at",
    "not",
    "this",
    "from",
    "have",
    "they",
]


@benchmark(
    "storage.conversation",
    Figure(
        "times",
        "a state that grows to 80 kB in 400 steps, bytes on disk by its size",
        "x",
        "less",
        "each message once, as rows of bare SQLite",
        target=3,
    ),
    runs=1,
)
@contextmanager
def conversation(size: Size) -> Iterator[Callable[[], Readings]]:
    count = size.of(400, 20)
    chance = random.Random(1)
    steps = [" ".join(chance.choices(WORDS, k=80))[:STEP_BYTES].encode() for _ in range(count)]
    final = sum(len(step) for step in steps)

    def measure() -> Readings:
        with directory(size) as folder:
            data_dir = folder / "data"
            with _closed(Node.open(data_dir, settings(size))) as node:
                actor = start(node, "transcript", manifest("transcript"))
            before = _bytes(data_dir)
            with _closed(Node.open(data_dir, settings(size))) as node, Stopwatch(count) as watch:
                for step in steps:
                    node.request(actor.id, step).result(WAIT_S)
                assert len(node.state(actor.id) or b"") == final
            grown = _bytes(data_dir) - before
            floor = _rows(folder / "floor.sqlite", steps)
        return {"times": (Reading(grown / final, watch.cpu_us), Reading(floor / final))}

    yield measure


@contextmanager
def _closed(node: Node) -> Iterator[Node]:
    try:
        yield node
    finally:
        node.close()


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _rows(file: Path, steps: list[bytes]) -> int:
    connection = apsw.Connection(str(file))
    connection.execute("CREATE TABLE message (id INTEGER PRIMARY KEY, data BLOB)")
    with connection:
        connection.executemany("INSERT INTO message (data) VALUES (?)", [(s,) for s in steps])
    connection.close()
    return file.stat().st_size
