"""An actor with timers, run by a process that may end anywhere: each due time gives one message.

Said again over the same data directory, with the same keys, it finishes what was begun.
"""

from __future__ import annotations

from tests.crash.scenario import Told
from tests.runtime.actors import WAIT_S, guest, manifest, until
from theater.chain import rules, shapes
from theater.errors import ActorFailed
from theater.ids import message_id
from theater.runtime.node import Node

HANDLERS = '[[handler]]\ntype = "scheduler"\n'
TICKS = 3


def play(node: Node, told: Told) -> str:
    """Set timers, wait for them, cancel the one that goes on; returns the actor's id."""
    component = node.add_component(guest("alarm"))
    made = manifest("alarm", handlers=HANDLERS, instance_calls=3)
    actor = node.start(made, component=component, key="start").result(WAIT_S)
    told.note("actor", actor.id)
    timers = {}
    for name, asked in (("never", "a3600000 never"), ("once", "a0 once"), ("tick", "e100 tick")):
        timers[name] = node.request(actor.id, asked.encode(), key=name).result(WAIT_S).decode()
        told.note(name, timers[name])
    until(lambda: rung(node, actor.id).count("tick") >= TICKS, node)
    until(lambda: "once" in rung(node, actor.id), node)
    for name in ("tick", "never"):
        try:
            node.request(actor.id, f"x{timers[name]}".encode(), key=f"x{name}").result(WAIT_S)
        except ActorFailed as error:
            raise AssertionError(f"{name} is gone before it was cancelled") from error
        told.note(f"x{name}", "")
    return actor.id


def rung(node: Node, actor: str) -> list[str]:
    return (node.state(actor) or b"").decode().splitlines()


def check(node: Node, told: Told, actor: str) -> None:
    """Every message of a timer is the next one of its timer, was handled once, and is in the state."""
    until(lambda: not node.journal.messages(), node)
    noted = told.all()
    assert noted["actor"] == actor
    fired: dict[str, list[str]] = {"once": [], "tick": []}
    for event in node.events(actor):
        call = None if event.data is None else shapes.parse(event.type, event.data)
        if isinstance(call, shapes.Call) and call.message and call.message.kind == "timer":
            assert isinstance(call.params, bytes)
            name = "once" if b"once" in call.params else "tick"
            fired[name].append(call.message.id)
    for name, ids in fired.items():
        expected = [message_id(rules.derive(noted[name], n, 0)) for n in range(len(ids))]
        assert ids == expected, name
    assert len(fired["once"]) == 1
    lines = rung(node, actor)
    assert sorted(lines) == ["once", *["tick"] * len(fired["tick"])]
    assert node.journal.timers() == []
    assert node.verify(actor).problem is None
    assert node.replay(actor).equal
