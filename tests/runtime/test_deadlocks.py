"""Every way in which actors can wait for one another: each is an error that names them, long before any
time-out. One row a way, real actors, and no wait that would be over by itself within ten minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace

import pytest

from tests.runtime.actors import WAIT_S, Theater, manifest, until
from tests.runtime.households import HANDLERS, description
from theater.errors import ActorFailed
from theater.manifest.model import Manifest
from theater.runtime.info import ActorInfo

PATIENCE_MS = 600_000
MINUTES = f"request_timeout_ms = {PATIENCE_MS}\nsend_timeout_ms = {PATIENCE_MS}\n"

Way = Callable[[Theater], tuple[Future[bytes], list[str]]]
"""Closes a cycle; returns what is answered with the error, and the ids that it must name."""


def patient(name: str, **limits: int) -> Manifest:
    handlers = {"handlers": HANDLERS} if name == "parent" else {}
    chosen = manifest(name, **handlers, **limits)  # type: ignore[arg-type]
    return replace(chosen, request_timeout_ms=PATIENCE_MS, send_timeout_ms=PATIENCE_MS)


def start(stage: Theater, guest: str, count: int = 1, **limits: int) -> list[ActorInfo]:
    return [stage.start(guest, patient(guest, **limits)) for _ in range(count)]


def ask(stage: Theater, actor: ActorInfo | str, body: bytes | str) -> Future[bytes]:
    """Ask from outside, with as much patience."""
    id_ = actor if isinstance(actor, str) else actor.id
    encoded = body if isinstance(body, bytes) else body.encode()
    return stage.node.request(id_, encoded, timeout_ms=PATIENCE_MS)


def left_at(stage: Theater, actor: ActorInfo, count: int = 1) -> None:
    """Wait until so many requests are left unanswered there."""

    def left() -> int:
        return sum(m.state == "outstanding" for m in stage.node.journal.messages(actor.id))

    until(lambda: left() == count, stage.node)


def ring(length: int) -> Way:
    def way(stage: Theater) -> tuple[Future[bytes], list[str]]:
        actors = start(stage, "obey", length)
        path = b"".join(b"r" + each.id.encode() for each in [*actors[1:], actors[0]])
        return ask(stage, actors[0], path + b"x"), [each.id for each in actors]

    return way


def deferred(stage: Theater) -> tuple[Future[bytes], list[str]]:
    asker, asked = start(stage, "obey", 2)
    ask(stage, asker, f"r{asked.id}?")
    left_at(stage, asked)
    return ask(stage, asked, f"r{asker.id}x"), [asker.id, asked.id]


def deferred_through_a_third(stage: Theater) -> tuple[Future[bytes], list[str]]:
    asker, between, asked = start(stage, "obey", 3)
    ask(stage, asker, f"r{between.id}r{asked.id}?")
    left_at(stage, asked)
    return ask(stage, asked, f"r{asker.id}x"), [asker.id, between.id, asked.id]


def two_full_mailboxes(stage: Theater) -> tuple[Future[bytes], list[str]]:
    pair = start(stage, "obey", 2, mailbox=1)
    gates = start(stage, "defer", 2)
    answers = []
    for gate, sender, receiver in zip(gates, pair, reversed(pair), strict=True):
        answers.append(ask(stage, sender, f"S{gate.id}{receiver.id}"))
        left_at(stage, gate)
    for gate in gates:
        stage.tell(gate, b"go")
    until(lambda: any(each.done() for each in answers), stage.node)
    # Which of them came second is chance; once it has its error the other one has its place.
    return next(e for e in answers if e.done() and e.exception()), [each.id for each in pair]


def a_full_mailbox_and_a_request(stage: Theater) -> tuple[Future[bytes], list[str]]:
    holder, sender = start(stage, "obey", 2, mailbox=1)
    (asked,) = start(stage, "obey")
    ask(stage, holder, f"r{asked.id}?")
    left_at(stage, asked)
    stage.tell(holder, b"in its mailbox")
    ask(stage, sender, f"s{holder.id}no place for it")
    until(lambda: "wasm-call" in stage.types(sender)[3:], stage.node)
    return ask(stage, asked, f"r{sender.id}x"), [holder.id, sender.id, asked.id]


def spawn(stage: Theater, asks: str) -> bytes:
    """An order to spawn a child whose `init` asks this actor."""
    state = f"r{asks}s".encode()
    return b"C" + bytes([len(state)]) + state + description(stage, more=MINUTES).encode()


def a_child_that_asks_its_parent_in_init(stage: Theater) -> tuple[Future[bytes], list[str]]:
    (parent,) = start(stage, "parent")
    return ask(stage, parent, spawn(stage, parent.id)), [parent.id]


def a_child_that_asks_who_waits_for_its_parent(
    stage: Theater,
) -> tuple[Future[bytes], list[str]]:
    (asker,), (parent,) = start(stage, "obey"), start(stage, "parent")
    body = b"r" + parent.id.encode() + spawn(stage, asker.id)
    return ask(stage, asker, body), [asker.id, parent.id]


def child_order(letter: str) -> Way:
    def way(stage: Theater) -> tuple[Future[bytes], list[str]]:
        """An order about a child comes before that child's own question."""
        (parent,), (gate,) = start(stage, "parent"), start(stage, "defer")
        child = ask(stage, parent, "c" + description(stage, more=MINUTES)).result(WAIT_S).decode()
        ask(stage, parent, f"r{gate.id}x")
        left_at(stage, gate)
        ordered = ask(stage, parent, f"{letter}{child}")
        ask(stage, child, f"r{parent.id}s")
        until(lambda: stage.node.info(parent.id).mailbox == 2, stage.node)
        stage.tell(gate, b"go")
        return ordered, [parent.id, child]

    return way


def a_channel_to_itself(stage: Theater) -> tuple[Future[bytes], list[str]]:
    (one,) = start(stage, "channels")
    return ask(stage, one, f"o{one.id}"), [one.id]


def a_channel_to_who_asks_its_opener(stage: Theater) -> tuple[Future[bytes], list[str]]:
    one, two = start(stage, "channels", 2)
    return ask(stage, one, f"o{two.id}g{one.id}"), [one.id, two.id]


def a_channel_that_is_full_and_a_deferred_answer(
    stage: Theater,
) -> tuple[Future[bytes], list[str]]:
    (one, opener), (two,) = start(stage, "channels", 2), start(stage, "channels", mailbox=1)
    channel = ask(stage, one, f"o{two.id}").result(WAIT_S).decode()
    ask(stage, opener, f"o{two.id}g{one.id}")
    left_at(stage, one)
    stage.tell(two, b"in its mailbox")
    return ask(stage, one, f"s{channel}x"), [one.id, two.id]


WAYS: dict[str, Way] = {
    "itself": ring(1),
    "each other": ring(2),
    "three in a ring": ring(3),
    "sixteen and more, of whom the last runs on another thread": ring(20),
    "a deferred answer": deferred,
    "a deferred answer, through a third": deferred_through_a_third,
    "two full mailboxes": two_full_mailboxes,
    "a full mailbox and a request": a_full_mailbox_and_a_request,
    "init asks the parent": a_child_that_asks_its_parent_in_init,
    "init asks who waits for the parent": a_child_that_asks_who_waits_for_its_parent,
    "stop-child of who asks the parent": child_order("x"),
    "restart-child of who asks the parent": child_order("y"),
    "a channel to itself": a_channel_to_itself,
    "a channel, accepted by asking the opener": a_channel_to_who_asks_its_opener,
    "a full mailbox behind a channel": a_channel_that_is_full_and_a_deferred_answer,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_wait_that_would_close_a_cycle_is_refused_at_once_and_names_it(
    stage: Theater, way: str
) -> None:
    begun = time.monotonic()
    answer, ids = WAYS[way](stage)
    error = answer.exception(WAIT_S)
    took = time.monotonic() - begun
    assert isinstance(error, ActorFailed), f"{way}: {error!r} after {took:.3f} s"
    assert "request.cycle" in error.message, f"{way}: {error.message} after {took:.3f} s"
    for id_ in ids[:6]:
        assert id_ in error.message
    assert took < PATIENCE_MS / 1000 / 4, f"{way}: {took:.3f} s"
