"""Replay and verification: how fast a history is run again, and how fast it is checked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from hashlib import sha256

from benchmarks.measure import Figure, Prepared, Reading, Readings, Size, Stopwatch, benchmark
from benchmarks.stage import WAIT_S, guest, manifest, python_guest, stage
from theater.chain.event import Event
from theater.chain.verify import Verifier
from theater.runtime.node import Node

IN_FLIGHT = 64
MESSAGE = b"a message of about fifty bytes, as most of them.."


def _live(node: Node, wasm: bytes, body: bytes, messages: int) -> tuple[str, Reading]:
    """Start an actor and let it handle messages; its id, and the events a second that it made."""
    component = node.add_component(wasm)
    actor = node.start(manifest("recorded"), component=component).result(WAIT_S)
    with Stopwatch(1) as watch:
        flying: deque[Future[bytes]] = deque()
        for _ in range(messages):
            if len(flying) == IN_FLIGHT:
                flying.popleft().result(WAIT_S)
            flying.append(node.request(actor.id, body))
        for future in flying:
            future.result(WAIT_S)
    events = node.info(actor.id).events
    return actor.id, Reading(events / watch.wall_s, 1e6 * watch.cpu_s / events)


@contextmanager
def _replaying(
    size: Size, wasm: bytes, body: bytes, messages: int
) -> Iterator[Callable[[], Readings]]:
    with stage(size) as node:

        def measure() -> Readings:
            actor, live = _live(node, wasm, body, messages)
            with Stopwatch(node.info(actor).events) as watch:
                report = node.replay(actor)
            assert report.equal
            node.stop(actor).result(WAIT_S)
            return {"rate": (watch.rate(), live)}

        yield measure


@benchmark(
    "proofs.replay_small",
    Figure(
        "rate",
        "replay of a small guest, events",
        "/s",
        "more",
        "the same actor live, 64 requests in flight",
        target=20_000,
    ),
)
def replay_small(size: Size) -> Prepared:
    return _replaying(size, guest("counter"), MESSAGE, size.of(1_000, 50))


@benchmark(
    "proofs.replay_python",
    Figure(
        "rate",
        "replay of a Python guest, events",
        "/s",
        "more",
        "the same actor live, 64 requests in flight",
    ),
    runs=3,
)
def replay_python(size: Size) -> Prepared:
    return _replaying(size, python_guest(size), b"null", size.of(500, 5))


@benchmark(
    "proofs.verify",
    Figure(
        "hashes",
        "verify: hashes only, events",
        "/s",
        "more",
        "two SHA-256 an event and nothing else",
        target=300_000,
    ),
    Figure(
        "strict",
        "verify: strict, events",
        "/s",
        "more",
        "two SHA-256 an event and nothing else",
        target=100_000,
    ),
)
@contextmanager
def verify(size: Size) -> Iterator[Callable[[], Readings]]:
    messages, again = size.of(500, 20), size.of(20, 1)
    with stage(size) as node:
        actor, _ = _live(node, guest("counter"), MESSAGE, messages)
        events = list(node.events(actor))

        def measure() -> Readings:
            floor = _hashed(events, again)
            return {
                "hashes": (_verified(events, again, strict=False), floor),
                "strict": (_verified(events, again, strict=True), floor),
            }

        yield measure


def _verified(events: Sequence[Event], again: int, *, strict: bool) -> Reading:
    with Stopwatch(len(events) * again) as watch:
        for _ in range(again):
            verifier = Verifier(strict=strict)
            for event in events:
                verifier.feed(event)
            assert verifier.finish().problem is None
    return watch.rate()


def _hashed(events: Sequence[Event], again: int) -> Reading:
    pieces = [(event.data or b"", bytes(89 + len(event.type))) for event in events]
    with Stopwatch(len(events) * again) as watch:
        for _ in range(again):
            for data, front in pieces:
                sha256(data).digest()
                sha256(front).digest()
    return watch.rate()
