"""Nobody takes more than its turn: not who never waits, not who computes, not who has much to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.actors import WAIT_S, Theater, manifest, theater, until
from tests.runtime.test_import_types import calling
from theater.chain import shapes
from theater.runtime.info import ActorInfo
from theater.runtime.settings import NodeSettings

ASKING = calling(
    "wasi:clocks/monotonic-clock@0.2.0#now",
    "(result u64)",
    "(result i64)",
    "(loop $again (drop (call $wasi)) (br $again))",
)
"""A guest that asks for the time and nothing else once it is sent something."""


@pytest.fixture
def settings(cache_dir: Path) -> NodeSettings:
    return NodeSettings(cache_dir=cache_dir, workers=2)


def test_guests_that_only_ask_for_the_time_starve_nobody(
    tmp_path: Path, settings: NodeSettings
) -> None:
    with theater(tmp_path / "data", settings) as stage:
        asking = [stage.start(ASKING, manifest("asking", deadline_ms=5000)) for _ in range(2)]
        other = stage.start("counter")
        for each in asking:
            stage.tell(each, b"go")
        until(
            lambda: all(stage.types(each).count(shapes.WASM_CALL) == 2 for each in asking),
            stage.node,
        )
        assert stage.ask(other, b"?") == b"1"
        for each in asking:
            assert stage.types(each)[-1] == shapes.WASM_CALL, "it was let in by their deadline"
            stage.node.stop(each.id, force=True).result(60)


def test_one_that_computes_leaves_the_others_all_they_ask_for(
    tmp_path: Path, cache_dir: Path
) -> None:
    settings = NodeSettings(cache_dir=cache_dir, workers=1, workers_max=8)
    with theater(tmp_path / "data", settings) as stage:
        computing = [stage.start("loop", manifest("loop", deadline_ms=600_000)) for _ in range(2)]
        others = [stage.start("counter") for _ in range(5)]
        for each in computing:
            stage.tell(each, b"go")
        until(
            lambda: all(stage.types(each)[-1] == shapes.WASM_CALL for each in computing), stage.node
        )
        for turn in range(1, 21):
            asked = [stage.node.request(other.id, b"?") for other in others]
            assert [answer.result(WAIT_S) for answer in asked] == [b"%d" % turn] * len(others)
        for each in computing:
            assert stage.types(each)[-1] == shapes.WASM_CALL, "it computes all the time"
            stage.node.stop(each.id, force=True).result(WAIT_S)


def test_a_full_mailbox_delays_another_actor_by_one_batch(tmp_path: Path, cache_dir: Path) -> None:
    settings = NodeSettings(cache_dir=cache_dir, workers=1, workers_max=1, batch=8)
    with theater(tmp_path / "data", settings) as stage:
        holder = stage.start("loop", manifest("loop", deadline_ms=600_000))
        flooded, other = stage.start("counter"), stage.start("counter")
        stage.tell(holder, b"go")
        until(lambda: stage.types(holder)[-1] == shapes.WASM_CALL, stage.node)
        # Nobody runs while the only thread computes, so the two stand in line in this order.
        for _ in range(200):
            stage.node.send(flooded.id, b"x")
        answer = stage.node.request(other.id, b"?")
        stage.node.stop(holder.id, force=True).result(WAIT_S)
        assert answer.result(WAIT_S) == b"1"
        until(lambda: stage.node.state(flooded.id) == b"200", stage.node)
        (_, called) = calls(stage, other)
        before = [at for at in calls(stage, flooded) if at < called]
        assert len(before) <= 1 + settings.batch, "of those, one was its init"


def calls(stage: Theater, actor: ActorInfo) -> list[int]:
    """When the actor's calls began."""
    return [event.at for event in stage.node.events(actor.id) if event.type == shapes.WASM_CALL]
