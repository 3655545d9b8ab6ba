"""Messages: flooding, actor to actor, recorded host calls, requests through the Python API."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import pairwise
from time import perf_counter

from benchmarks.measure import Figure, Reading, Readings, Size, Stopwatch, benchmark, quantile
from benchmarks.peers import dbos_steps, pykka_asks, pykka_tells
from benchmarks.references import LOG_ONLY, GroupLog, hand_over, stock_guest
from benchmarks.stage import WAIT_S, directory, guest, manifest, stage, start
from theater.runtime.node import Node

IN_FLIGHT = 64
EVENTS = 1_000_000


@benchmark(
    "messages.flood",
    Figure(
        "handled",
        "send: one actor floods another, handled",
        "/s",
        "more",
        "Pykka: tell, nothing kept",
        target=15_000,
        asked=8_000,
    ),
)
@contextmanager
def flood(size: Size) -> Iterator[Callable[[], Readings]]:
    count = size.of(6_000, 200)
    with stage(size) as node:
        sink = start(node, "busy", manifest("sink", mailbox=100_000))
        source = start(node, "busy", manifest("source", events_per_call=EVENTS), sink.id.encode())

        def measure() -> Readings:
            with Stopwatch(count) as watch:
                _ask(node, source.id, b"s%d" % count)
                # Answered when all that was sent before it is handled.
                _ask(node, sink.id, b"done")
            return {"handled": (watch.rate(), pykka_tells(count))}

        yield measure


@benchmark(
    "messages.flood_bounded",
    Figure(
        "handled",
        "the same, mailbox of 1,000: the sender waits",
        "/s",
        "more",
        "queue.SimpleQueue between two threads",
    ),
)
@contextmanager
def flood_bounded(size: Size) -> Iterator[Callable[[], Readings]]:
    count = size.of(6_000, 200)
    with stage(size) as node:
        sink = start(node, "busy")
        source = start(node, "busy", manifest("source", events_per_call=EVENTS), sink.id.encode())

        def measure() -> Readings:
            with Stopwatch(count) as watch:
                _ask(node, source.id, b"s%d" % count)
                _ask(node, sink.id, b"done")
            return {"handled": (watch.rate(), hand_over(count))}

        yield measure


@benchmark(
    "messages.actor_to_actor",
    Figure(
        "rate",
        "actor to actor: requests one after the other",
        "/s",
        "more",
        "Pykka: ask, nothing kept",
        target=8_000,
        asked=5_000,
    ),
    Figure(
        "p50",
        "actor to actor: one request, p50",
        "µs",
        "less",
        "Pykka: ask, mean",
        target=250,
    ),
)
@contextmanager
def actor_to_actor(size: Size) -> Iterator[Callable[[], Readings]]:
    count = size.of(2_000, 100)
    with stage(size) as node:
        callee = start(node, "busy")
        caller = start(node, "busy", manifest("caller", events_per_call=EVENTS), callee.id.encode())

        def measure() -> Readings:
            seen = node.info(caller.id).events
            with Stopwatch(count) as watch:
                _ask(node, caller.id, b"r%d" % count)
            # Each answer is an event of the caller, and the next request begins at once.
            times = [event.at for event in node.events(caller.id, seen + 1, count)]
            gaps = [float(later - earlier) for earlier, later in pairwise(times)]
            peer = pykka_asks(count)
            mean = None if peer is None else Reading(1e6 / peer.value, peer.cpu_us)
            return {
                "rate": (watch.rate(), peer),
                "p50": (Reading(quantile(gaps, 0.5), watch.cpu_us), mean),
            }

        yield measure


@benchmark(
    "messages.host_calls",
    Figure(
        "rate",
        "recorded host calls in one guest loop",
        "/s",
        "more",
        "the same guest through wasmtime's own binding, nothing recorded",
        target=40_000,
        asked=30_000,
    ),
)
@contextmanager
def host_calls(size: Size) -> Iterator[Callable[[], Readings]]:
    count = size.of(10_000, 200)
    hosts: dict[str, dict[str, Callable[..., object]]] = {
        **LOG_ONLY,
        "theater:simple/message-server-host": {
            "send": lambda *_: None,
            "request": lambda *_: b"",
        },
    }
    with (
        stage(size) as node,
        stock_guest(guest("busy"), hosts) as export,
    ):
        actor = start(node, "busy", manifest("loop", events_per_call=EVENTS))
        stock = export("theater:simple/message-server-client", "handle-request")

        def measure() -> Readings:
            body = b"l%d" % count
            with Stopwatch(count) as watch:
                _ask(node, actor.id, body)
            with Stopwatch(count) as reference:
                stock(None, ("id", body))
            return {"rate": (watch.rate(), reference.rate())}

        yield measure


@benchmark(
    "messages.beside_dbos",
    Figure(
        "rate",
        "the same next to the steps of another durable runtime",
        "/s",
        "more",
        "DBOS on SQLite, steps in one workflow",
    ),
    runs=3,
)
@contextmanager
def beside_dbos(size: Size) -> Iterator[Callable[[], Readings]]:
    count, steps = size.of(5_000, 100), size.of(200, 5)
    with stage(size) as node, directory(size) as folder, dbos_steps(folder) as peer:
        actor = start(node, "busy", manifest("loop", events_per_call=EVENTS))

        def measure() -> Readings:
            with Stopwatch(count) as watch:
                _ask(node, actor.id, b"l%d" % count)
            return {"rate": (watch.rate(), peer(steps))}

        yield measure


@benchmark(
    "messages.python_api",
    Figure(
        "in_flight",
        f"requests from outside, Python API, {IN_FLIGHT} in flight",
        "/s",
        "more",
        "a thread that appends to a file and syncs in groups",
        target=5_000,
    ),
    Figure(
        "p50",
        "request from outside, Python API, one at a time, p50",
        "ms",
        "less",
        "the same thread, one at a time",
    ),
)
@contextmanager
def python_api(size: Size) -> Iterator[Callable[[], Readings]]:
    count = size.of(2_000, 200)
    single = size.of(300, 20)
    with stage(size) as node, directory(size) as folder:
        actor = start(node, "counter")
        floor = GroupLog(folder / "log")

        def ask() -> Future[bytes]:
            return node.request(actor.id, b"a message of about fifty bytes, as most of them")

        def measure() -> Readings:
            return {
                "in_flight": (_flying(ask, count), _flying(floor.request, count)),
                "p50": (_single(ask, single), _single(floor.request, single)),
            }

        try:
            yield measure
        finally:
            floor.close()


def _ask(node: Node, actor: str, body: bytes) -> None:
    assert node.request(actor, body).result(WAIT_S) == body


def _flying(ask: Callable[[], Future[bytes]], count: int) -> Reading:
    flying: deque[Future[bytes]] = deque()
    with Stopwatch(count) as watch:
        for _ in range(count):
            if len(flying) == IN_FLIGHT:
                flying.popleft().result(WAIT_S)
            flying.append(ask())
        for future in flying:
            future.result(WAIT_S)
    return watch.rate()


def _single(ask: Callable[[], Future[bytes]], count: int) -> Reading:
    times = []
    with Stopwatch(count) as watch:
        for _ in range(count):
            began = perf_counter()
            ask().result(WAIT_S)
            times.append(1e3 * (perf_counter() - began))
    return Reading(quantile(times, 0.5), watch.cpu_us)
