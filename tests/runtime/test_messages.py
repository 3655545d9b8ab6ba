"""What becomes of messages: answers, late answers, errors, order, bounds, keys."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from tests.guests.components import built
from tests.runtime.actors import WAIT_S, Theater, guest, manifest, until
from tests.runtime.languages import HANDLERS
from theater.errors import ActorFailed, Conflict, NotFound, TheaterError, TimedOut, TooLarge
from theater.runtime.info import ActorInfo


@pytest.fixture(scope="session")
def conformance(request: pytest.FixtureRequest) -> bytes:
    """A Python guest that does what a message says, through every host function."""
    return built("conformance", Path(request.config.cache.mkdir("guests"))).read_bytes()


class Told:
    """An actor that does what it is told."""

    def __init__(self, stage: Theater, component: bytes, **limits: int) -> None:
        self.stage = stage
        self.info: ActorInfo = stage.start(component, manifest("told", handlers=HANDLERS, **limits))

    def ask(self, do: str, **rest: Any) -> Any:
        return json.loads(self.later(do, **rest).result(WAIT_S))

    def later(self, do: str, **rest: Any) -> Future[bytes]:
        return self.stage.node.request(self.info.id, json.dumps({"do": do, **rest}).encode())


@pytest.fixture
def told(stage: Theater, conformance: bytes) -> Told:
    return Told(stage, conformance)


@pytest.mark.slow
def test_an_unanswered_request_stays_outstanding_across_calls_passivation_and_reopening(
    stage: Theater, told: Told, conformance: bytes
) -> None:
    asker = Told(stage, conformance)
    waiting = asker.later("ask", actor=told.info.id, value={"do": "defer"})
    until(lambda: told.ask("recall") is not None and bool(_outstanding(stage, told)), stage.node)
    stage.node.passivate(told.info.id)
    stage.reopen()  # the client's own wait ends with its node; the actor's goes on
    with pytest.raises(TheaterError):
        waiting.result(WAIT_S)
    assert told.ask("answer", value="at last") == 1
    until(lambda: stage.node.info(asker.info.id).mailbox == 0, stage.node)
    asker.ask("recall")
    replied = [e for e in stage.node.events(asker.info.id) if e.type.endswith("/request")]
    assert len(replied) == 1
    assert b"at last" in (replied[0].data or b"")
    for actor in (told.info, asker.info):
        stage.prove(actor)


def _outstanding(stage: Theater, told: Told) -> list[str]:
    messages = stage.node.journal.messages(told.info.id)
    return [m.id for m in messages if m.state == "outstanding"]


@pytest.mark.slow
def test_a_request_that_is_given_up_is_an_error_that_says_so(stage: Theater, told: Told) -> None:
    waiting = told.later("defer")
    until(lambda: bool(_outstanding(stage, told)), stage.node)
    open_requests = _outstanding(stage, told)
    assert told.ask("give_up") == open_requests
    assert not _outstanding(stage, told)
    with pytest.raises(ActorFailed) as failure:
        waiting.result(WAIT_S)
    assert "request.cancelled" in failure.value.message
    stage.prove(told.info)


@pytest.mark.slow
def test_every_function_of_the_store_works_and_replays(stage: Theater, told: Told) -> None:
    kept = told.ask("keep", text="content")
    assert kept["there"] == [True, False]
    assert kept["labels"] == ["kept"]
    assert kept["contents"] == 3
    assert kept["read"] == "contentcontent"
    assert kept["nothing"] is None
    stage.reopen()
    again = told.ask("keep", text="content")
    assert again["hashes"] == kept["hashes"]
    stage.prove(told.info)


@pytest.mark.slow
def test_an_actors_own_history_is_what_the_chain_says(stage: Theater, told: Told) -> None:
    seen = told.ask("history")
    types = stage.types(told.info)
    assert seen == types[: len(seen)]
    assert seen[-1] == "wasm-call"
    stage.prove(told.info)


@pytest.mark.slow
def test_an_actor_that_ends_itself_gives_its_result(stage: Theater, told: Told) -> None:
    ended = stage.node.wait(told.info.id)
    told.ask("end", result={"answer": 42})
    info = ended.result(WAIT_S)
    assert info.status == "stopped"
    assert info.outcome is not None
    assert json.loads(info.outcome.body) == {"answer": 42}
    assert stage.types(told.info)[-1] == "actor-stop"
    assert stage.node.verify(told.info.id).complete
    stage.prove(told.info)


@pytest.mark.slow
def test_unknown_receivers_and_the_actor_itself_are_refused_at_once(
    stage: Theater, told: Told
) -> None:
    missing = told.ask("ask", actor="nobody", value=1)
    assert missing["code"] == "actor.not_found"
    itself = told.ask("ask", actor=told.info.id, value=1)
    assert itself["code"] == "request.cycle"
    with pytest.raises(NotFound):
        stage.node.send("00000000-0000-4000-8000-000000000000", b"")


@pytest.mark.slow
def test_whatever_a_python_guest_does_wrong_it_lives_on(stage: Theater, told: Told) -> None:
    for wrong in ("reject", "divide", "leave", "recurse", "spoil", "abort", "hoard"):
        with pytest.raises(ActorFailed):
            told.later(wrong, by=0).result(WAIT_S)
    assert told.ask("echo", value="alive") == "alive"
    assert not [n for n in told.ask("recall") if n == "never kept"]
    stage.prove(told.info)


def test_one_senders_messages_arrive_in_order(stage: Theater) -> None:
    counter = stage.start("counter")
    relay = stage.start("relay", state=counter.id.encode())
    for number in range(200):
        stage.node.send(relay.id, b"%d" % number)
    until(lambda: stage.node.state(counter.id) == b"200", stage.node)
    logged = [
        (e.data or b"").rpartition(b"\x81")[2][1:]
        for e in stage.node.events(counter.id)
        if e.type == "theater:simple/runtime/log"
    ][1:]
    assert [int(text[-3:].lstrip(b"abc")) for text in logged] == list(range(200))
    stage.prove(counter)


def test_a_full_mailbox_is_an_error_with_a_name(stage: Theater) -> None:
    busy = stage.start("loop", manifest("loop", mailbox=3, deadline_ms=3000))
    with pytest.raises(TimedOut) as full:
        for _ in range(6):
            stage.node.send(busy.id, b"go").result(WAIT_S)
    assert full.value.code == "mailbox.full"


def test_a_message_above_its_bound_is_refused(stage: Theater) -> None:
    small = stage.start("counter", manifest("counter", message_bytes=100))
    with pytest.raises(TooLarge):
        stage.node.send(small.id, bytes(101))
    assert stage.ask(small, bytes(100)) == b"1"


def test_a_key_that_was_used_for_something_else_is_refused(stage: Theater) -> None:
    one, two = stage.start("counter"), stage.start("counter")
    sent = stage.node.send(one.id, b"a", key="k").result(WAIT_S)
    assert stage.node.send(one.id, b"a", key="k").result(WAIT_S) == sent
    wasm = stage.node.add_component(guest("counter"))
    others: list[Callable[[], object]] = [
        lambda: stage.node.send(one.id, b"b", key="k"),
        lambda: stage.node.send(two.id, b"a", key="k"),
        lambda: stage.node.request(one.id, b"a", key="k"),
        lambda: stage.node.start(manifest("counter"), component=wasm, key="k").result(WAIT_S),
        lambda: stage.node.restart(one.id, key="k").result(WAIT_S),
    ]
    for other in others:
        with pytest.raises(Conflict) as raised:
            other()
        assert raised.value.code == "key.used"
    assert stage.ask(one, b"x") == b"2"
    assert stage.ask(two, b"x") == b"1"


def test_a_start_with_a_known_key_is_the_same_start_or_none(stage: Theater) -> None:
    wasm = stage.node.add_component(guest("counter"))

    def start(**changed: object) -> str:
        how: dict[str, Any] = {"component": wasm, "key": "s", **changed}
        return stage.node.start(manifest("counter"), **how).result(WAIT_S).id

    first = start()
    assert start() == first
    for changed in ({"name": "other"}, {"state": b"5"}, {"state": b""}):
        with pytest.raises(Conflict):
            start(**changed)
    assert len(stage.node.list()) == 1


def test_a_start_with_a_known_key_whose_init_failed_has_the_same_error_again(
    stage: Theater,
) -> None:
    how: dict[str, Any] = {"component": stage.node.add_component(guest("named")), "key": "s"}
    handlers = '[[handler]]\ntype = "message-server"\n[[handler]]\ntype = "registry"\n'

    def refused() -> ActorFailed:
        failing = stage.node.start(manifest("named", handlers=handlers), state=b"No Name", **how)
        error = failing.exception(WAIT_S)
        assert isinstance(error, ActorFailed)
        return error

    first = refused()
    assert first.code == "actor.init_failed"
    assert str(refused()) == str(first)
    stage.reopen()
    assert str(refused()) == str(first)


def test_a_start_with_a_known_key_is_told_of_an_actor_that_failed_later(stage: Theater) -> None:
    how: dict[str, Any] = {"component": stage.node.add_component(guest("named")), "key": "s"}
    handlers = '[[handler]]\ntype = "message-server"\n[[handler]]\ntype = "registry"\n'

    def start() -> ActorInfo:
        made = manifest("named", handlers=handlers)
        return stage.node.start(made, state=b"clerk", **how).result(WAIT_S)

    started = start()
    stage.ask(started, b"-clerk")
    other = stage.start("named", manifest("named", handlers=handlers), b"clerk")
    assert isinstance(stage.node.restart(started.id).exception(WAIT_S), ActorFailed)
    again = start()
    assert (again.id, again.status) == (started.id, "failed")
    assert other.id != started.id


def test_a_request_with_a_known_key_has_the_first_answer_again(stage: Theater) -> None:
    counter = stage.start("counter")
    first = stage.node.request(counter.id, b"a", key="k").result(WAIT_S)
    again = [stage.node.request(counter.id, b"a", key="k") for _ in range(3)]
    assert [f.result(WAIT_S) for f in again] == [first] * 3
    stage.reopen()
    assert stage.node.request(counter.id, b"a", key="k").result(WAIT_S) == first
    assert stage.node.state(counter.id) == b"1"
    sent = stage.node.send(counter.id, b"b", key="s").result(WAIT_S)
    assert stage.node.send(counter.id, b"b", key="s").result(WAIT_S) == sent
    until(lambda: stage.node.state(counter.id) == b"2", stage.node)


def test_many_clients_with_one_key_are_one_message(stage: Theater) -> None:
    counter = stage.start("counter")
    answers: list[bytes] = []

    def ask() -> None:
        answers.append(stage.node.request(counter.id, b"a", key="same").result(WAIT_S))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert answers == [b"1"] * 16


def test_a_client_that_waits_too_long_is_told_and_the_message_is_handled(stage: Theater) -> None:
    slow = stage.start("loop", manifest("loop", deadline_ms=600))
    stage.node.send(slow.id, b"go")
    late = stage.node.request(slow.id, b"?", timeout_ms=50)
    with pytest.raises(TimedOut):
        late.result(WAIT_S)
    until(lambda: stage.node.info(slow.id).mailbox == 0, stage.node)
    until(lambda: not stage.node.journal.messages(slow.id)[1:], stage.node)


def test_messages_of_an_actor_that_stops_are_dead_letters_and_their_askers_are_told(
    stage: Theater,
) -> None:
    busy = stage.start("loop", manifest("loop", deadline_ms=30_000))
    stage.node.send(busy.id, b"go")
    until(lambda: stage.types(busy)[-1] == "wasm-call", stage.node)
    waiting = stage.node.request(busy.id, b"?")
    stage.node.send(busy.id, b"late")
    stage.node.stop(busy.id, force=True).result(WAIT_S)
    with pytest.raises(ActorFailed) as failure:
        waiting.result(WAIT_S)
    assert "actor.ended" in failure.value.message
    dead = stage.node.journal.messages(busy.id)
    assert {m.state for m in dead} == {"dead"}
    assert len(dead) == 3
    assert stage.node.stop(busy.id).result(WAIT_S).status == "stopped"
