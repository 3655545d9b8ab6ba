"""The scenarios by name: how each is played, and finished and held against its oracle after a crash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.crash import (
    channels,
    families,
    groups,
    holding,
    lives,
    names,
    poison,
    scenario,
    timers,
    waiting,
)
from tests.crash.scenario import Told
from theater import limits
from theater.runtime.node import Node


@dataclass(frozen=True)
class Scenario:
    """`finish` plays it again over what a process left, then compares with the oracle."""

    play: Callable[[Node, Told], object]
    finish: Callable[[Node, Told], None]
    workers_max: int = limits.WORKERS_MAX


def _finish_groups(node: Node, told: Told) -> None:
    groups.play(node, told)
    groups.check(node, told)


SCENARIOS = {
    "clients": Scenario(
        scenario.play, lambda node, told: scenario.check(node, scenario.play(node, told), told)
    ),
    "channels": Scenario(
        channels.play, lambda node, told: channels.check(node, channels.play(node, told), told)
    ),
    "families": Scenario(
        families.play, lambda node, told: families.check(node, families.play(node, told), told)
    ),
    "groups": Scenario(groups.play, _finish_groups),
    "holding": Scenario(
        holding.play, lambda node, told: holding.check(node, holding.play(node, told), told)
    ),
    "lives": Scenario(
        lives.play, lambda node, told: lives.check(node, lives.play(node, told), told)
    ),
    "names": Scenario(
        names.play, lambda node, told: names.check(node, told, names.play(node, told))
    ),
    "poison": Scenario(
        poison.play, lambda node, told: poison.check(node, poison.play(node, told), told)
    ),
    "timers": Scenario(
        timers.play, lambda node, told: timers.check(node, told, timers.play(node, told))
    ),
    "waiting": Scenario(
        waiting.play,
        lambda node, told: waiting.check(node, waiting.play(node, told), told),
        waiting.WORKERS_MAX,
    ),
}
