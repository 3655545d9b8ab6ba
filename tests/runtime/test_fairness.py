"""Guests that never wait take nobody's turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.actors import manifest, theater, until
from tests.runtime.test_import_types import calling
from theater.chain import shapes
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
