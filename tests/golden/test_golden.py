"""What was frozen stays: the vectors of chain format 1, and a recording that every version replays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from tests.golden.make_vectors import vectors
from tests.golden.recorded import Recording, read
from theater.chain import jsonl
from theater.chain.verify import verify
from theater.runtime.node import Node
from theater.runtime.replay import Replay
from theater.runtime.settings import NodeSettings

HERE = Path(__file__).parent
FROZEN = sorted((HERE / "vectors").iterdir())
RECORDED_HEAD = "9082cc7dbd252a4e4ccdd0b0b2d6fedd503fd1481a7b4ff5c5fde3c55b6410de"


@pytest.mark.parametrize("path", FROZEN, ids=lambda path: path.name)
def test_a_vector_is_what_the_code_makes_today(path: Path) -> None:
    assert path.read_bytes() == vectors()[path.name]


def test_no_vector_is_missing() -> None:
    assert {path.name for path in FROZEN} == set(vectors())


def test_the_vectors_on_disk_verify_against_their_heads() -> None:
    heads = json.loads((HERE / "vectors" / "vectors.json").read_text())["heads"]
    for name, facts in heads.items():
        path = HERE / "vectors" / f"{name}.jsonl"
        if not path.exists():
            continue  # the long one is given by its head alone
        with path.open("rb") as lines:
            report = verify(jsonl.read(lines), expected_head=bytes.fromhex(facts["head"]))
        assert report.problem is None
        assert report.events == facts["events"]


@pytest.fixture
def recording() -> Recording:
    return read(HERE / "recorded-impure")


def test_a_recording_of_the_first_version_verifies(recording: Recording) -> None:
    report = verify(iter(recording.events), expected_head=bytes.fromhex(RECORDED_HEAD))
    assert report.problem is None
    assert report.complete


def test_a_recording_of_the_first_version_replays_to_its_head(
    recording: Recording, tmp_path: Path
) -> None:
    node = Node.open(tmp_path / "data", NodeSettings(cache_dir=tmp_path / "cache"))
    try:
        node.add_component(recording.component)
        load = cast(Any, recording.loader(node._programs))
        report = Replay(recording, load, recording.history).run(recording.events)
    finally:
        node.close()
    assert report.divergence is None
    assert report.equal
    assert report.head.hex() == RECORDED_HEAD
