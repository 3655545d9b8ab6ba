"""Running benchmarks, each in a process of its own, and what comes of it.

A process of its own, because threads, caches and the garbage of one benchmark would disturb the
next, and because a benchmark that dies must not take the others with it.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.measure import BENCHMARKS, Benchmark, Reading, Size

CACHE = Path(__file__).parent / ".cache"
QUICK_RUNS = 1
SECONDS_MAX = 300.0


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the runs of one thing came to: median, lowest and highest value, median of the CPU time."""

    median: float
    low: float
    high: float
    cpu_us: float | None


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A figure that was measured. `figure` is `topic.benchmark.figure`."""

    figure: str
    what: str
    unit: str
    better: str
    target: float | None
    asked: float | None
    reference: str
    runs: int
    ours: Measured
    theirs: Measured | None


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A benchmark that could not be measured, and the end of what it said."""

    benchmark: str
    text: str


def chosen(only: Sequence[str]) -> list[Benchmark]:
    """The benchmarks that these words mean: a topic, `topic.name`, or a part of one; all if none."""
    found = [
        benchmark
        for name, benchmark in sorted(BENCHMARKS.items())
        if not only
        or any(word == name or (word not in BENCHMARKS and word in name) for word in only)
    ]
    if not found:
        names = ", ".join(sorted(BENCHMARKS))
        raise SystemExit(f"no benchmark is called {' or '.join(only)}; there are {names}")
    return found


def run_apart(benchmark: Benchmark, *, quick: bool, cache: Path) -> list[Line] | Failure:
    """Measure a benchmark in a new process."""
    with tempfile.TemporaryDirectory(prefix="theater-bench-") as scratch:
        answer = Path(scratch) / "lines.json"
        command = command_of(benchmark, answer, quick=quick, cache=cache)
        try:
            ended = subprocess.run(
                command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
            )
        except subprocess.TimeoutExpired:
            return Failure(benchmark.name, f"not done after {SECONDS_MAX:.0f} s")
        if ended.returncode != 0 or not answer.exists():
            said = (ended.stderr or ended.stdout).strip()[-2000:]
            return Failure(benchmark.name, said or f"ended with status {ended.returncode}")
        return msgspec.json.decode(answer.read_bytes(), type=list[Line])


def command_of(benchmark: Benchmark, answer: Path, *, quick: bool, cache: Path) -> list[str]:
    """The command of the process that measures a benchmark and writes its lines to `answer`."""
    given = ["--quick"] if quick else []
    return [
        *(sys.executable, "-m", "benchmarks", "measure", benchmark.name),
        *("--answer", str(answer), "--cache", str(cache), *given),
    ]


def measure_here(benchmark: Benchmark, answer: Path, *, quick: bool, cache: Path) -> None:
    """Measure a benchmark in this process: once to warm up, then as often as it says."""
    runs = QUICK_RUNS if quick else benchmark.runs
    readings = []
    cache.mkdir(parents=True, exist_ok=True)
    with benchmark.prepare(Size(quick, answer.parent, cache)) as measure:
        measure()
        for _ in range(runs):
            readings.append(measure())
    lines = []
    for figure in benchmark.figures:
        ours = [each[figure.name][0] for each in readings]
        theirs = [each[figure.name][1] for each in readings]
        known = [each for each in theirs if each is not None]
        lines.append(
            Line(
                f"{benchmark.name}.{figure.name}",
                figure.what,
                figure.unit,
                figure.better,
                figure.target,
                figure.asked,
                figure.reference,
                runs,
                _measured(ours),
                _measured(known) if known else None,
            )
        )
    answer.write_bytes(msgspec.json.encode(lines))


def _measured(readings: Sequence[Reading]) -> Measured:
    values = [reading.value for reading in readings]
    times = [reading.cpu_us for reading in readings if reading.cpu_us is not None]
    return Measured(
        statistics.median(values),
        min(values),
        max(values),
        statistics.median(times) if times else None,
    )
