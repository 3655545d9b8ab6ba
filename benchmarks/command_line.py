"""The command line: how long people wait for it, its process included."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from benchmarks.measure import Figure, Reading, Readings, Size, benchmark, quantile
from benchmarks.stage import serving, start

THEATER = "import sys; from theater.cli import main; sys.argv[0] = 'theater'; main()"
REFERENCE = "a Python process that does nothing"


@benchmark(
    "command_line.waiting",
    Figure("help", "theater --help", "ms", "less", REFERENCE, target=150),
    Figure("list", "theater list, ten actors", "ms", "less", REFERENCE, target=250),
    runs=3,
)
@contextmanager
def waiting(size: Size) -> Iterator[Callable[[], Readings]]:
    count = size.of(7, 1)
    with serving(size) as (node, server):
        for _ in range(10):
            start(node, "counter")
        environment = {
            **os.environ,
            "THEATER_SERVER_ADDRESS": server.address,
            "THEATER_TOKEN": server.token or "",
        }

        def measure() -> Readings:
            floor = _ran(["pass"], environment, count)
            return {
                "help": (_ran([THEATER, "--help"], environment, count), floor),
                "list": (_ran([THEATER, "list"], environment, count), floor),
            }

        yield measure


def _ran(words: list[str], environment: dict[str, str], count: int) -> Reading:
    times = []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(count):
        began = perf_counter()
        subprocess.run(
            [sys.executable, "-c", *words], env=environment, check=True, capture_output=True
        )
        times.append(1e3 * (perf_counter() - began))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Reading(quantile(times, 0.5), 1e6 * cpu_s / count)
