"""Requests from outside over HTTP, answered only when they are on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.bare_server import bare_server
from benchmarks.measure import Figure, Reading, Readings, Size, Stopwatch, benchmark
from benchmarks.stage import directory, serving, start
from benchmarks.visitors import visit

REFERENCE = "a bare asyncio server that appends and syncs for each request"
CLIENTS = 64


@benchmark(
    "http.one_client",
    Figure(
        "p50",
        "durable request over HTTP, one client, p50",
        "ms",
        "less",
        REFERENCE,
        target=1.5,
        asked=2.0,
    ),
    Figure("p99", "durable request over HTTP, one client, p99", "ms", "less", REFERENCE, target=5),
)
@contextmanager
def one_client(size: Size) -> Iterator[Callable[[], Readings]]:
    count = size.of(500, 20)
    with (
        serving(size) as (node, server),
        directory(size) as folder,
        bare_server(folder / "log") as bare,
    ):
        actor = start(node, "counter")
        path = f"/api/v1/actors/{actor.id}/request"

        def measure() -> Readings:
            with Stopwatch(count) as watch:
                ours = visit(server.port, path, server.token, 1, count)
            floor = visit(bare, "/", None, 1, count)
            return {
                "p50": (Reading(ours.p50_ms, watch.cpu_us), Reading(floor.p50_ms)),
                "p99": (Reading(ours.p99_ms, watch.cpu_us), Reading(floor.p99_ms)),
            }

        yield measure


@benchmark(
    "http.many_clients",
    Figure(
        "rate",
        f"durable requests over HTTP, {CLIENTS} clients",
        "/s",
        "more",
        REFERENCE,
        target=2_500,
    ),
)
@contextmanager
def many_clients(size: Size) -> Iterator[Callable[[], Readings]]:
    count = size.of(2_000, 100)
    with (
        serving(size) as (node, server),
        directory(size) as folder,
        bare_server(folder / "log") as bare,
    ):
        actor = start(node, "counter")
        path = f"/api/v1/actors/{actor.id}/request"

        def measure() -> Readings:
            with Stopwatch(count) as watch:
                ours = visit(server.port, path, server.token, CLIENTS, count)
            floor = visit(bare, "/", None, CLIENTS, count)
            return {"rate": (Reading(ours.rate, watch.cpu_us), Reading(floor.rate))}

        yield measure
