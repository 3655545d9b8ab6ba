"""Many actors at once: one that sends to a thousand, a thousand that send to one, a ring of them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from benchmarks.measure import Figure, Readings, Size, Stopwatch, benchmark
from benchmarks.peers import pykka_fan_in, pykka_fan_out, pykka_ring
from benchmarks.stage import WAIT_S, guest, manifest, stage, start
from theater.runtime.info import ActorInfo
from theater.runtime.node import Node

ACTORS = 1_000
TURNS = 2
"""How many messages go to each, or come from each."""
IN_FLIGHT = 32
LOOK_S = 0.005


@benchmark(
    "crowds.fan_out",
    Figure(
        "handled",
        "one actor sends to 1,000, handled",
        "/s",
        "more",
        "Pykka: tell to 1,000, nothing kept",
    ),
    runs=2,
)
@contextmanager
def fan_out(size: Size) -> Iterator[Callable[[], Readings]]:
    count, turns = size.of(ACTORS, 20), size.of(TURNS, 1)
    with stage(size) as node:
        receivers = _start_many(node, "counter", [None] * count)
        ids = b"".join(each.id.encode() for each in receivers)
        fan = start(node, "fan", manifest("fan", events_per_call=1_000_000), ids)

        def measure() -> Readings:
            with Stopwatch(count * turns) as watch:
                for _ in range(turns):
                    node.send(fan.id, b"a message of about fifty bytes, as most of them")
                _rest(node)
            return {"handled": (watch.rate(), pykka_fan_out(count, turns))}

        yield measure


@benchmark(
    "crowds.fan_in",
    Figure(
        "handled",
        "1,000 actors are told to send to one, handled by both",
        "/s",
        "more",
        "Pykka: 1,000 tell one, nothing kept",
    ),
    runs=2,
)
@contextmanager
def fan_in(size: Size) -> Iterator[Callable[[], Readings]]:
    count, turns = size.of(ACTORS, 20), size.of(TURNS, 1)
    with stage(size) as node:
        sink = start(node, "counter")
        senders = _start_many(node, "relay", [sink.id.encode()] * count)

        def measure() -> Readings:
            with Stopwatch(2 * count * turns) as watch:
                for _ in range(turns):
                    for sender in senders:
                        node.send(sender.id, b"a message of about fifty bytes, as most of them")
                _rest(node)
            return {"handled": (watch.rate(), pykka_fan_in(count, turns))}

        yield measure


@benchmark(
    "crowds.ring",
    Figure(
        "hops",
        "a message goes round 1,000 actors",
        "/s",
        "more",
        "Pykka: the same, nothing kept",
    ),
    runs=2,
)
@contextmanager
def ring(size: Size) -> Iterator[Callable[[], Readings]]:
    count = size.of(ACTORS, 20)
    with stage(size) as node:
        # From its end to its beginning, since each is started with the id of the next.
        after = start(node, "counter")
        for _ in range(count - 1):
            after = start(node, "relay", state=after.id.encode())
        first = after.id

        def measure() -> Readings:
            with Stopwatch(count) as watch:
                node.send(first, b"a message of about fifty bytes, as most of them")
                _rest(node)
            return {"hops": (watch.rate(), pykka_ring(count))}

        yield measure


def _start_many(node: Node, name: str, states: list[bytes | None]) -> list[ActorInfo]:
    component = node.add_component(guest(name))
    chosen = manifest(name)
    flying: deque[Future[ActorInfo]] = deque()
    started: list[ActorInfo] = []
    for state in states:
        if len(flying) == IN_FLIGHT:
            started.append(flying.popleft().result(WAIT_S))
        flying.append(node.start(chosen, component=component, state=state))
    return [*started, *(future.result(WAIT_S) for future in flying)]


def _rest(node: Node) -> None:
    """Return when every message is handled and that is on disk."""
    until = time.monotonic() + WAIT_S
    journal = node.journal
    while time.monotonic() < until:
        journal.wait(journal.appended())
        if not journal.living_messages():
            return
        time.sleep(LOOK_S)
    raise TimeoutError("messages are left")
