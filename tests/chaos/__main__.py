"""`python -m tests.chaos --kills 200 --seed 7 --policy retry`: the kill test by hand."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tests.chaos.coroner import histogram
from tests.chaos.run import Outcome, Plan, play
from tests.chaos.verdict import Verdict, compare, fingerprint, judge
from tests.guests.components import built

MATTERS = ("starting", "taking up", "in a POST", "waiting for an answer", "in guest code", "idle")


def report(outcome: Outcome, verdict: Verdict) -> None:
    """Print what a run did."""
    plan = outcome.plan
    print(
        f"{plan.policy}, seed {plan.seed}: {plan.kills} kills in {outcome.seconds:.1f} s; "
        f"{verdict.actors} actors, {verdict.events} events, {verdict.messages} messages handled, "
        f"{verdict.acknowledged} acknowledged to clients; {verdict.posts} POSTs, "
        f"{verdict.repeated} of them repeated, {verdict.interrupted} interrupted"
    )
    for name, count in sorted(histogram(outcome.classes).items(), key=lambda item: -item[1]):
        print(f"  {count:4d} kills {name}")


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
    plan = Plan(chosen.seed, chosen.kills, chosen.policy, courier, executed=chosen.executed)
    outcome = play(plan, folder / "killed", cache)
    verdict = judge(outcome)
    report(outcome, verdict)
    faults = list(verdict.faults)
    if chosen.policy == "retry":
        calm = play(
            replace(plan, kills=0, operations=outcome.operations), folder / "undisturbed", cache
        )
        expected = judge(calm)
        faults += expected.faults
        faults += compare(verdict, expected)
        print(f"  final states {fingerprint(verdict)}, undisturbed {fingerprint(expected)}")
    if chosen.kills >= 200:
        hit = histogram(outcome.classes)
        faults += [f"no kill {name}" for name in MATTERS if not hit[name]]
    for fault in faults[:40]:
        print(f"  FAULT {fault}")
    print("  failed" if faults else "  all holds")
    if chosen.keep is None and not faults:
        shutil.rmtree(folder)
    elif faults:
        print(f"  kept in {folder}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
