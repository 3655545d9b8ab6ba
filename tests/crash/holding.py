"""Calls that are held up, by a process that may end at any record: one by a sleep, one by a full mailbox.

A message sleeps in its call. A sender finds no place in the mailbox of an actor that is paused, and waits for one
until that is resumed. Run again over the same data directory with the same keys it finishes what it
had begun.
"""

from __future__ import annotations

from dataclasses import replace

from tests.crash.scenario import Told
from tests.runtime.actors import WAIT_S, guest, manifest, until
from tests.runtime.variants import napping
from theater.chain import shapes
from theater.runtime.node import Node

NAP_MS = 30
MINUTE_MS = 60_000


def play(node: Node, told: Told) -> tuple[str, ...]:
    """Run the scenario to its end; returns the ids of sleeper, receiver and sender."""
    sleeper = _start(node, napping(NAP_MS), "sleeper")
    receiver = _start(node, guest("counter"), "receiver", mailbox=1)
    sender = _start(node, guest("obey"), "sender")
    told.note("napping", node.send(sleeper, b"nap", key="nap").result(WAIT_S))
    if "sent" not in told.all():
        node.pause(receiver).result(WAIT_S)
        node.send(receiver, b"in the only place", key="first").result(WAIT_S)
        order = b"s" + receiver.encode() + b"behind it"
        sent = node.request(sender, order, key="second", timeout_ms=MINUTE_MS)
        until(lambda: sent.done() or _calls(node, sender) > 1, node)
        node.resume(receiver).result(WAIT_S)
        told.note("sent", sent.result(WAIT_S).decode())
    until(lambda: node.state(receiver) == b"2", node)
    until(lambda: node.state(sleeper) == b"1", node)
    return sleeper, receiver, sender


def _start(node: Node, wasm: bytes, name: str, **limits: int) -> str:
    described = replace(manifest(name, **limits), send_timeout_ms=MINUTE_MS)
    component = node.add_component(wasm)
    return node.start(described, component=component, key=name).result(WAIT_S).id


def _calls(node: Node, actor: str) -> int:
    return [event.type for event in node.events(actor)].count(shapes.WASM_CALL)


def check(node: Node, actors: tuple[str, ...], told: Told) -> None:
    """Each message was handled once, in order, the sleep lasted what it should, nothing is left."""
    sleeper, receiver, sender = actors
    assert told.all()["sent"] == ""
    for actor, calls in ((sleeper, 2), (receiver, 3), (sender, 2)):
        events = list(node.events(actor))
        types = [event.type for event in events]
        assert types.count(shapes.WASM_CALL) == types.count(shapes.WASM_RESULT) == calls
        assert node.verify(actor).problem is None
        assert node.replay(actor).equal
    logged = [event for event in node.events(receiver) if event.type.endswith("/log")]
    inputs = [event.data or b"" for event in logged[1:]]
    assert [b"in the only place" in each for each in inputs] == [True, False]
    called = [event for event in node.events(sleeper) if event.type == shapes.WASM_CALL][-1]
    woke = [event for event in node.events(sleeper) if event.type.endswith("/log")][-1]
    form = shapes.parse(called.type, called.data or b"")
    assert isinstance(form, shapes.Call)
    assert woke.at * 1000 >= form.now + NAP_MS * 1_000_000
    assert not node.journal.messages()
