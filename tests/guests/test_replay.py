"""A Python guest that leans on chance and time is replayed to the same head, by the real node."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guests.components import Guests
from theater import manifest
from theater.runtime.node import Node
from theater.runtime.registry import GRANT_TYPES
from theater.runtime.settings import NodeSettings

pytestmark = pytest.mark.slow

MANIFEST = """
name = "impure"
component = "build/impure.wasm"
[limits]
instance_calls = {instance_calls}
[[handler]]
type = "message-server"
"""
WAIT_S = 120.0


@pytest.fixture
def node(guests: Guests, tmp_path: Path) -> Iterator[Node]:
    made = Node.open(tmp_path, NodeSettings(cache_dir=guests.compiled))
    yield made
    made.close()


@pytest.mark.parametrize("instance_calls", [1, 3, 64])
def test_a_session_is_replayed_whatever_its_instances_served(
    guests: Guests, node: Node, instance_calls: int
) -> None:
    wanted = manifest.parse(
        MANIFEST.format(instance_calls=instance_calls), grant_types=GRANT_TYPES, variables={}
    )
    component = node.add_component(guests.path("impure").read_bytes())
    actor = node.start(wanted, component=component).result(WAIT_S).id
    answers = []
    for number in range(7):
        if number == 5:
            node.passivate(actor)
        body = node.request(actor, json.dumps(number).encode()).result(WAIT_S)
        answers.append(json.loads(body))
    node.send(actor, b"null").result(WAIT_S)
    node.stop(actor).result(WAIT_S)

    assert [answer["seen"] for answer in answers] == list(range(1, 8))
    assert max(answer["global_calls"] for answer in answers) <= instance_calls
    assert len({answer["uuid"] for answer in answers}) == len(answers)
    assert node.verify(actor).problem is None
    report = node.replay(actor)
    assert report.divergence is None
    assert report.equal
