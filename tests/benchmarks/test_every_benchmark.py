"""Every benchmark at a tiny size: that it measures what it says, not how fast it is.

The one assertion about speed is on processor time, a tenth of the figure that is asked for: it finds
disasters and nothing else, also on a machine with other work to do.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from benchmarks.report import Results, read
from benchmarks.runs import Failure, Line, measure_here, run_apart
from benchmarks.topics import BENCHMARKS, TOPICS

ROOT = Path(__file__).parents[2]
FAST = {"engine.send_100_bytes", "journal.one_actor", "messages.flood", "proofs.verify"}
APART = {"lives.idle"}
"""Measures the memory of its process, which has to be its own."""


@pytest.fixture
def cache(request: pytest.FixtureRequest) -> Path:
    """What earlier runs compiled and built, also for other tests."""
    return Path(request.config.cache.mkdir("guests"))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in FAST else pytest.mark.slow)
        for name in sorted(BENCHMARKS)
    ],
)
def test_a_benchmark_measures_every_figure_that_it_names(name, tmp_path, cache):
    if name in APART:
        lines = run_apart(BENCHMARKS[name], quick=True, cache=cache)
        assert not isinstance(lines, Failure), lines
    else:
        answer = tmp_path / "lines.json"
        measure_here(BENCHMARKS[name], answer, quick=True, cache=cache)
        lines = msgspec.json.decode(answer.read_bytes(), type=list[Line])

    assert [line.figure for line in lines] == [
        f"{name}.{figure.name}" for figure in BENCHMARKS[name].figures
    ]
    for line in lines:
        assert line.ours.median > 0
        assert line.theirs is None or line.theirs.median > 0
        if line.asked is not None:
            asked_us = {"/s": 1e6 / line.asked, "ms": 1e3 * line.asked}[line.unit]
            assert line.ours.cpu_us < 10 * asked_us


def test_every_topic_has_benchmarks_and_every_figure_a_reference():
    topics = {name.partition(".")[0] for name in BENCHMARKS}
    assert len(topics) == len(TOPICS)
    for benchmark in BENCHMARKS.values():
        assert benchmark.figures
        assert all(figure.reference for figure in benchmark.figures)
        names = [figure.name for figure in benchmark.figures]
        assert len(set(names)) == len(names)


@pytest.mark.slow
def test_the_command_measures_in_processes_of_their_own_and_writes_results(tmp_path, cache):
    output = tmp_path / "results.json"
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks", "run", "engine.send_100_bytes", "--quick"),
            *("--output", str(output), "--cache", str(cache)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "engine.send_100_bytes.each" in ended.stdout
    results = read(output)
    assert isinstance(results, Results)
    assert results.machine.cores >= 1
    assert [line.figure for line in results.lines] == ["engine.send_100_bytes.each"]


@pytest.mark.slow
def test_a_benchmark_that_dies_takes_nothing_with_it(tmp_path):
    unwritable = tmp_path / "file"
    unwritable.write_text("where a directory should be")
    ended = run_apart(BENCHMARKS["engine.send_100_bytes"], quick=True, cache=unwritable)
    assert isinstance(ended, Failure)
    assert ended.text
