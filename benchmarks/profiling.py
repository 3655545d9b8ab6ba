"""Where the time of one benchmark goes: py-spy around its process, read as functions by thread.

`self` is time in the function itself, `total` with all that it calls; both in percent of the
thread's samples. Only samples of threads that were running count, so a thread's share is its share
of the processor, or of the interpreter's lock with `gil`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measure import Benchmark
from benchmarks.runs import command_of

SAMPLES_A_SECOND = 500
NOT_OURS = ("importlib._bootstrap", "benchmarks/references.py", "benchmarks/peers.py", "pykka/")
"""Samples with one of these in their stack are of starting up, or of a reference."""
UNNAMED = "threads without a name"


@dataclass
class Thread:
    """The samples of one kind of thread."""

    samples: int = 0
    own: Counter[str] = field(default_factory=Counter)
    total: Counter[str] = field(default_factory=Counter)


def profile(benchmark: Benchmark, *, quick: bool, gil: bool, cache: Path) -> str:
    """Run a benchmark under py-spy and return a text with its functions."""
    spy = shutil.which("py-spy") or shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if spy is None:
        raise SystemExit(
            "py-spy is not installed; it comes with the extra: pip install -e '.[bench]'"
        )
    with tempfile.TemporaryDirectory(prefix="theater-bench-") as scratch:
        folder = Path(scratch)
        stacks = folder / "stacks"
        command = command_of(benchmark, folder / "lines.json", quick=quick, cache=cache)
        flags = ["--gil"] if gil else []
        ended = subprocess.run(
            [
                *(spy, "record", "--format", "raw", "--threads", "--output", str(stacks)),
                *("--rate", str(SAMPLES_A_SECOND), "--nonblocking", *flags, "--", *command),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if not stacks.exists():
            raise SystemExit(f"py-spy could not look at it: {ended.stderr.strip()[-2000:]}")
        return report(fold(stacks.read_text().splitlines()))


def fold(stacks: Iterable[str]) -> dict[str, Thread]:
    """Count collapsed stacks: `thread;outer;…;inner count`, by the thread's name without its number."""
    threads: dict[str, Thread] = {}
    for line in stacks:
        if any(name in line for name in NOT_OURS):
            continue
        frames, _, count = line.rpartition(" ")
        names = frames.split(";")
        kind = _kind(names[0]) if names[0].startswith("thread (") else UNNAMED
        functions = [
            _place(name) for name in names if not name.startswith(("thread (", "process "))
        ]
        if not functions:
            continue
        thread = threads.setdefault(kind, Thread())
        thread.samples += int(count)
        thread.own[functions[-1]] += int(count)
        for function in set(functions):
            thread.total[function] += int(count)
    return threads


def report(threads: dict[str, Thread], functions: int = 25) -> str:
    """The threads by their share, and in each the functions by self and by total time."""
    everything = sum(thread.samples for thread in threads.values()) or 1
    lines = []
    for kind, thread in sorted(threads.items(), key=lambda each: -each[1].samples):
        share = thread.samples / everything
        if share < 0.01:
            continue
        lines.append(f"\n{kind}: {thread.samples} samples, {share:.0%} of all")
        for title, counts in (("self", thread.own), ("total", thread.total)):
            lines.append(f"  by {title} time")
            lines += [
                f"    {count / thread.samples:6.1%}  {function}"
                for function, count in counts.most_common(functions)
            ]
    return "\n".join(lines)


def _kind(thread: str) -> str:
    """`thread (0x7F): theater-worker-3` is of the kind `theater-worker`."""
    name = thread.partition(": ")[2]
    return name.rstrip("0123456789").rstrip("-_ ") or UNNAMED


def _place(frame: str) -> str:
    """A frame without its line: functions are what is counted."""
    name, _, place = frame.partition(" (")
    return f"{name} ({place.rpartition(':')[0]})" if ":" in place else frame
