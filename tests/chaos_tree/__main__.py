"""`python -m tests.chaos_tree --seed 7 --seconds 300`: a tree of 1,000 actors under faults, by hand."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos_tree.trial import Trial
from tests.guests.components import built


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos_tree", description=__doc__)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--seconds", type=float, default=300.0, help="how long faults come")
    parser.add_argument("--deals", type=int, help="end after so many deals of faults, if earlier")
    parser.add_argument("--actors", type=int, default=1000)
    parser.add_argument("--replay", type=int, help="replay so many chains, chosen by the seed")
    parser.add_argument("--keep", type=Path, help="keep everything in this folder")
    chosen = parser.parse_args()
    folder = chosen.keep or Path(tempfile.mkdtemp(prefix="theater-chaos-tree-"))
    cache = Path(tempfile.gettempdir()) / "theater-chaos-guests"
    python = built("leaf", cache).read_bytes()
    print(f"seed {chosen.seed}, in {folder}", flush=True)
    trial = Trial.hold(
        chosen.seed,
        chosen.actors,
        python,
        folder,
        cache,
        deals=chosen.deals,
        seconds=chosen.seconds,
        replays=chosen.replay,
    )
    print(trial.report())
    if chosen.keep is None and not trial.verdict.faults:
        shutil.rmtree(folder)
    return 1 if trial.verdict.faults else 0


if __name__ == "__main__":
    sys.exit(main())
