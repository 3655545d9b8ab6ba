"""A run and its verdict, and the report of both."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tests.chaos_tree.plan import DEAL_SIZE, Plan
from tests.chaos_tree.run import Outcome, Run
from tests.chaos_tree.verdict import Verdict, judge
from theater.journal.sqlite import SqliteJournal

SHOWN: Final = 40


@dataclass(frozen=True)
class Trial:
    """What was done, and what was found of it."""

    outcome: Outcome
    verdict: Verdict

    @classmethod
    def hold(
        cls,
        seed: int,
        actors: int,
        python: bytes,
        folder: Path,
        cache: Path,
        *,
        deals: int | None,
        seconds: float,
        replays: int | None,
    ) -> Self:
        """Play a seed's plan in a folder and judge what it left."""
        run = Run(Plan(seed, actors), python, folder, cache)
        outcome = run.play(deals, seconds, replays)
        journal = SqliteJournal.open(outcome.data_dir)
        try:
            verdict = judge(outcome.plan, journal, outcome.dealings, outcome.injected)
        finally:
            journal.close()
        verdict.faults.extend(outcome.unproven)
        if len(outcome.injected) > DEAL_SIZE:
            nothing = [kind for kind, cell in verdict.histogram.items() if not cell.took_effect]
            verdict.faults.extend(f"no {kind} took effect" for kind in nothing)
        return cls(outcome, verdict)

    def report(self) -> str:
        """What was done and found, as lines, with the histogram of the faults."""
        outcome, verdict = self.outcome, self.verdict
        languages = [each.language for each in outcome.plan.members.values()]
        dead = ", ".join(f"{count} {reason}" for reason, count in verdict.dead.most_common())
        ends = ", ".join(f"{count} {kind}" for kind, count in verdict.ends.most_common())
        notes: Counter[str] = Counter()
        for (type_, by, why), count in verdict.notes.items():
            notes[f"{type_} by {by} ({why.partition(':')[0].splitlines()[0]})"] += count
        deeds = ", ".join(
            f"{count} {name} {'ok' if ok else 'refused'}"
            for (name, ok), count in verdict.deeds.most_common()
        )
        kinds = ", ".join(f"{count} {kind}" for kind, count in verdict.kinds.most_common())
        lines = [
            f"seed {outcome.plan.seed}: {len(languages)} actors, {languages.count('python')} in Python",
            f"  grown in {outcome.grown_s:.1f} s, then {outcome.seconds:.1f} s of load and faults",
            f"  {verdict.actors} actors ever, {verdict.living} living, {outcome.planted} planted anew",
            f"  {verdict.events} events, all verified",
            f"  {outcome.replayed} chains replayed in {outcome.replaying_s:.1f} s",
            f"  {verdict.accepted} messages accepted, {verdict.handled} handled",
            f"  {verdict.aside} in quarantine, dead letters: {dead or 'none'}",
            f"  calls of messages: {kinds}",
            f"  calls ended: {ends}",
            f"  longest request {verdict.longest_s:.2f} s",
            f"  longest opening {max(outcome.openings_s):.2f} s",
            f"  memory of the server {outcome.memory_bytes / 2**20:.0f} MiB",
            *(f"  {count:6d} {note}" for note, count in notes.most_common()),
            f"  children: {deeds or 'none'}; supervisors gave up {verdict.given_up} times",
            "  fault          injected  took effect",
        ]
        for kind, cell in verdict.histogram.items():
            lines.append(f"    {kind:13}{cell.injected:8}{cell.took_effect:13}")
        lines.extend(f"  FAULT {fault}" for fault in verdict.faults[:SHOWN])
        if len(verdict.faults) > SHOWN:
            lines.append(f"  and {len(verdict.faults) - SHOWN} more")
        lines.append("  failed" if verdict.faults else "  all holds")
        return "\n".join(lines)
