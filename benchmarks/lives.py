"""What nodes and actors cost when they begin or do nothing: restart, idleness, waking, first calls."""

from __future__ import annotations

import gc
import os
import random
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import apsw
import wasmtime
from wasmtime.component import Linker

from benchmarks.measure import Figure, Reading, Readings, Size, Stopwatch, benchmark, quantile
from benchmarks.references import stock_component, stock_instances
from benchmarks.stage import WAIT_S, directory, guest, manifest, python_guest, settings, stage
from theater.journal.sqlite.directory import DATABASE
from theater.runtime.info import ActorInfo
from theater.runtime.node import Node

IN_FLIGHT = 32
LINES = 15
TIMES = 10
"""How much longer the long histories are than the short ones."""


def _start_many(node: Node, wasm: bytes, count: int) -> Iterator[ActorInfo]:
    """Start actors, some at a time, and tell each when it has started."""
    component = node.add_component(wasm)
    chosen = manifest("idle", events_per_call=1_000_000)
    flying: deque[Future[ActorInfo]] = deque()
    for _ in range(count):
        if len(flying) == IN_FLIGHT:
            yield flying.popleft().result(WAIT_S)
        flying.append(node.start(chosen, component=component))
    while flying:
        yield flying.popleft().result(WAIT_S)


@benchmark(
    "lives.restart",
    Figure(
        "short",
        "restart of a node with 1,000 actors, first answer",
        "s",
        "less",
        "bare SQLite opened, the actors' rows read",
        target=2,
    ),
    Figure(
        "long",
        f"the same with histories {TIMES} times as long",
        "s",
        "less",
        "the same with short histories",
        target=2,
    ),
    Figure(
        "growth",
        f"what {TIMES} times the history makes of a restart",
        "x",
        "less",
        "what it makes of reading the same rows with bare SQLite",
        target=1.2,
    ),
    runs=3,
)
@contextmanager
def restart(size: Size) -> Iterator[Callable[[], Readings]]:
    count = size.of(1_000, 20)
    with directory(size) as folder:
        short = _lived(size, folder / "short", count, LINES)
        long = _lived(size, folder / "long", count, LINES * TIMES)

        def measure() -> Readings:
            quickly = _restarted(size, folder / "short", short)
            later = _restarted(size, folder / "long", long)
            few, many = _rows_read(folder / "short"), _rows_read(folder / "long")
            return {
                "short": (quickly, few),
                "long": (later, quickly),
                "growth": (Reading(later.value / quickly.value), Reading(many.value / few.value)),
            }

        yield measure


def _lived(size: Size, data_dir: Path, count: int, lines: int) -> str:
    """Leave a data directory of actors that each logged so many lines; the id of one of them."""
    node = Node.open(data_dir, settings(size))
    try:
        actors = list(_start_many(node, guest("busy"), count))
        asked = [node.request(actor.id, b"l%d" % lines) for actor in actors]
        for future in asked:
            future.result(WAIT_S)
        return actors[0].id
    finally:
        node.close()


def _restarted(size: Size, data_dir: Path, actor: str) -> Reading:
    with Stopwatch(1) as watch:
        node = Node.open(data_dir, settings(size))
        node.request(actor, b"hello").result(WAIT_S)
    node.close()
    return Reading(watch.wall_s, watch.cpu_us)


def _rows_read(data_dir: Path) -> Reading:
    with Stopwatch(1) as watch:
        connection = apsw.Connection(str(data_dir / DATABASE), apsw.SQLITE_OPEN_READONLY)
        list(connection.execute("SELECT * FROM actors JOIN tips USING (number)"))
        connection.close()
    return Reading(watch.wall_s, watch.cpu_us)


@benchmark(
    "lives.idle",
    Figure(
        "memory",
        "10,000 passivated actors",
        "MB",
        "less",
        "10,000 bare objects of eight fields with a deque and a lock",
        target=40,
    ),
    Figure(
        "wake",
        "first request to a passivated actor, p50",
        "ms",
        "less",
        "one instance of the same component through wasmtime's own binding",
        target=5,
    ),
    runs=1,
)
@contextmanager
def idle(size: Size) -> Iterator[Callable[[], Readings]]:
    count, woken = size.of(10_000, 100), size.of(100, 10)
    floor = _bare_objects(count)
    with stage(size) as node:
        # What a node needs once: threads, a compiled component, pages of the database.
        for first in _start_many(node, guest("counter"), 50):
            node.passivate(first.id)
        before = _resident_mb()
        actors = []
        for actor in _start_many(node, guest("counter"), count):
            while not node.passivate(actor.id):
                node.info(actor.id)
            actors.append(actor.id)
        gc.collect()
        grown = _resident_mb() - before

        def measure() -> Readings:
            times = []
            with Stopwatch(woken) as watch:
                for actor in random.Random(1).sample(actors, woken):
                    began = perf_counter()
                    node.request(actor, b"wake").result(WAIT_S)
                    times.append(1e3 * (perf_counter() - began))
                    while not node.passivate(actor):
                        node.info(actor)
            stock = stock_instances(guest("counter"), size.cache, woken)
            return {
                "memory": (Reading(grown * 10_000 / count), Reading(floor * 10_000 / count)),
                "wake": (
                    Reading(quantile(times, 0.5), watch.cpu_us),
                    Reading(1e3 / stock.value, stock.cpu_us),
                ),
            }

        yield measure


class _Bare:
    __slots__ = ("a", "b", "c", "d", "e", "f", "line", "lock")

    def __init__(self, number: int) -> None:
        self.a, self.b, self.c = f"{number:036}", f"name-{number}", number
        self.d, self.e, self.f = bytes([number % 256]) * 32, number, None
        self.line: deque[object] = deque()
        self.lock = threading.Lock()


def _bare_objects(count: int) -> float:
    before = _resident_mb()
    kept = [_Bare(number) for number in range(count)]
    grown = _resident_mb() - before
    kept.clear()
    return grown


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


@benchmark(
    "lives.first_call_python",
    Figure(
        "cached",
        "Python component, compiled before: start and first answer",
        "ms",
        "less",
        "its artifact loaded, linked and instantiated by wasmtime's own binding, not called",
        target=250,
    ),
)
@contextmanager
def first_call_python(size: Size) -> Iterator[Callable[[], Readings]]:
    wasm = python_guest(size)
    chosen = manifest("first")
    with stage(size) as node:
        # Compiles it, and has the reference compiled.
        node.start(chosen, component=node.add_component(wasm)).result(WAIT_S)
    if not size.quick:
        _first_stock(wasm, size.cache)

    def measure() -> Readings:
        with stage(size) as node:
            component = node.add_component(wasm)
            with Stopwatch(1) as watch:
                actor = node.start(chosen, component=component).result(WAIT_S)
                node.request(actor.id, b"null").result(WAIT_S)
        floor = None if size.quick else _first_stock(wasm, size.cache)
        return {"cached": (watch.each("ms"), floor)}

    yield measure


def _first_stock(wasm: bytes, cache: Path) -> Reading:
    with Stopwatch(1) as watch:
        engine = wasmtime.Engine()
        component = stock_component(engine, wasm, cache)
        linker = Linker(engine)
        linker.add_wasip2()
        linker.define_unknown_imports_as_traps(component)
        store = wasmtime.Store(engine)
        store.set_wasi(wasmtime.WasiConfig())
        linker.instantiate(store, component)
    return watch.each("ms")
