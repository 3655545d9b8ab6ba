"""What generator promises, seen through the public names of its layer (golden)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.golden.make_vectors import (
    LONG_CHAIN_EVENTS,
    fork,
    long_chain,
    main,
    one_event,
    redacted,
    vectors,
)
from theater.chain.event import Event
from theater.chain.verify import verify


@pytest.mark.parametrize("events", [one_event(), redacted(), fork(), long_chain()])
def test_the_chains_of_the_vectors_verify(events: list[Event]) -> None:
    assert verify(events, expected_head=events[-1].hash).problem is None


def test_the_long_chain_is_as_long_as_the_format_says() -> None:
    assert len(long_chain()) == LONG_CHAIN_EVENTS


def test_another_process_makes_the_same_vectors(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "tests.golden.make_vectors", str(tmp_path)], check=True, timeout=120
    )
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == dict(vectors())


def test_a_vector_that_differs_is_not_overwritten(tmp_path: Path) -> None:
    main(tmp_path)
    main(tmp_path)
    path = tmp_path / "vectors.json"
    path.write_bytes(b"{}")
    with pytest.raises(SystemExit):
        main(tmp_path)
    assert path.read_bytes() == b"{}"
