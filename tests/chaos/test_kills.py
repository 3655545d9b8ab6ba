"""Thirty of the kills; `python -m tests.chaos --kills 200` does as many as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.coroner import histogram
from tests.chaos.run import Policy
from tests.chaos.trial import MATTERS, Trial
from tests.guests.components import built

SEED = 20
KILLS = 15


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["retry", "fail"])
def test_whatever_was_acknowledged_is_done_once_however_often_the_server_is_killed(
    policy: Policy, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    assert request.config.cache is not None
    cache = request.config.cache.mkdir("guests")
    courier = built("courier", cache).read_bytes()
    trial = Trial.hold(SEED, KILLS, policy, courier, tmp_path, cache)
    print(trial.report())
    assert not trial.faults
    assert trial.verdict.acknowledged >= KILLS
    hit = histogram(trial.outcome.classes)
    assert sum(bool(hit[name]) for name in MATTERS) >= 3, hit
