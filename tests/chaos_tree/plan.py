"""What a run of the tree does, as a pure function of its seed: who lives, and which faults come.

Nothing here knows a clock, an id or an answer, so the same seed gives the same tree and the same
sequence of faults, whatever the machine does meanwhile. A run plays as many of them as it has time
for: what was injected is a prefix of `Plan.faults`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

ROOT: Final = "root"
BRANCHES: Final = 30
PYTHON_LEAVES: Final = 30
STRATEGIES: Final = ("one_for_one", "one_for_all", "rest_for_one")


class Fault(StrEnum):
    """The kinds of faults. Where they are messages, the guest does it to itself."""

    TRAP = "trap"
    """A message whose call traps, and is handled when it is tried again."""
    POISON = "poison"
    """A message whose call always traps."""
    DEADLINE = "deadline"
    """A message whose call never returns."""
    ERROR = "error"
    """A message that is answered with an error; a failure where `errors = "fail"`."""
    EXIT = "exit"
    """A message whose call asks for the actor's end."""
    STORM = "storm"
    """Traps in several children of a branch at once: more than its intensity allows."""
    KILL = "kill"
    """An operator's forced stop, final for whoever it hits; its parent is told to start another."""
    RESTART = "restart"
    """An operator's restart from the initial state."""
    RENEW = "renew"
    """An operator's restart that keeps the state."""
    STOP_CHILD = "stop-child"
    """A parent stops a child, and starts another later."""
    RESTART_CHILD = "restart-child"
    """A parent restarts a child."""
    CRASH = "crash"
    """SIGKILL of the node, in the midst of calls and restarts."""


# How often each kind comes in a deal: so many faults in which none is missing.
DEAL: Final = {
    Fault.TRAP: 4,
    Fault.POISON: 3,
    Fault.DEADLINE: 1,
    Fault.ERROR: 2,
    Fault.EXIT: 2,
    Fault.STORM: 1,
    Fault.KILL: 2,
    Fault.RESTART: 1,
    Fault.RENEW: 1,
    Fault.STOP_CHILD: 1,
    Fault.RESTART_CHILD: 1,
    Fault.CRASH: 1,
}
DEAL_SIZE: Final = sum(DEAL.values())
ON_BRANCHES: Final = frozenset({Fault.STORM})
PAUSE_S: Final = 0.4
GROWTH_S: Final = 3.0
STORM_SIZE: Final = 6
BUSY: Final = 8


@dataclass(frozen=True, slots=True)
class Member:
    """One actor of the tree by its name, and how it is supervised and supervises."""

    name: str
    parent: str | None
    language: str = "wat"
    restart: str = "permanent"
    restart_state: str = "last"
    strategy: str = "one_for_one"
    intensity: int = 3
    period_s: int = 2
    errors: str = "continue"


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault: its number, what, whose, and how long to wait before it, in seconds.

    `others` are the children that a storm hits. `busy` are at work when the node is killed.
    """

    number: int
    kind: Fault
    target: str
    pause_s: float
    others: tuple[str, ...] = ()
    busy: tuple[str, ...] = ()


class Plan:
    """The tree of a seed, parents before their children, and its faults without end."""

    def __init__(self, seed: int, actors: int = 1000) -> None:
        self.seed = seed
        self.members: dict[str, Member] = {}
        self._grow(random.Random(f"{seed}/tree"), actors)
        self.leaves = [each.name for each in self.members.values() if each.name.count(".") == 1]
        self.branches = [each.name for each in self.members.values() if each.parent == ROOT]

    def children(self, name: str) -> list[Member]:
        """The members below one, in the order in which they are to start."""
        return [each for each in self.members.values() if each.parent == name]

    def faults(self) -> Iterator[Planned]:
        """The faults: a crash while the tree grows, then deals of `DEAL_SIZE` in which each kind comes."""
        chosen = random.Random(f"{self.seed}/faults")
        yield Planned(0, Fault.CRASH, "", chosen.random() * GROWTH_S)
        number = 1
        while True:
            deal = [kind for kind, times in DEAL.items() for _ in range(times)]
            chosen.shuffle(deal)
            for kind in deal:
                # As many draws for every kind: what comes later does not depend on it.
                leaf, branch = chosen.choice(self.leaves), chosen.choice(self.branches)
                pause_s = chosen.random() * 2 * PAUSE_S
                several = chosen.random()
                below = [each.name for each in self.children(branch)]
                start = int(several * len(below))
                storm = tuple((below[start:] + below[:start])[:STORM_SIZE])
                busy = tuple(chosen.sample(self.leaves, BUSY))
                # Now and then an operator's fault hits a branch with all that is below it.
                high = kind in (Fault.KILL, Fault.RESTART, Fault.RENEW) and several < 0.2
                if kind is Fault.CRASH:
                    yield Planned(number, kind, branch, pause_s, storm, busy)
                elif kind in ON_BRANCHES:
                    yield Planned(number, kind, branch, pause_s, storm)
                else:
                    yield Planned(number, kind, branch if high else leaf, pause_s)
                number += 1

    def _grow(self, chosen: random.Random, actors: int) -> None:
        self.members[ROOT] = Member(ROOT, None, intensity=1000, period_s=1)
        branches = min(BRANCHES, max(len(STRATEGIES), actors // 10))
        for number in range(branches):
            name = f"b{number:02}"
            self.members[name] = Member(
                name,
                ROOT,
                restart=chosen.choice(["permanent", "transient"]),
                restart_state=chosen.choice(["last", "last", "initial"]),
                strategy=STRATEGIES[number % len(STRATEGIES)],
                intensity=chosen.choice([1, 2, 3]),
            )
        leaves = actors - 1 - branches
        python = set(chosen.sample(range(leaves), min(PYTHON_LEAVES, leaves // 10)))
        for number in range(leaves):
            parent = f"b{number % branches:02}"
            name = f"{parent}.{number // branches:02}"
            self.members[name] = Member(
                name,
                parent,
                "python" if number in python else "wat",
                restart=chosen.choice(["permanent", "permanent", "transient", "temporary"]),
                restart_state=chosen.choice(["last", "last", "last", "initial"]),
                errors=chosen.choice(["continue", "continue", "continue", "fail"]),
            )
