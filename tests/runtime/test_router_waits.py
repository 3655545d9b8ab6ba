"""Requests between actors: late answers, answers given later, time-outs, restarts of the node."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.runtime.actors import WAIT_S, Theater, manifest, theater, until
from theater import limits
from theater.chain.event import Event
from theater.clock import SystemClock
from theater.errors import ActorFailed, Conflict, TimedOut, Unavailable
from theater.runtime.info import ActorInfo
from theater.runtime.settings import NodeSettings
from theater.values import cbor

HOUR_MS = 3_600_000
HOUR_S = 3600.0
REQUEST = "theater:simple/message-server-host/request"
RESPOND = "theater:simple/message-server-host/respond-to-request"
CANCEL = "theater:simple/message-server-host/cancel-request"


class Ahead(SystemClock):
    """The machine's clocks, put forward."""

    __slots__ = ("seconds",)

    def __init__(self) -> None:
        self.seconds = 0.0

    def wall_us(self) -> int:
        return super().wall_us() + int(self.seconds * 1e6)

    def monotonic(self) -> float:
        return super().monotonic() + self.seconds


@dataclass
class Pair:
    """An actor that asks on, and one that answers when it is told to."""

    stage: Theater
    clock: Ahead
    callee: ActorInfo
    asker: ActorInfo

    def ask(self) -> Future[bytes]:
        """A client's request whose answer needs the callee's; returns when it is outstanding."""
        answer = self.stage.node.request(self.asker.id, b"?", timeout_ms=24 * HOUR_MS)
        until(lambda: self.outstanding() == 1, self.stage.node)
        return answer

    def outstanding(self) -> int:
        messages = self.stage.node.journal.messages(self.callee.id)
        return sum(m.state == "outstanding" for m in messages)

    def dead(self) -> list[str | None]:
        """The reasons of the callee's dead letters."""
        messages = self.stage.node.journal.messages(self.callee.id)
        return [m.reason for m in messages if m.state == "dead"]

    def event(self, actor: ActorInfo, type_: str) -> Event:
        """The one event of that type, once it is there."""
        found: list[Event] = []

        def there() -> bool:
            found[:] = [e for e in self.stage.node.events(actor.id) if e.type == type_]
            return bool(found)

        until(there, self.stage.node)
        (event,) = found
        return event

    def error_of_callee(self) -> bytes:
        """The error with which the callee's call ended."""
        return self.event(self.callee, "wasm-error").data or b""

    def prove(self) -> None:
        for actor in (self.callee, self.asker):
            self.stage.prove(actor)


@pytest.fixture
def pair(tmp_path: Path, cache_dir: Path) -> Iterator[Pair]:
    clock = Ahead()
    with theater(tmp_path / "data", NodeSettings(cache_dir=cache_dir, clock=clock)) as stage:
        callee = stage.start("defer")
        yield Pair(stage, clock, callee, stage.start("relay", state=callee.id.encode()))


@pytest.mark.parametrize("text", [b"at last", b""], ids=["answered", "given up"])
def test_who_asked_knows_the_event_that_answered_later(pair: Pair, text: bytes) -> None:
    answer = pair.ask()
    pair.stage.tell(pair.callee, text)
    if text:
        assert answer.result(WAIT_S) == text
    else:
        with pytest.raises(ActorFailed) as failure:
            answer.result(WAIT_S)
        assert failure.value.code == "request.cancelled"
    answered = pair.event(pair.callee, RESPOND if text else CANCEL)
    facts = cbor.decode(pair.event(pair.asker, REQUEST).data or b"")
    assert isinstance(facts, dict)
    assert facts["facts"]["peer"] == {
        "actor": pair.callee.id,
        "seq": answered.seq,
        "hash": answered.hash,
    }
    assert not pair.stage.node.journal.messages()
    pair.prove()


def test_an_answer_to_a_request_that_timed_out_is_an_error_and_a_dead_letter(pair: Pair) -> None:
    answer = pair.ask()
    pair.clock.seconds += HOUR_S
    pair.stage.tell(pair.callee, b"too late")
    assert b"answer.late" in pair.error_of_callee()
    with pytest.raises(ActorFailed) as failure:
        answer.result(WAIT_S)
    assert failure.value.code == "request.timed_out"
    assert pair.dead() == ["answer.late"]
    pair.prove()


def test_a_callee_on_the_requesters_thread_cant_answer_after_the_time_out(
    tmp_path: Path, cache_dir: Path
) -> None:
    clock = Ahead()
    callee: list[ActorInfo] = []

    def failpoint(point: str, _number: int) -> None:
        # An hour passes while the callee has its message in hand.
        if point == "before" and callee and clock.seconds == 0:
            actor = stage.node._router.actors[callee[0].id]
            if actor.running is not None and actor.in_hand is not None:
                clock.seconds = HOUR_S

    settings = NodeSettings(cache_dir=cache_dir, clock=clock, failpoint=failpoint)
    with theater(tmp_path / "data", settings) as stage:
        counter = stage.start("counter")
        relay = stage.start("relay", state=counter.id.encode())
        callee.append(counter)
        with pytest.raises(ActorFailed) as failure:
            stage.node.request(relay.id, b"?", timeout_ms=24 * HOUR_MS).result(WAIT_S)
        assert failure.value.code == "request.timed_out"
        assert clock.seconds == HOUR_S
        assert stage.node.state(counter.id) == b"1"
        (dead,) = stage.node.journal.messages()
        assert (dead.state, dead.reason) == ("dead", "answer.late")
        for actor in (counter, relay):
            stage.prove(actor)


def test_time_in_which_the_node_was_away_does_not_count(pair: Pair) -> None:
    pair.ask()
    for _ in range(2):
        pair.stage.node.close()
        pair.clock.seconds += HOUR_S
        pair.stage.reopen()
        # The actor that asks comes back to its wait.
        waits = pair.stage.node._router.waits.values()
        until(lambda waits=waits: all(w.due is not None for w in waits), pair.stage.node)  # type: ignore[misc]
    pair.stage.tell(pair.callee, b"still in time")
    replied = pair.event(pair.asker, REQUEST)
    assert b"still in time" in (replied.data or b"")
    pair.prove()


def test_a_requesters_end_is_the_end_of_its_outstanding_request(pair: Pair) -> None:
    pair.ask()
    pair.stage.node.stop(pair.asker.id, force=True).result(WAIT_S)
    until(lambda: pair.outstanding() == 0, pair.stage.node)
    assert pair.dead() == ["request.abandoned"]
    pair.stage.tell(pair.callee, b"for nobody")
    assert b"request.not_found" in pair.error_of_callee()


def test_an_outstanding_request_ends_with_its_clients_deadline(pair: Pair) -> None:
    node = pair.stage.node
    late = node.request(pair.callee.id, b"?", timeout_ms=50, key="k")
    with pytest.raises(TimedOut):
        late.result(WAIT_S)
    until(lambda: pair.dead() == ["request.timed_out"], node)
    with pytest.raises(ActorFailed) as again:
        node.request(pair.callee.id, b"?", key="k").result(WAIT_S)
    assert again.value.code == "request.timed_out"
    pair.stage.tell(pair.callee, b"for nobody")
    assert b"request.not_found" in pair.error_of_callee()


def test_a_client_that_comes_back_with_its_key_keeps_the_request(pair: Pair) -> None:
    node = pair.stage.node
    waiting = node.request(pair.callee.id, b"?", timeout_ms=24 * HOUR_MS, key="k")
    with pytest.raises(TimedOut):
        node.request(pair.callee.id, b"?", timeout_ms=50, key="k").result(WAIT_S)
    until(lambda: pair.outstanding() == 1, node)
    pair.stage.tell(pair.callee, b"kept")
    assert waiting.result(WAIT_S) == b"kept"
    assert len(node._router.clients) == 0


def test_unanswered_requests_are_bounded(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OUTSTANDING_MAX", 2)
    for number in range(1, 3):
        pair.stage.node.request(pair.callee.id, b"?")
        until(lambda number=number: pair.outstanding() == number, pair.stage.node)  # type: ignore[misc]
    with pytest.raises(Unavailable) as full:
        pair.stage.node.request(pair.callee.id, b"?")
    assert full.value.code == "requests.full"
    pair.stage.tell(pair.callee, b"answer")
    until(lambda: pair.outstanding() == 1, pair.stage.node)
    pair.stage.node.request(pair.callee.id, b"?")


def test_a_requester_gets_no_answer_above_its_own_bound(pair: Pair) -> None:
    stage = pair.stage
    small = stage.start("relay", manifest("relay", message_bytes=100), pair.callee.id.encode())
    answer = stage.node.request(small.id, b"?")
    until(lambda: pair.outstanding() == 1, stage.node)
    stage.tell(pair.callee, bytes(101))
    with pytest.raises(ActorFailed) as failure:
        answer.result(WAIT_S)
    assert failure.value.code == "answer.too_large"
    stage.prove(small)


def test_a_blocked_send_ends_when_its_actor_is_killed(stage: Theater) -> None:
    busy = stage.start("loop", manifest("loop", deadline_ms=60_000, mailbox=1))
    stage.tell(busy, b"go")
    until(lambda: stage.types(busy)[-1] == "wasm-call", stage.node)
    stage.tell(busy, b"fills the mailbox")
    patient = replace(manifest("relay"), send_timeout_ms=HOUR_MS)
    sender = stage.start("relay", patient, state=busy.id.encode())
    stage.tell(sender, b"waits for a place")
    until(lambda: stage.types(sender)[-1] == "wasm-call", stage.node)
    assert stage.node.stop(sender.id, force=True).result(WAIT_S).status == "stopped"
    assert len(stage.node._router.actors[busy.id].mailbox._waiting) == 0
    stage.node.stop(busy.id, force=True).result(WAIT_S)


def test_a_request_to_an_actor_that_has_just_ended_is_refused(stage: Theater) -> None:
    counter = stage.start("counter")
    relay = stage.start("relay", state=counter.id.encode())
    # As a worker leaves it that is about to write the end: closed, not yet marked.
    stage.node._router.actors[counter.id].mailbox.close()
    with pytest.raises(ActorFailed) as failure:
        stage.ask(relay, b"?")
    assert "actor.not_found" in failure.value.message
    assert stage.node.state(counter.id) != b"1"


def test_an_actor_that_is_to_stop_takes_no_messages(stage: Theater) -> None:
    busy = stage.start("loop", manifest("loop", deadline_ms=60_000))
    stage.tell(busy, b"go")
    until(lambda: stage.types(busy)[-1] == "wasm-call", stage.node)
    ended = stage.node.stop(busy.id)
    with pytest.raises(Conflict) as refused:
        stage.node.send(busy.id, b"too late")
    assert refused.value.code == "actor.stopping"
    stage.node.stop(busy.id, force=True)
    assert ended.result(WAIT_S).status == "stopped"
