"""Channels of guests that are written with the kits, between two of them and with a client."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.guests.components import built
from tests.runtime.actors import Theater, manifest, until
from tests.runtime.languages import HANDLERS
from tests.runtime.test_client_channels import Visitor
from theater.runtime.info import ActorInfo

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["conformance", "conformance-js"])
def test_a_guest_opens_accepts_refuses_and_uses_channels(
    request: pytest.FixtureRequest, stage: Theater, name: str
) -> None:
    component = built(name, Path(request.config.cache.mkdir("guests"))).read_bytes()
    one, two = (stage.start(component, manifest("kit", handlers=HANDLERS)) for _ in range(2))
    channel = json.loads(
        stage.ask(one, json.dumps({"do": "converse", "actor": two.id, "value": "hi"}).encode())
    )
    # Whether the acceptor's echo comes in time is up to chance: the opener closes at once.
    until(lambda: notes(stage, one)[-1:] == [f"close {channel}"], stage.node)
    until(lambda: notes(stage, two)[-1:] == [f"close {channel}"], stage.node)
    assert notes(stage, two)[1] == f"open {channel} hi"
    visitor = Visitor(stage, two, b'"hello"').opened()
    visitor.send(b"[1]")
    visitor.hears(b'{"welcome":"hello"}', b'{"echo":[1]}')
    stage.node.close_channel(visitor.end.channel).result(60)
    until(lambda: notes(stage, two)[-1:] == [f"close {visitor.end.channel}"], stage.node)
    refused = Visitor(stage, two, b'"no"').end.opened.exception(60)
    assert refused is not None
    assert str(refused) == "not you"
    for actor in (one, two):
        stage.prove(actor)


def notes(stage: Theater, actor: ActorInfo) -> list[Any]:
    state = stage.node.state(actor.id)
    assert state is not None
    found: list[Any] = json.loads(state)["notes"]
    return found
