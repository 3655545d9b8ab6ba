"""The grant of timers: how many an actor may have at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from theater.limits import TIMERS_PER_ACTOR_MAX
from theater.manifest.grants import Grant, Number, setting


@dataclass(frozen=True, slots=True)
class SchedulerGrant(Grant):
    """`max_timers` counts those that are set and not yet over."""

    type: ClassVar[str] = "scheduler"

    max_timers: int = setting(Number(0, TIMERS_PER_ACTOR_MAX), default=TIMERS_PER_ACTOR_MAX)
