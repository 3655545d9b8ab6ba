"""What an actor is told about the message in its hands, and where a trace goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.guests.components import built
from tests.runtime.actors import WAIT_S, Theater, manifest, until
from tests.runtime.languages import HANDLERS
from theater.chain import shapes
from theater.chain.shapes import CallMessage
from theater.errors import Denied
from theater.runtime.info import ActorInfo

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def messages(stage: Theater, actor: ActorInfo) -> list[CallMessage]:
    """The messages that an actor's calls were for, as its chain has them."""
    calls = [
        shapes.parse(event.type, event.data)
        for event in stage.node.events(actor.id)
        if event.type == shapes.WASM_CALL and event.data is not None
    ]
    return [c.message for c in calls if isinstance(c, shapes.Call) and c.message is not None]


def test_a_trace_goes_with_a_message_and_on_to_those_that_are_sent_in_its_call(
    stage: Theater,
) -> None:
    last = stage.start("counter")
    relay = stage.start("relay", state=last.id.encode())
    stage.node.request(relay.id, b"a", trace=TRACE).result(WAIT_S)
    stage.node.send(relay.id, b"b", trace=TRACE).result(WAIT_S)
    until(lambda: stage.node.state(last.id) == b"2", stage.node)
    stage.node.request(relay.id, b"c").result(WAIT_S)
    stage.node.request(relay.id, b"d", trace="rubbish").result(WAIT_S)
    for actor in (relay, last):
        assert [each.trace for each in messages(stage, actor)] == [TRACE, TRACE, None, None]
        stage.prove(actor)


@pytest.fixture(scope="module")
def conformance(request: pytest.FixtureRequest) -> bytes:
    return built("conformance", Path(request.config.cache.mkdir("guests"))).read_bytes()


def who(stage: Theater, actor: ActorInfo, **given: str) -> Any:
    body = json.dumps({"do": "who"}).encode()
    return json.loads(stage.node.request(actor.id, body, **given).result(WAIT_S))


@pytest.mark.slow
def test_a_call_knows_who_sent_its_message_and_until_when_somebody_waits(
    stage: Theater, conformance: bytes
) -> None:
    asked = stage.start(conformance, manifest("asked", handlers=HANDLERS))
    asker = stage.start(conformance, manifest("asker", handlers=HANDLERS))
    info, own, name, parent = who(stage, asked, trace=TRACE)
    (message,) = messages(stage, asked)
    assert (own, name, parent) == (asked.id, "asked", None)
    assert message.deadline is not None
    assert info == {
        "id": message.id,
        "kind": "request",
        "origin": "client",
        "sender": message.sender,
        "deadline_ms": message.deadline // 1000,
        "traceparent": TRACE,
    }
    ask = {"do": "ask", "actor": asked.id, "value": {"do": "who"}}
    answer = stage.ask(asker, json.dumps(ask).encode())
    info = json.loads(answer)["answer"][0]
    assert (info["origin"], info["sender"], info["traceparent"]) == ("actor", asker.id, None)
    assert info["deadline_ms"] is not None
    stage.reopen()
    assert who(stage, asked)[0]["traceparent"] is None
    assert stage.types(asked).count("theater:agent/context@0.1/message") == 3
    stage.prove(asked)
    stage.prove(asker)


@pytest.mark.slow
def test_who_does_not_have_the_grant_is_told_which_lines_to_add(
    stage: Theater, conformance: bytes
) -> None:
    with pytest.raises(Denied) as refused:
        stage.start(conformance, manifest(handlers=HANDLERS.partition('[[handler]]\ntype = "c')[0]))
    assert 'type = "context"' in refused.value.message
