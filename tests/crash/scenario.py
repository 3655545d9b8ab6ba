"""A small scenario of about 50 journal records, run by a process that may end at any of them.

A client starts a counter and a relay to it, sends and requests through both, then asks through
another relay one that ends with its answer, and writes down what was acknowledged, synced, before
it goes on. Run again over the same data directory with the same
keys it finishes what it had begun, as a client that lost its connection would.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from tests.runtime.actors import WAIT_S, guest, manifest, until
from theater.journal.port import Journal
from theater.runtime.node import Node

MESSAGES = ("send-counter", "send-relay", "request-relay", "request-counter")


@dataclass
class Told:
    """What the client was told, kept in a synced file."""

    path: Path

    def note(self, name: str, value: str) -> None:
        line = json.dumps([name, value]).encode() + b"\n"
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, line)
            os.fsync(handle)
        finally:
            os.close(handle)

    def all(self) -> dict[str, str]:
        if not self.path.exists():
            return {}
        lines = self.path.read_text().splitlines()
        return dict(json.loads(line) for line in lines)


@dataclass(frozen=True)
class Cast:
    """The ids of the actors."""

    counter: str
    relay: str
    ending: str
    asker: str


def play(node: Node, told: Told) -> Cast:
    """Run the scenario to its end."""
    counter = node.start(
        manifest("counter"), component=node.add_component(guest("counter")), key="start-counter"
    ).result(WAIT_S)
    told.note("counter", counter.id)
    relay = node.start(
        manifest("relay"),
        component=node.add_component(guest("relay")),
        state=counter.id.encode(),
        key="start-relay",
    ).result(WAIT_S)
    told.note("relay", relay.id)
    if node.info(relay.id).status == "running":
        told.note("send-counter", node.send(counter.id, b"a", key="send-counter").result(WAIT_S))
        told.note("send-relay", node.send(relay.id, b"b", key="send-relay").result(WAIT_S))
        for receiver, name in ((relay, "request-relay"), (counter, "request-counter")):
            answer = node.request(receiver.id, b"c", key=name).result(WAIT_S)
            told.note(name, answer.decode())
        until(lambda: node.state(counter.id) == b"4", node)
        stopped = node.stop(relay.id).result(WAIT_S)
        told.note("stopped", stopped.status)
    return Cast(counter.id, relay.id, *_ask_what_ends(node, told))


def _ask_what_ends(node: Node, told: Told) -> tuple[str, str]:
    """Ask one that ends with its answer: it may be gone when the answer is fetched."""
    ending = node.start(
        manifest("ending"), component=node.add_component(guest("ending")), key="start-ending"
    ).result(WAIT_S)
    asker = node.start(
        manifest("relay"),
        component=node.add_component(guest("relay")),
        state=ending.id.encode(),
        key="start-asker",
    ).result(WAIT_S)
    answer = node.request(asker.id, b"last words", key="request-ending").result(WAIT_S)
    told.note("request-ending", answer.decode())
    node.wait(ending.id).result(WAIT_S)
    return ending.id, asker.id


def check(node: Node, cast: Cast, told: Told) -> None:
    """Compare with the oracle: each message handled once, each answer given, all chains proven."""
    counter, relay = cast.counter, cast.relay
    assert node.state(counter) == b"4"
    assert node.info(relay).status == "stopped"
    calls = [event.type for event in node.events(counter)].count("wasm-call")
    assert calls == 1 + len(MESSAGES)
    outcome = node.info(cast.ending).outcome
    assert outcome is not None
    assert outcome.body == b"last words"
    for actor in (counter, relay, cast.ending, cast.asker):
        report = node.verify(actor)
        assert report.problem is None, report
        replay = node.replay(actor)
        assert replay.equal, replay
    known = told.all()
    assert (known["counter"], known["relay"]) == (counter, relay)
    journal: Journal = node.journal
    assert not journal.waits()
    assert not journal.messages()
    for name in ("send-counter", "send-relay"):
        kept = journal.key(name)
        assert kept is not None
        assert kept.message == known[name]
    assert known["request-ending"] == "last words"
    assert {known["request-relay"], known["request-counter"]} <= {"1", "2", "3", "4"}
