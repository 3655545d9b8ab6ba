"""Calls that wait when too many threads wait already: without a thread, and nobody notices."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from tests.handlers.http_client.servers import Request, Server, response
from tests.runtime.actors import WAIT_S, Theater, manifest, theater, until
from tests.runtime.test_clock import SetClock
from tests.runtime.test_inline import waits_for
from tests.runtime.variants import napping
from theater.errors import ActorFailed
from theater.handlers.grant_types import GRANT_TYPES
from theater.manifest import parse
from theater.manifest.model import Manifest
from theater.runtime.dispatcher import Dispatcher
from theater.runtime.info import ActorInfo
from theater.runtime.mailbox import Budget, Mailbox
from theater.runtime.node import Node
from theater.runtime.parking import Effects, Parked
from theater.runtime.settings import NodeSettings
from theater.runtime.waiting import WaitingCall

THREADS = 4
"""Half of them may wait; the other half goes on."""
WAITERS = 7
HOUR_MS = 3_600_000
REQUEST = "theater:simple/message-server-host/request"
FETCH = "theater:simple/http-client/send-http"


@pytest.fixture
def settings(cache_dir: Path) -> NodeSettings:
    return NodeSettings(cache_dir=cache_dir, workers=2, workers_max=THREADS)


@pytest.fixture
def stage(tmp_path: Path, settings: NodeSettings) -> Iterator[Theater]:
    with theater(tmp_path / "data", settings) as opened:
        yield opened


class Askers:
    """Actors that each ask one which answers when it is told to."""

    def __init__(self, stage: Theater, patience_ms: int = HOUR_MS, count: int = WAITERS) -> None:
        self.stage = stage
        self.gates = [stage.start("defer") for _ in range(count)]
        self.actors = [stage.start("obey", waits_for(patience_ms)) for _ in range(count)]

    def ask(self) -> list[Future[bytes]]:
        """Have each ask; returns when all wait."""
        node = self.stage.node
        asked = [
            node.request(actor.id, b"r" + gate.id.encode() + b"x", key=actor.id, timeout_ms=HOUR_MS)
            for actor, gate in zip(self.actors, self.gates, strict=True)
        ]
        until(lambda: all(self.waiting(gate) for gate in self.gates), node)
        return asked

    def waiting(self, gate: ActorInfo) -> int:
        """How many requests a gate has not answered."""
        messages = self.stage.node.journal.messages(gate.id)
        return sum(each.state == "outstanding" for each in messages)

    def open(self, *gates: ActorInfo) -> None:
        for gate in gates or self.gates:
            self.stage.tell(gate, b"answer of " + gate.id.encode())

    def answers(self) -> list[bytes]:
        return [b"answer of " + gate.id.encode() for gate in self.gates]

    def prove(self) -> None:
        """Each was asked once, and everything replays."""
        for gate in self.gates:
            assert self.stage.types(gate).count("wasm-call") == 3  # init, request, send
        for actor in self.actors:
            assert self.stage.types(actor).count(REQUEST) == 1
        for each in [*self.actors, *self.gates]:
            self.stage.prove(each)


def parked(node: Node, *actors: ActorInfo) -> list[str]:
    """Those that wait without a thread."""
    found = [node._router.actors.get(actor.id) for actor in actors]
    return [each.id for each in found if each is not None and isinstance(each.running, Parked)]


def taken_up(stage: Theater, actor: ActorInfo) -> int:
    return stage.types(actor).count("actor-recover")


def test_actors_that_wait_for_answers_starve_nobody_however_many_they_are(stage: Theater) -> None:
    other = stage.start("counter")
    askers = Askers(stage)
    asked = askers.ask()
    until(lambda: len(parked(stage.node, *askers.actors)) >= WAITERS - THREADS // 2, stage.node)
    for number in range(1, 4):
        assert stage.ask(other, b"?") == b"%d" % number
    statistics = stage.node._dispatcher.statistics()
    assert statistics.threads <= THREADS
    assert statistics.blocked <= THREADS // 2
    askers.open()
    assert [answer.result(WAIT_S) for answer in asked] == askers.answers()
    assert sum(taken_up(stage, actor) for actor in askers.actors) >= WAITERS - THREADS // 2
    askers.prove()


def test_a_parked_call_has_no_instance_and_a_new_one_when_it_goes_on(stage: Theater) -> None:
    askers = Askers(stage)
    asked = askers.ask()
    until(lambda: len(parked(stage.node, *askers.actors)) >= 3, stage.node)
    for each in parked(stage.node, *askers.actors):
        assert stage.node._router.actors[each].live is None
        assert not stage.node.passivate(each)
    askers.open()
    for answer in asked:
        answer.result(WAIT_S)
    for actor in askers.actors:
        assert stage.ask(actor, b"alive") == b"alive"


def test_a_time_out_comes_to_who_waits_without_a_thread(stage: Theater) -> None:
    askers = Askers(stage, patience_ms=400)
    for answer in askers.ask():
        with pytest.raises(ActorFailed, match=r"request\.timed_out"):
            answer.result(WAIT_S)
    assert any(taken_up(stage, actor) for actor in askers.actors)
    for gate in askers.gates:
        assert askers.waiting(gate) == 0
    for actor in askers.actors:
        assert stage.ask(actor, b"alive") == b"alive"
        stage.prove(actor)


def test_what_waits_without_a_thread_is_stopped_and_restarted_like_all_others(
    stage: Theater,
) -> None:
    askers = Askers(stage)
    asked = askers.ask()
    until(lambda: len(parked(stage.node, *askers.actors)) >= 3, stage.node)
    first, second, third = parked(stage.node, *askers.actors)[:3]
    assert stage.node.stop(first, force=True).result(WAIT_S).status == "stopped"
    assert stage.node.pause(second).done() is False, "it pauses after the call in hand"
    stage.node.restart(third, keep_state=True).result(WAIT_S)
    place = {actor.id: number for number, actor in enumerate(askers.actors)}
    assert isinstance(asked[place[first]].exception(WAIT_S), ActorFailed)
    # The restarted one asks again: its message was put back, and is another call.
    gate = askers.gates[place[third]]
    until(
        lambda: askers.waiting(gate) == 2 or stage.types(gate).count("wasm-call") == 3, stage.node
    )
    askers.open()
    for number, answer in enumerate(asked):
        if number != place[first]:
            assert answer.result(WAIT_S) == askers.answers()[number]
    until(lambda: stage.node.info(second).status == "paused", stage.node)
    for actor in askers.actors:
        stage.prove(actor)


def test_a_node_that_closes_goes_on_with_them_later_however_often_it_does(stage: Theater) -> None:
    askers = Askers(stage)
    askers.ask()
    until(lambda: len(parked(stage.node, *askers.actors)) >= 3, stage.node)
    for _ in range(3):
        stage.reopen()
        until(lambda: len(parked(stage.node, *askers.actors)) >= 3, stage.node)
    asked = askers.ask()  # the same keys, so the same requests
    askers.open()
    assert [answer.result(WAIT_S) for answer in asked] == askers.answers()
    askers.prove()


def test_a_cycle_is_found_through_who_waits_without_a_thread(stage: Theater) -> None:
    asked = [stage.start("obey") for _ in range(WAITERS)]
    askers = [stage.start("obey", waits_for(HOUR_MS)) for _ in range(WAITERS)]
    for asker, each in zip(askers, asked, strict=True):
        stage.tell(asker, b"r" + each.id.encode() + b"?")  # which is left unanswered
    until(lambda: len(parked(stage.node, *askers)) >= WAITERS - THREADS, stage.node)
    waiting = parked(stage.node, *askers)[0]
    waited_for = asked[[asker.id for asker in askers].index(waiting)]
    with pytest.raises(ActorFailed, match="would wait for ever"):
        stage.ask(waited_for, b"r" + waiting.encode() + b"x")
    assert parked(stage.node, *askers)[0] == waiting


# Sleeping


def test_actors_that_sleep_starve_nobody_and_wake_in_time(stage: Theater) -> None:
    sleeper = napping(400)
    sleepers = [stage.start(sleeper) for _ in range(WAITERS)]
    other = stage.start("counter")
    for each in sleepers:
        stage.tell(each, b"sleep")
    until(lambda: len(parked(stage.node, *sleepers)) >= WAITERS - THREADS, stage.node)
    assert stage.ask(other, b"?") == b"1"
    for each in sleepers:
        assert stage.ask(each, b"awake") == b"2"
        stage.prove(each)
    assert sum(taken_up(stage, each) for each in sleepers) >= WAITERS - THREADS


def test_a_parked_sleep_lasts_no_longer_when_the_clock_was_set_back(
    tmp_path: Path, cache_dir: Path
) -> None:
    clock = SetClock()
    chosen = NodeSettings(cache_dir=cache_dir, workers=2, workers_max=1, clock=clock)
    with theater(tmp_path / "data", chosen) as stage:
        actor = stage.start(napping(300))
        stage.tell(actor, b"sleep")
        until(lambda: bool(parked(stage.node, actor)), stage.node)
        clock.us -= HOUR_MS * 1000
        assert stage.ask(actor, b"awake") == b"2"
        stage.prove(actor)


# Effects


class Slow(Server):
    """A server that answers with the path that was asked for once it is told to."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.gate = threading.Event()

    def _answer(self, connection: socket.socket, read: Callable[[], Request | None]) -> None:
        while (request := read()) is not None:
            self.gate.wait(WAIT_S)
            connection.sendall(response(request.line.encode()))


@contextmanager
def slow_server() -> Iterator[Slow]:
    with Slow() as server:
        try:
            yield server
        finally:
            server.gate.set()


def fetching(server: Slow) -> Manifest:
    handlers = f"""[[handler]]
type = "message-server"

[[handler]]
type = "http-client"
allowed_hosts = ["127.0.0.1:{server.port}"]
allowed_methods = ["POST"]
allow_private = true
"""
    return manifest("fetch", handlers=handlers)


def test_actors_that_wait_for_servers_starve_nobody_and_ask_once(stage: Theater) -> None:
    with slow_server() as server:
        actors = [stage.start("fetch", fetching(server)) for _ in range(WAITERS)]
        other = stage.start("counter")
        asked = [
            stage.node.request(actor.id, server.url(f"/{number}").encode(), timeout_ms=HOUR_MS)
            for number, actor in enumerate(actors)
        ]
        until(lambda: len(server.requests) == WAITERS, stage.node)
        assert len(parked(stage.node, *actors)) >= WAITERS - THREADS // 2
        assert stage.ask(other, b"?") == b"1"
        server.gate.set()
        for number, answer in enumerate(asked):
            assert answer.result(WAIT_S) == f"POST /{number} HTTP/1.1".encode()
        assert len(server.requests) == WAITERS, "no request was made twice"
        keys = {request.header("idempotency-key") for request in server.requests}
        assert len(keys) == WAITERS
        for actor in actors:
            types = stage.types(actor)
            assert (types.count(FETCH + "!"), types.count(FETCH)) == (1, 1)
            (event,) = (e for e in stage.node.events(actor.id) if e.type == FETCH)
            assert b"127.0.0.1" in (event.data or b""), "its facts are recorded"
            stage.prove(actor)


def test_who_is_stopped_while_its_request_is_under_way_ends_at_once(stage: Theater) -> None:
    with slow_server() as server:
        actors = [stage.start("fetch", fetching(server)) for _ in range(WAITERS)]
        for number, actor in enumerate(actors):
            stage.node.request(actor.id, server.url(f"/{number}").encode(), timeout_ms=HOUR_MS)
        until(lambda: len(server.requests) == WAITERS, stage.node)
        first = parked(stage.node, *actors)[0]
        assert stage.node.stop(first, force=True).result(WAIT_S).status == "stopped"
        assert [e.type for e in stage.node.events(first)].count("wasm-error") == 1


# Sending to a full mailbox


class Senders:
    """Actors that are told to send to one which takes nothing for now and has room for one message."""

    def __init__(self, stage: Theater, patience_ms: int = HOUR_MS) -> None:
        self.stage = stage
        self.hub = stage.start("counter", manifest("counter", mailbox=1))
        stage.node.pause(self.hub.id).result(WAIT_S)
        text = f"""name = "relay"
component = "unused.wasm"
send_timeout_ms = {patience_ms}

[[handler]]
type = "message-server"
"""
        patient = parse(text, grant_types=GRANT_TYPES)
        self.actors = [
            stage.start("relay", patient, state=self.hub.id.encode()) for _ in range(WAITERS)
        ]

    def send(self) -> None:
        """Have each send; returns when those wait for whom there is no thread."""
        for actor in self.actors:
            self.stage.tell(actor, b"x")
        until(lambda: self.parked() == WAITERS - 1 - THREADS // 2, self.stage.node)

    def parked(self) -> int:
        return len(parked(self.stage.node, *self.actors))

    def ends(self, actor: ActorInfo) -> list[str]:
        """How the calls of an actor ended, its `init` left out."""
        types = self.stage.types(actor)
        return [each for each in types if each in ("wasm-result", "wasm-error")][1:]


def test_senders_to_a_full_mailbox_keep_its_actor_from_nothing(stage: Theater) -> None:
    senders, other = Senders(stage), stage.start("counter")
    senders.send()
    assert stage.ask(other, b"?") == b"1"
    stage.node.resume(senders.hub.id).result(WAIT_S)
    until(lambda: stage.node.state(senders.hub.id) == b"%d" % WAITERS, stage.node)
    for actor in senders.actors:
        until(lambda each=actor: senders.ends(each) == ["wasm-result"], stage.node)  # type: ignore[misc]
        stage.prove(actor)
    stage.prove(senders.hub)
    assert stage.types(senders.hub).count("wasm-call") == 1 + WAITERS, "none was sent twice"


def test_a_sender_without_a_thread_gives_up_in_time(stage: Theater) -> None:
    senders = Senders(stage, patience_ms=500)
    for actor in senders.actors:
        stage.tell(actor, b"x")
    until(lambda: all(senders.ends(each) for each in senders.actors), stage.node)
    ends = [senders.ends(each) for each in senders.actors]
    assert ends.count(["wasm-result"]) == 1
    assert ends.count(["wasm-error"]) == WAITERS - 1
    stage.node.resume(senders.hub.id).result(WAIT_S)
    until(lambda: stage.node.state(senders.hub.id) == b"1", stage.node)
    for actor in senders.actors:
        stage.tell(actor, b"again")
    until(lambda: stage.node.state(senders.hub.id) == b"%d" % (1 + WAITERS), stage.node)


def test_a_sender_that_is_stopped_leaves_its_turn_to_the_next(stage: Theater) -> None:
    senders = Senders(stage)
    senders.send()
    stopped = parked(stage.node, *senders.actors)[:2]
    for each in stopped:
        assert stage.node.stop(each, force=True).result(WAIT_S).status == "stopped"
    stage.node.resume(senders.hub.id).result(WAIT_S)
    until(lambda: stage.node.state(senders.hub.id) == b"%d" % (WAITERS - 2), stage.node)
    mailbox = stage.node._router.actors[senders.hub.id].mailbox
    assert (len(mailbox), mailbox.bytes, mailbox.crowded) == (0, 0, False)


def test_senders_are_told_that_their_receiver_has_ended(stage: Theater) -> None:
    senders = Senders(stage)
    senders.send()
    stage.node.stop(senders.hub.id, force=True).result(WAIT_S)
    for actor in senders.actors:
        until(lambda each=actor: bool(senders.ends(each)), stage.node)  # type: ignore[misc]
        stage.prove(actor)


# The parts


def test_who_was_killed_while_it_waited_without_a_thread_leaves_nothing(stage: Theater) -> None:
    askers = Askers(stage)
    askers.ask()
    until(lambda: len(parked(stage.node, *askers.actors)) >= 3, stage.node)
    waiting = stage.node._router._graph
    assert len(waiting) == WAITERS
    for actor in askers.actors:
        stage.node.stop(actor.id)
        stage.node.stop(actor.id, force=True).result(WAIT_S)
    assert len(waiting) == 0


def test_a_call_whose_place_is_not_wanted_any_more_sends_to_others(stage: Theater) -> None:
    full, other = Mailbox(1, Budget()), Mailbox(1, Budget())
    actor = stage.start("obey")
    call = WaitingCall(stage.node._services, stage.node._router.actors[actor.id], None)
    call.turn = full.turn(10, lambda: None)
    call.turn.stand_in_line()
    assert full.bytes == 10, "it has its turn"
    assert call.has_place(other, 10)
    assert full.bytes == 0, "and has given it back"
    assert call.turn is None


def test_a_place_goes_to_whoever_stands_first_in_line_and_comes_back_if_it_is_not_wanted() -> None:
    mailbox = Mailbox(1, Budget())
    told: list[str] = []
    assert mailbox.reserve(10)
    first, second, third = (
        mailbox.turn(10, lambda name=name: told.append(name))  # type: ignore[misc]
        for name in ("first", "second", "third")
    )
    for turn in (first, second, third):
        turn.stand_in_line()
    assert mailbox.crowded
    assert told == []
    second.give_up()
    mailbox.release(10)
    assert told == ["first"]
    assert not mailbox.reserve(10), "it is the first one's"
    assert first.take(mailbox, 10)
    mailbox.release(10)
    assert told == ["first", "third"]
    assert not third.take(mailbox, 11), "another size is another message"
    assert not mailbox.crowded
    assert mailbox.reserve(10), "and its place was given back"


def test_who_stands_in_line_at_a_mailbox_that_closes_is_told() -> None:
    mailbox = Mailbox(1, Budget())
    told: list[str] = []
    assert mailbox.reserve(10)
    turn = mailbox.turn(10, lambda: told.append("closed"))
    turn.stand_in_line()
    mailbox.close()
    late = mailbox.turn(10, lambda: told.append("late"))
    late.stand_in_line()
    assert told == ["closed", "late"]
    assert not turn.take(mailbox, 10)


def test_every_other_turn_is_for_those_whom_others_wait_for() -> None:
    order: list[str] = []
    go, over = threading.Event(), threading.Event()

    class Actor:
        def __init__(self, name: str, times: int, crowded: bool) -> None:
            self.name, self.left, self.crowded = name, times, crowded

        def run_batch(self) -> bool:
            go.wait(WAIT_S)
            order.append(self.name)
            self.left -= 1
            if len(order) == 9:
                over.set()
            return self.left > 0

    dispatcher = Dispatcher(1, 1)
    try:
        dispatcher.schedule(Actor("first", 1, crowded=False))
        for name in "abcde":
            dispatcher.schedule(Actor(name, 1, crowded=False))
        dispatcher.schedule(Actor("hub", 3, crowded=True))
        go.set()
        assert over.wait(WAIT_S)
    finally:
        dispatcher.close(WAIT_S)
    # Whether the first turn was taken before the hub came is chance.
    assert [name for name in order if name != "hub"] == ["first", *"abcde"]
    places = [place for place, name in enumerate(order) if name == "hub"]
    assert [later - earlier for earlier, later in pairwise(places)] == [2, 2]


def test_a_parked_call_is_taken_up_once_whatever_wakes_it() -> None:
    taken: list[str] = []
    cancelled: list[str] = []

    class Call:
        def gives_way(self) -> bool:
            return True

        def kill(self, kind: str) -> None:
            taken.append(kind)

    def later(_seconds: float, _wake: Callable[[], None]) -> Callable[[], None]:
        return lambda: cancelled.append("timer")

    call = Parked(Call(), lambda: taken.append("up"))
    call.wake_after(1, later)
    assert call.gives_way()
    call.kill("killed")
    call.wake()
    call.kill("killed")
    assert taken == ["killed", "up", "killed"]
    assert cancelled == ["timer"]
    call.wake_after(1, later)
    assert cancelled == ["timer", "timer"], "a timer that comes too late is cancelled"


def test_effects_beyond_their_number_wait_for_one_that_ends() -> None:
    effects = Effects(at_once_max=1)
    gate, began, ended = threading.Event(), threading.Event(), threading.Semaphore(0)
    order: list[int] = []

    def first() -> None:
        began.set()
        gate.wait(WAIT_S)
        order.append(1)
        ended.release()
        raise ValueError("it must not keep the others")

    def second() -> None:
        order.append(2)
        ended.release()

    effects.begin(first)
    effects.begin(second)
    assert began.wait(WAIT_S)
    assert order == []
    gate.set()
    assert all(ended.acquire(timeout=WAIT_S) for _ in range(2))
    assert order == [1, 2]
