"""Everything that an operator can order, to an actor in every situation: what comes of both.

The table is written out here. Each order is given while the actor is as the line says; then what the
actor waits for comes, and everybody must have been told, and the chain must verify and replay.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import pytest

from tests.docs.test_second_verifier import second_problem
from tests.runtime.actors import WAIT_S, Theater, manifest, until
from tests.runtime.variants import ASKS_IN_INIT, COUNTS_ALIKE, TRAPS_IN_INIT, napping
from theater.chain import shapes
from theater.errors import ActorFailed, TheaterError
from theater.journal.records import Message
from theater.manifest.model import Manifest
from theater.runtime.info import ActorInfo
from theater.runtime.node import Node

pytestmark = pytest.mark.slow

TABLE = """
                pause      resume     stop       force      restart    keep       update
idle            paused     running    stopped    stopped    running    running    running
in-init         >paused    >running   >stopped   stopped    >running   >running   >running
asleep          paused     running    stopped    stopped    running    running    running
asking          >paused    running    >stopped   stopped    running    running    running
computing       paused     running    stopped    stopped    running    running    running
full            paused     running    stopped    stopped    running    running    running
stopping        -stopping  -stopping  >stopped   stopped    -stopping  -stopping  -stopping
stopped         -ended     -ended     stopped    stopped    -ended     -ended     -ended
failed          -ended     -ended     failed     failed     -init_failed -not_initialised -not_initialised
"""
"""`>`: not before what the actor waits for has come. `-`: refused, with a code `actor.…`."""

ORDERS: dict[str, Callable[[Node, str], Future[ActorInfo]]] = {
    "pause": lambda node, actor: node.pause(actor),
    "resume": lambda node, actor: node.resume(actor),
    "stop": lambda node, actor: node.stop(actor),
    "force": lambda node, actor: node.stop(actor, force=True),
    "restart": lambda node, actor: node.restart(actor),
    "keep": lambda node, actor: node.restart(actor, keep_state=True),
    "update": lambda node, actor: node.update(actor, node.add_component(COUNTS_ALIKE), force=True),
}


def cells() -> list[tuple[str, str, str]]:
    head, *lines = TABLE.strip("\n").splitlines()
    orders = head.split()
    assert orders == list(ORDERS)
    return [
        (line.split()[0], order, cell)
        for line in lines
        for order, cell in zip(orders, line.split()[1:], strict=True)
    ]


@dataclass
class Scene:
    """An actor in a situation; `asked` is who waits for it, `starting` for its `init`."""

    actor: ActorInfo
    asked: Future[bytes] | None = None
    starting: Future[ActorInfo] | None = None
    callee: ActorInfo | None = None
    """Whom the actor's call asks."""

    def release(self, stage: Theater, done: Callable[[], bool]) -> None:
        """Answer whatever the actor asks, until it is done."""
        callee = self.callee
        assert callee is not None
        while not done():
            until(lambda: done() or bool(unanswered(stage, callee)), stage.node)
            if not done():
                stage.tell(callee, b"answered")
                until(lambda: done() or stage.node.info(callee.id).mailbox == 0, stage.node)


def unanswered(stage: Theater, callee: ActorInfo) -> list[Message]:
    return [m for m in stage.node.journal.messages(callee.id) if m.state == "outstanding"]


def patient(grace_ms: int = 60_000, **limits: int) -> Manifest:
    handlers = f'[supervision]\nshutdown_ms = {grace_ms}\n[[handler]]\ntype = "message-server"\n'
    return manifest("scene", handlers=handlers, **limits)


def in_call(stage: Theater, actor: ActorInfo) -> None:
    until(lambda: stage.types(actor)[-1] == shapes.WASM_CALL, stage.node)


def scene(stage: Theater, situation: str) -> Scene:
    node = stage.node
    match situation:
        case "idle":
            return Scene(stage.start("counter", patient()))
        case "in-init":
            callee = stage.start("defer")
            component = node.add_component(ASKS_IN_INIT)
            starting = node.start(patient(), component=component, state=callee.id.encode())
            until(lambda: len(node.journal.messages(callee.id)) == 1, node)
            (actor,) = (each for each in node.list() if each.status == "starting")
            return Scene(actor, None, starting, callee)
        case "asleep":
            actor = stage.start(napping(), patient())
            asked = node.request(actor.id, b"?")
            stage.tell(actor, b"sleeps before this")
            return Scene(actor, asked)
        case "asking":
            callee = stage.start("defer")
            actor = stage.start("relay", patient(), callee.id.encode())
            asked = node.request(actor.id, b"?")
            until(lambda: len(node.journal.messages(callee.id)) == 1, node)
            in_call(stage, actor)
            return Scene(actor, asked, None, callee)
        case "computing":
            # Its deadline is a failure of the first try, so that it is tried again.
            actor = stage.start("loop", patient(100, deadline_ms=500))
            stage.tell(actor, b"go")
            in_call(stage, actor)
            return Scene(actor)
        case "full":
            actor = stage.start("counter", patient(mailbox=3))
            node.pause(actor.id).result(WAIT_S)
            waiting = [node.request(actor.id, b"?") for _ in range(3)]
            return Scene(actor, waiting[0])
        case "stopping":
            callee = stage.start("defer")
            actor = stage.start("relay", patient(), callee.id.encode())
            asked = node.request(actor.id, b"?")
            until(lambda: len(node.journal.messages(callee.id)) == 1, node)
            node.stop(actor.id)
            return Scene(actor, asked, None, callee)
        case "stopped":
            actor = stage.start("counter")
            node.stop(actor.id).result(WAIT_S)
            return Scene(actor)
        case "failed":
            with pytest.raises(ActorFailed):
                stage.start(TRAPS_IN_INIT)
            return Scene(node.list(ended=True)[-1])
        case _:
            raise KeyError(situation)


def outcome(order: Callable[[], Future[ActorInfo]]) -> Future[ActorInfo]:
    try:
        return order()
    except TheaterError as error:
        refused: Future[ActorInfo] = Future()
        refused.set_exception(error)
        return refused


@pytest.mark.parametrize(("situation", "order", "expected"), cells())
def test_an_order_comes_out_as_the_table_says_and_everybody_is_told(
    stage: Theater, situation: str, order: str, expected: str
) -> None:
    node = stage.node
    there = scene(stage, situation)
    actor = there.actor
    end = node.wait(actor.id)
    ordered = outcome(lambda: ORDERS[order](node, actor.id))
    if expected.startswith(">"):
        # Carried out by whoever has the actor, which is waiting: nothing could have done it yet.
        assert not ordered.done()
        there.release(stage, ordered.done)
        expected = expected[1:]
    if expected.startswith("-"):
        error = ordered.exception(WAIT_S)
        assert isinstance(error, TheaterError)
        assert error.code == f"actor.{expected[1:]}"
    else:
        assert ordered.result(WAIT_S).status == expected
        assert node.info(actor.id).status in (expected, "running")
    if node.info(actor.id).status == "paused":
        node.resume(actor.id).result(WAIT_S)
    if there.asked is not None and not there.asked.done():
        if there.callee is not None:
            there.release(stage, there.asked.done)
        until(there.asked.done, node)
    if there.starting is not None and order == "force":
        failure = there.starting.exception(WAIT_S)
        assert isinstance(failure, ActorFailed)
        assert failure.code == "actor.stopped"
    elif there.starting is not None:
        assert there.starting.result(WAIT_S).id == actor.id
    node.stop(actor.id, force=True).result(WAIT_S)
    assert end.result(WAIT_S).status in ("stopped", "failed")
    assert all(message.state == "dead" for message in node.journal.messages(actor.id))
    assert not node.journal.waits(actor.id)
    stage.prove(actor)
    assert second_problem(list(node.events(actor.id))) is None
