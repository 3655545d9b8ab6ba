"""The floors: the least that a durable or a threaded program does on this machine, without Theater."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import apsw
import wasmtime
from wasmtime.component import Component, Func, Linker

from benchmarks.measure import Reading, Stopwatch
from theater.chain.event import ZERO_HASH, make_event

ROW = b"fifty bytes that say nothing, as most messages do." * 3
"""About as long as a small event as it is kept."""
EVENT_TYPE = "theater:simple/runtime/log"
ROWS_A_COMMIT = 1000
LOG_ONLY: dict[str, dict[str, Callable[..., object]]] = {
    "theater:simple/runtime": {"log": lambda _store, _text: None}
}
"""Host functions of a guest that only logs."""


def hand_over(count: int) -> Reading:
    """Messages a second that one thread puts into a queue and another takes out."""
    line: queue.SimpleQueue[int] = queue.SimpleQueue()

    def take() -> None:
        while line.get() >= 0:
            pass

    taker = threading.Thread(target=take)
    taker.start()
    with Stopwatch(count) as watch:
        for number in range(count):
            line.put(number)
        line.put(-1)
        taker.join()
    return watch.rate()


def sqlite_rows(directory: Path, count: int, group: int) -> Reading:
    """Rows a second that a thread inserts in groups: SQLite, WAL, synchronous=FULL."""
    connection = apsw.Connection(str(directory / f"floor-{group}.sqlite"))
    try:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("PRAGMA synchronous = full")
        connection.execute("CREATE TABLE IF NOT EXISTS row (id INTEGER PRIMARY KEY, data BLOB)")
        with Stopwatch(count) as watch:
            for done in range(0, count, group):
                with connection:
                    connection.executemany(
                        "INSERT INTO row (data) VALUES (?)", [(ROW,)] * min(group, count - done)
                    )
    finally:
        connection.close()
    return watch.rate()


class GroupLog:
    """A thread that appends what has gathered to a file, syncs it once, then tells those who wait."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._line: queue.SimpleQueue[Future[bytes] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def request(self) -> Future[bytes]:
        """Write a row; the future completes once it is on disk."""
        future: Future[bytes] = Future()
        self._line.put(future)
        return future

    def close(self) -> None:
        """Write what is queued, then end."""
        self._line.put(None)
        self._thread.join()
        os.close(self._file)

    def _write(self) -> None:
        while True:
            group = [self._line.get()]
            while not self._line.empty():
                group.append(self._line.get())
            waiting = [future for future in group if future is not None]
            if waiting:
                os.write(self._file, ROW * len(waiting))
                os.fdatasync(self._file)
            for future in waiting:
                future.set_result(ROW)
            if len(waiting) < len(group):
                return


def sqlite_events(directory: Path, count: int, actors: int) -> Reading:
    """Events a second that one thread makes and another inserts as rows, a thousand a commit."""
    connection = apsw.Connection(str(directory / "events.sqlite"))
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("PRAGMA synchronous = full")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY, actor INTEGER, seq INTEGER,"
        " at INTEGER, type TEXT, data BLOB, hash BLOB)"
    )
    groups: queue.Queue[list[tuple[int, int, int, str, bytes, bytes]]] = queue.Queue(8)

    def write() -> None:
        while group := groups.get():
            with connection:
                connection.executemany(
                    "INSERT INTO event (actor, seq, at, type, data, hash) VALUES (?,?,?,?,?,?)",
                    group,
                )

    heads = [ZERO_HASH] * actors
    writer = threading.Thread(target=write)
    try:
        writer.start()
        with Stopwatch(count) as watch:
            group = []
            for number in range(count):
                actor, seq = number % actors, number // actors
                event = make_event(seq, number, heads[actor], EVENT_TYPE, ROW)
                heads[actor] = event.hash
                group.append((actor, seq, number, EVENT_TYPE, ROW, event.hash))
                if len(group) == ROWS_A_COMMIT:
                    groups.put(group)
                    group = []
            if group:
                groups.put(group)
            groups.put([])
            writer.join()
    finally:
        connection.close()
    return watch.rate()


def stock_component(engine: wasmtime.Engine, wasm: bytes, cache: Path) -> Component:
    """A component, compiled by the binding as it comes, once."""
    file = cache / f"stock-{version('wasmtime')}-{sha256(wasm).hexdigest()[:16]}.cwasm"
    if not file.exists():
        part = file.with_suffix(f".{os.getpid()}")
        part.write_bytes(Component(engine, wasm).serialize())
        part.rename(file)
    return Component.deserialize_file(engine, str(file))


def stock_instances(wasm: bytes, cache: Path, count: int) -> Reading:
    """Instances a second of a component, native WASI, each in a store of its own, not called.

    The first time in a cache it is compiled, which takes seconds for a Python guest.
    """
    engine = wasmtime.Engine()
    component = stock_component(engine, wasm, cache)
    linker = Linker(engine)
    linker.add_wasip2()
    linker.define_unknown_imports_as_traps(component)
    with Stopwatch(count) as watch:
        for _ in range(count):
            store = wasmtime.Store(engine)
            store.set_wasi(wasmtime.WasiConfig())
            linker.instantiate(store, component)
    return watch.rate()


@contextmanager
def stock_guest(
    wasm: bytes, hosts: dict[str, dict[str, Callable[..., object]]]
) -> Iterator[Callable[[str, str], Callable[..., object]]]:
    """A component in one instance, through the binding as it comes.

    Yields a function from an exported interface and a function's name to the callable export.
    """
    engine = wasmtime.Engine()
    component = Component(engine, wasm)
    store = wasmtime.Store(engine)
    linker = Linker(engine)
    with linker.root() as root:
        for interface, functions in hosts.items():
            with root.add_instance(interface) as instance:
                for name, function in functions.items():
                    instance.add_func(name, function)
    linked = linker.instantiate(store, component)

    def export(interface: str, name: str) -> Callable[..., object]:
        outer = linked.get_export_index(store, interface)
        assert outer is not None
        inner = linked.get_export_index(store, name, outer)
        assert inner is not None
        found = linked.get_func(store, inner)
        assert isinstance(found, Func)
        return lambda *arguments: found(store, *arguments)

    yield export
