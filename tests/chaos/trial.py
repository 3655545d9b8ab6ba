"""A run with kills and, beside it, one without, judged and compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from tests.chaos.coroner import histogram
from tests.chaos.run import Outcome, Plan, Policy, play
from tests.chaos.verdict import Verdict, compare, fingerprint, judge

MATTERS = (
    *("starting", "taking up", "in a POST", "waiting for an answer", "in guest code"),
    *("idle", "stopping"),
)
"""Where, in so many kills that chance is no excuse, at least one must have hit."""

MANY = 200


@dataclass(frozen=True)
class Trial:
    """`calm` is the verdict of the undisturbed run; `faults` are those of both and all differences."""

    outcome: Outcome
    verdict: Verdict
    calm: Verdict
    faults: tuple[str, ...]

    @classmethod
    def hold(
        cls,
        seed: int,
        kills: int,
        policy: Policy,
        courier: bytes,
        folder: Path,
        cache: Path,
        *,
        executed: bool = False,
    ) -> Self:
        """Run both and compare them."""
        plan = Plan(seed, kills, policy, courier, executed=executed)
        outcome = play(plan, folder / "killed", cache)
        verdict = judge(outcome)
        quiet = replace(plan, kills=0, operations=outcome.operations)
        calm = judge(play(quiet, folder / "undisturbed", cache))
        faults = [
            *verdict.faults,
            *(f"undisturbed: {fault}" for fault in calm.faults),
            *compare(verdict, calm, stamps=policy == "retry"),
        ]
        if kills >= MANY:
            hit = histogram(outcome.classes)
            faults += [f"no kill {name}" for name in MATTERS if not hit[name]]
        return cls(outcome, verdict, calm, tuple(faults))

    def report(self) -> str:
        """What was done and found, as lines."""
        plan, verdict = self.outcome.plan, self.verdict
        summary = (
            f"{plan.policy}, seed {plan.seed}: {plan.kills} kills in {self.outcome.seconds:.1f} s; "
            f"{verdict.actors} actors, {verdict.events} events, {verdict.messages} messages "
            f"handled, {verdict.acknowledged} acknowledged to clients; {verdict.posts} POSTs, "
            f"{verdict.repeated} of them repeated, {verdict.interrupted} interrupted"
        )
        lines = [summary]
        for name, count in histogram(self.outcome.classes).most_common():
            lines.append(f"  {count:4d} kills {name}")
        if plan.policy == "retry":
            lines.append(
                f"  final states {fingerprint(verdict)}, undisturbed {fingerprint(self.calm)}"
            )
        lines.extend(f"  FAULT {fault}" for fault in self.faults[:40])
        lines.append("  failed" if self.faults else "  all holds")
        return "\n".join(lines)
