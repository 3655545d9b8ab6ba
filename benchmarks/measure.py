"""Figures, what is read for them, and the register of benchmarks.

A benchmark is a function that prepares everything once and yields a function that measures once.
The harness calls that again and again: the first time to warm up, then for the readings. Each
measurement of ours is followed by one of the reference, so that both meet the same machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    `better` says which way is good. `target` is that of the specification, in `unit`; None where it
    names none. `asked` is the least that this version has to reach, where that is not the target.
    `reference` says in words what stands next to it, measured in the same unit.
    """

    name: str
    what: str
    unit: str
    better: Literal["more", "less"]
    reference: str
    target: float | None = None
    asked: float | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement: a value in the figure's unit, and the processor time of one operation.

    `cpu_us` is of the whole process, all threads; unlike the value it means something on a machine
    that has other work to do.
    """

    value: float
    cpu_us: float | None = None


Readings = Mapping[str, tuple[Reading, Reading | None]]
"""Ours and the reference's, by the figure's name; None for a peer that is not installed."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done. `cache` keeps compiled components and built guests between runs."""

    quick: bool
    scratch: Path
    cache: Path

    def of(self, full: int, quick: int) -> int:
        """A count: that of a real run, or that of one which only shows that it works."""
        return quick if self.quick else full


Prepared = AbstractContextManager[Callable[[], Readings]]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """`runs` is how often it is measured; expensive ones are measured less often."""

    name: str
    figures: tuple[Figure, ...]
    prepare: Callable[[Size], Prepared]
    runs: int


BENCHMARKS: Final[dict[str, Benchmark]] = {}
"""Every benchmark, by `topic.name`; filled by importing the topics."""


def benchmark(
    name: str, *figures: Figure, runs: int = 5
) -> Callable[[Callable[[Size], Prepared]], Callable[[Size], Prepared]]:
    """Register what prepares a benchmark under `topic.name`."""

    def register(prepare: Callable[[Size], Prepared]) -> Callable[[Size], Prepared]:
        assert name not in BENCHMARKS, name
        BENCHMARKS[name] = Benchmark(name, figures, prepare, runs)
        return prepare

    return register


class Stopwatch:
    """Wall-clock and processor time of a block of `count` operations."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.wall_s = 0.0
        self.cpu_s = 0.0

    def __enter__(self) -> Stopwatch:
        self._cpu = time.process_time()
        self._wall = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall_s = time.perf_counter() - self._wall
        self.cpu_s = time.process_time() - self._cpu

    @property
    def cpu_us(self) -> float:
        """Processor microseconds of one operation."""
        return 1e6 * self.cpu_s / self.count

    def rate(self) -> Reading:
        """Operations a second."""
        return Reading(self.count / self.wall_s, self.cpu_us)

    def each(self, unit: Literal["us", "ms"]) -> Reading:
        """Time of one operation."""
        return Reading(self.wall_s / self.count * (1e6 if unit == "us" else 1e3), self.cpu_us)


def quantile(values: list[float], share: float) -> float:
    """The value below which `share` of the values are."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
