"""Starting actors: durable, of components that are compiled already, 32 starts in flight."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from benchmarks.measure import Figure, Prepared, Readings, Size, Stopwatch, benchmark
from benchmarks.references import stock_instances
from benchmarks.stage import WAIT_S, guest, manifest, python_guest, stage
from theater.runtime.info import ActorInfo
from theater.runtime.node import Node

IN_FLIGHT = 32
SMALL_BYTES = 100_000
REFERENCE = "instances through wasmtime's own binding, one thread, not called, nothing kept"


@contextmanager
def _spawning(size: Size, wasm: bytes, count: int) -> Iterator[Callable[[], Readings]]:
    chosen = manifest("spawned")
    with stage(size) as node:
        component = node.add_component(wasm)
        node.start(chosen, component=component).result(WAIT_S)

        def measure() -> Readings:
            flying: deque[Future[ActorInfo]] = deque()
            started: list[ActorInfo] = []
            with Stopwatch(count) as watch:
                for _ in range(count):
                    if len(flying) == IN_FLIGHT:
                        started.append(flying.popleft().result(WAIT_S))
                    flying.append(node.start(chosen, component=component))
                started.extend(future.result(WAIT_S) for future in flying)
            _stop(node, started)
            # Compiling a Python guest once more is too much for a run that only shows that it works.
            small = len(wasm) < SMALL_BYTES
            floor = stock_instances(wasm, size.cache, count) if small or not size.quick else None
            return {"rate": (watch.rate(), floor)}

        yield measure


def _stop(node: Node, actors: list[ActorInfo]) -> None:
    # So that each measurement begins with as few instances as the one before.
    for ended in [node.stop(actor.id) for actor in actors]:
        ended.result(WAIT_S)


@benchmark(
    "spawn.small",
    Figure(
        "rate",
        "spawn of a cached small component, durable, 32 in flight",
        "/s",
        "more",
        REFERENCE,
        target=2_000,
        asked=1_000,
    ),
)
def small(size: Size) -> Prepared:
    return _spawning(size, guest("counter"), size.of(500, 40))


@benchmark(
    "spawn.python",
    Figure(
        "rate",
        "spawn of a cached Python guest, durable, 32 in flight",
        "/s",
        "more",
        REFERENCE,
        target=400,
    ),
    runs=3,
)
def python(size: Size) -> Prepared:
    return _spawning(size, python_guest(size), size.of(150, 4))
