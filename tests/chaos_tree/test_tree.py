"""A thousand actors in three levels under twenty seconds of faults.

All chains are verified and a sample of them is replayed; `python -m tests.chaos_tree` replays all.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import pytest

from tests.chaos_tree.plan import Fault, Plan
from tests.chaos_tree.trial import Trial
from tests.guests.components import built

SEED = 20
DEALS = 2
SECONDS_MAX = 240.0
REPLAYS = 30


@pytest.mark.slow
def test_no_message_is_lost_doubled_or_waited_for_too_long_whatever_fails_in_a_tree(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    assert request.config.cache is not None
    cache = request.config.cache.mkdir("guests")
    python = built("leaf", cache).read_bytes()
    trial = Trial.hold(
        SEED, 1000, python, tmp_path, cache, deals=DEALS, seconds=SECONDS_MAX, replays=REPLAYS
    )
    print(trial.report())
    assert not trial.verdict.faults
    assert trial.outcome.replayed == REPLAYS
    histogram = trial.verdict.histogram
    assert {kind for kind in Fault if not histogram[kind].took_effect} == set()
    # What was injected is what the plan says, in its order.
    injected = [json.loads(line) for line in (tmp_path / "injected.jsonl").open()]
    planned = [asdict(fault) for fault in islice(Plan(SEED).faults(), len(injected))]
    assert injected == json.loads(json.dumps(planned))
