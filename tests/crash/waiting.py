"""A scenario in which calls wait without a thread: four actors ask, and one thread may wait.

Those that are asked answer when they are told to. Run again over the same data directory with the
same keys it finishes what it had begun.
"""

from __future__ import annotations

from tests.crash.scenario import Told
from tests.runtime.actors import WAIT_S, guest, manifest, until
from theater.runtime.node import Node

WORKERS_MAX = 2
ASKERS = 4
HOUR_MS = 3_600_000


def play(node: Node, told: Told) -> dict[str, str]:
    """Run the scenario to its end; returns the askers with those whom they ask."""
    obey, defer = (node.add_component(guest(name)) for name in ("obey", "defer"))
    pairs = {}
    for number in range(ASKERS):
        gate = node.start(manifest("defer"), component=defer, key=f"gate-{number}").result(WAIT_S)
        asker = node.start(manifest("obey"), component=obey, key=f"asker-{number}").result(WAIT_S)
        pairs[asker.id] = gate.id
    asked = {
        asker: node.request(asker, b"r" + gate.encode() + b"x", key=asker, timeout_ms=HOUR_MS)
        for asker, gate in pairs.items()
    }
    until(lambda: all(_was_asked(node, gate) for gate in pairs.values()), node)
    for gate in pairs.values():
        node.send(gate, gate.encode(), key=f"open-{gate}").result(WAIT_S)
    for asker, answer in asked.items():
        told.note(asker, answer.result(WAIT_S).decode())
    return pairs


def _was_asked(node: Node, gate: str) -> bool:
    """Whether a gate holds its request, or has answered it."""
    return [event.type for event in node.events(gate)].count("wasm-result") >= 2


def check(node: Node, pairs: dict[str, str], told: Told) -> None:
    """Each was asked once and its answer came; all chains are proven; nothing is left."""
    assert {asker: told.all()[asker] for asker in pairs} == pairs
    for gate in pairs.values():
        assert [event.type for event in node.events(gate)].count("wasm-call") == 3
    for actor in (*pairs, *pairs.values()):
        assert node.verify(actor).problem is None
        assert node.replay(actor).equal
    assert not node.journal.waits()
    assert not node.journal.messages()
