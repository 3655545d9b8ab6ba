"""`python -m tests.chaos --kills 200 --seed 7 --policy retry`: the kill test by hand."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.trial import Trial
from tests.guests.components import built


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--policy", choices=["retry", "fail"], default="retry")
    parser.add_argument("--executed", action="store_true", help="a new interpreter for each server")
    parser.add_argument("--keep", type=Path, help="keep everything in this folder")
    chosen = parser.parse_args()
    folder = chosen.keep or Path(tempfile.mkdtemp(prefix="theater-chaos-"))
    cache = Path(tempfile.gettempdir()) / "theater-chaos-guests"
    courier = built("courier", cache).read_bytes()
    print(f"seed {chosen.seed}, in {folder}", flush=True)
    trial = Trial.hold(
        chosen.seed,
        chosen.kills,
        chosen.policy,
        courier,
        folder,
        cache,
        executed=chosen.executed,
    )
    print(trial.report())
    if chosen.keep is None and not trial.faults:
        shutil.rmtree(folder)
    return 1 if trial.faults else 0


if __name__ == "__main__":
    sys.exit(main())
