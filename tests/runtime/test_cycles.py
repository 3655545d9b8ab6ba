"""Waits that would never end: each is an error that names the cycle, at the moment it would close."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.actors import WAIT_S, Theater, manifest, until
from theater.errors import ActorFailed, Conflict
from theater.journal.sqlite import SqliteJournal
from theater.runtime import opening
from theater.runtime.cycles import SHOWN_MAX, WaitGraph
from theater.runtime.info import ActorInfo
from theater.runtime.node import Node
from theater.runtime.settings import NodeSettings


def actors(stage: Theater, count: int, **limits: int) -> list[ActorInfo]:
    return [stage.start("obey", manifest("obey", **limits)) for _ in range(count)]


def ask(first: ActorInfo, *others: ActorInfo) -> bytes:
    """The message that makes an actor ask the next one to ask the next one, and so on."""
    return b"".join(b"r" + each.id.encode() for each in others) + b"last"


def refused(stage: Theater, actor: ActorInfo, body: bytes) -> str:
    with pytest.raises(ActorFailed) as raised:
        stage.ask(actor, body)
    return raised.value.message


@pytest.mark.parametrize("length", [1, 2, 3, 12])
def test_a_request_that_closes_a_cycle_is_refused_and_named(stage: Theater, length: int) -> None:
    ring = actors(stage, length)
    first = ring[0]
    text = refused(stage, first, ask(first, *ring[1:], first))
    assert "request.cycle" in text
    for each in ring[-1:] + ring[:6]:
        assert each.id in text
    # Nobody is left behind: the same actors, not in a ring, get through.
    assert stage.ask(first, ask(first, *ring[1:])) == b"last"
    for each in ring:
        stage.prove(each)


def test_who_left_a_request_unanswered_can_not_ask_who_waits_for_it(stage: Theater) -> None:
    asker, defer = actors(stage, 2)
    answer = stage.node.request(asker.id, b"r" + defer.id.encode() + b"?")
    until(lambda: outstanding(stage, defer) == 1, stage.node)
    text = refused(stage, defer, b"r" + asker.id.encode() + b"x")
    assert text.startswith("request.cycle: ")
    assert asker.id in text
    assert defer.id in text
    assert not answer.done()
    stage.node.stop(defer.id).result(WAIT_S)
    assert isinstance(answer.exception(WAIT_S), ActorFailed)
    stage.prove(asker)
    stage.prove(defer)


def test_two_actors_that_fill_each_others_mailboxes_are_told(stage: Theater) -> None:
    one, two = actors(stage, 2, mailbox=1)
    gates = [stage.start("defer") for _ in range(2)]
    answers = []
    for gate, sender, receiver in zip(gates, (one, two), (two, one), strict=True):
        body = b"S" + gate.id.encode() + receiver.id.encode()
        answers.append(stage.node.request(sender.id, body))
        until(lambda gate=gate: outstanding(stage, gate) == 1, stage.node)  # type: ignore[misc]
    for gate in gates:
        stage.tell(gate, b"go")
    errors = [answer.exception(WAIT_S) for answer in answers]
    told = [str(error) for error in errors if error is not None]
    assert len(told) == 1  # the other one has its place once this one has gone on
    assert "request.cycle" in told[0]
    assert one.id in told[0]
    assert two.id in told[0]
    until(lambda: not stage.node.info(one.id).mailbox, stage.node)
    until(lambda: not stage.node.info(two.id).mailbox, stage.node)
    stage.prove(one)
    stage.prove(two)


def test_a_cycle_of_a_request_and_a_full_mailbox_is_found(stage: Theater) -> None:
    holder, sender = actors(stage, 2, mailbox=1)
    (asked,) = actors(stage, 1)
    stage.node.request(holder.id, b"r" + asked.id.encode() + b"?")
    until(lambda: outstanding(stage, asked) == 1, stage.node)
    stage.tell(holder, b"in its mailbox")
    stuck = stage.node.request(sender.id, b"s" + holder.id.encode() + b"no place for it")
    until(lambda: "wasm-call" in stage.types(sender)[3:], stage.node)
    text = refused(stage, asked, b"r" + sender.id.encode() + b"x")
    assert "request.cycle" in text
    for each in (holder, sender, asked):
        assert each.id in text
    assert not stuck.done()
    stage.node.stop(asked.id).result(WAIT_S)
    stuck.exception(WAIT_S)


def outstanding(stage: Theater, actor: ActorInfo) -> int:
    messages = stage.node.journal.messages(actor.id)
    return sum(message.state == "outstanding" for message in messages)


def test_who_waits_since_before_a_restart_is_known_before_anybody_is_taken_up(
    stage: Theater, cache_dir: Path
) -> None:
    asker, asked = actors(stage, 2)
    stage.node.request(asker.id, b"r" + asked.id.encode() + b"?")
    until(lambda: outstanding(stage, asked) == 1, stage.node)
    stage.node.close()
    node = Node(SqliteJournal.open(stage.data_dir), NodeSettings(cache_dir=cache_dir))
    try:
        node._dispatcher.stop()
        opening.recover(node._services, node._births.restored)
        graph = node._router._graph
        with pytest.raises(Conflict, match=asker.id):
            graph.enter(asked.id, asker.id, always)
        (wait,) = node._router.waits
        node._router.close_wait(wait)  # as when the asker's call is not taken up to there
        graph.enter(asked.id, asker.id, always)
    finally:
        node.close()


# The graph


def always() -> bool:
    return True


def test_a_wait_that_is_over_closes_no_cycle() -> None:
    graph = WaitGraph()
    waiting = [True]
    graph.enter("a", "b", lambda: waiting[0])
    with pytest.raises(Conflict):
        graph.enter("b", "a", always)
    waiting[0] = False
    graph.enter("b", "a", always)


def test_who_has_left_closes_no_cycle() -> None:
    graph = WaitGraph()
    graph.enter("a", "b", always)
    graph.leave("a")
    graph.leave("a")
    graph.enter("b", "a", always)


def test_a_refused_wait_leaves_no_trace() -> None:
    graph = WaitGraph()
    graph.enter("a", "b", always)
    with pytest.raises(Conflict):
        graph.enter("b", "a", always)
    graph.enter("c", "b", always)


def test_a_long_cycle_is_named_by_its_beginning() -> None:
    graph = WaitGraph()
    count = 10 * SHOWN_MAX
    for number in range(1, count):
        graph.enter(f"actor {number}", f"actor {(number + 1) % count}", always)
    with pytest.raises(Conflict) as raised:
        graph.enter("actor 0", "actor 1", always)
    assert f"actor {SHOWN_MAX - 1} waits for …" in raised.value.message
    assert len(raised.value.message) < 100 * SHOWN_MAX
