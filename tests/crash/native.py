"""Guests that kill their process natively, in a build of the node whose log is deadly.

Logging `die 0` makes the process read address 0 at once, before anything of the call can be on
disk, `die 50` after 50 ms. It is played by a client that asks again with the same keys, by one process
after the other, until it has been told everything; beside the poison another actor has its work.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.crash.scenario import Told
from tests.runtime.actors import GUESTS, WAIT_S, guest, manifest, until
from theater.chain import shapes
from theater.engine import wat
from theater.errors import ActorFailed
from theater.handlers.port import Effect, HostCall, HostFunction
from theater.handlers.runtime import handler
from theater.handlers.runtime.types import TYPES
from theater.runtime.node import Node
from theater.runtime.settings import NodeSettings

BYSTANDING = 20
DIES_IN_INIT = wat(
    (GUESTS / "counter.wat")
    .read_text()
    .replace(
        "(call $log (local.get $id) (local.get $id-size))",
        "(call $log (i32.const 1100) (i32.const 5))",
        1,
    )
    .replace(
        '(data (i32.const 1056) "failtrap")',
        '(data (i32.const 1056) "failtrap")\n    (data (i32.const 1100) "die 0")',
    )
)


def _deadly_log(_call: HostCall, text: str) -> None:
    word, _, milliseconds = text.partition(" ")
    if word == "die":
        time.sleep(int(milliseconds) / 1000)
        ctypes.string_at(0)


def run(data: Path, cache: Path, told: Told, kind: str) -> None:
    """Open a node whose log is deadly and play to the end, if the process gets there."""
    log = HostFunction(Effect.RECORDED, _deadly_log, TYPES["log"])
    handler._FUNCTIONS[handler.INTERFACE]["log"] = log
    node = Node.open(data, NodeSettings(cache_dir=cache))
    play(node, told, kind)
    node.close()


@dataclass(frozen=True)
class Cast:
    """The ids of the actors."""

    bystander: str
    victim: str
    relay: str


def play(node: Node, told: Told, kind: str) -> Cast:
    """Have the poison given to its actor, in one of the ways of `KINDS`, and others work beside it."""
    bystander, victim = (_start(node, "counter", name) for name in ("bystander", "victim"))
    relay = _start(node, "relay", "relay", victim.encode())
    told.note("actors", f"{bystander} {victim} {relay}")
    beside = [
        node.request(bystander, b"work", key=f"work-{number}") for number in range(BYSTANDING)
    ]
    if "refused" not in told.all():
        told.note("refused", KINDS[kind](node, told, victim, relay))
    told.note("worked", " ".join(each.result(WAIT_S).decode() for each in beside))
    return Cast(bystander, victim, relay)


def _start(node: Node, name: str, called: str, state: bytes | None = None) -> str:
    component = node.add_component(guest(name))
    starting = node.start(manifest(called), component=component, state=state, key=called)
    return starting.result(WAIT_S).id


def _ask(body: bytes) -> Callable[[Node, Told, str, str], str]:
    def ask(node: Node, _told: Told, victim: str, _relay: str) -> str:
        return _refused(node, victim, body)

    return ask


def _ask_through(node: Node, _told: Told, _victim: str, relay: str) -> str:
    return _refused(node, relay, b"die 0")


def _refused(node: Node, actor: str, body: bytes) -> str:
    error = node.request(actor, body, key="poison").exception(WAIT_S)
    assert isinstance(error, ActorFailed), error
    return error.message


def _restored(node: Node, told: Told, victim: str, _relay: str) -> str:
    """It waits in the mailbox, on disk, when the first process ends, which has not run it."""
    if "sent" not in told.all():
        node.pause(victim).result(WAIT_S)
        told.note("sent", node.send(victim, b"die 0").result(WAIT_S))
    if node.info(victim).status == "paused":
        node.resume(victim).result(WAIT_S)
    until(lambda: bool(node.quarantine(victim).messages), node)
    return "killed"


def _init(node: Node, _told: Told, _victim: str, _relay: str) -> str:
    component = node.add_component(DIES_IN_INIT)
    starting = node.start(manifest("deadly"), component=component, key="deadly")
    # It may have failed already when it is asked for again: then the answer is what has become of it.
    return "failed" if starting.exception(WAIT_S) else starting.result().status


KINDS: dict[str, Callable[[Node, Told, str, str], str]] = {
    "at once": _ask(b"die 0"),
    "after 50 ms": _ask(b"die 50"),
    "inline": _ask_through,
    "restored": _restored,
    "init": _init,
}


def check(node: Node, told: Told, kind: str) -> None:
    """The poison is set aside, who gave it was told, and the others know nothing of it."""
    known = told.all()
    bystander, victim, _ = known["actors"].split()
    assert node.state(bystander) == str(BYSTANDING).encode()
    assert sorted(known["worked"].split(), key=int) == [str(1 + n) for n in range(BYSTANDING)]
    assert shapes.WASM_ERROR not in [event.type for event in node.events(bystander)]
    if kind == "init":
        assert known["refused"] == "failed"
        (deadly,) = (each for each in node.list(ended=True) if each.name == "deadly")
        assert deadly.status == "failed"
        # Here the log is not deadly: what has failed may be tried again, from nothing.
        assert node.restart(deadly.id).result(WAIT_S).status == "running"
    else:
        assert "killed" in known["refused"]
        (found,) = node.quarantine().messages
        assert (found.message.receiver, found.message.reason) == (victim, "killed")
        assert [event.type for event in node.events(victim)].count(shapes.WASM_ERROR) == 1
    assert node.request(victim, b"alive").result(WAIT_S) == b"1"
    assert not node.journal.waits()
    for actor in node.list(ended=True):
        assert node.verify(actor.id).problem is None
        assert node.replay(actor.id).equal
