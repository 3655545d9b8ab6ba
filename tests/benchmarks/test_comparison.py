"""Two results compared: made up, so that what must come of them is known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from benchmarks.comparison import (
    REGRESSION_MARGIN,
    Difference,
    compare,
    is_regression,
    show_differences,
)
from benchmarks.machine import Machine
from benchmarks.report import Results, markdown, read, show, write
from benchmarks.runs import Failure, Line, Measured

ROOT = Path(__file__).parents[2]
MACHINE = Machine(
    at="2026-01-01T00:00:00+00:00",
    revision="abc",
    changed=False,
    cpu="a processor",
    cores=2,
    load=0.0,
    python="CPython 3.11",
    wasmtime="50",
    sqlite="3",
    system="Linux",
)


def measured(median: float, spread: float = 0.02, cpu_us: float | None = None) -> Measured:
    return Measured(median, median * (1 - spread), median * (1 + spread), cpu_us)


def line(
    ours: Measured, theirs: Measured | None = None, *, better: str = "more", name: str = "a.b.c"
) -> Line:
    return Line(name, "a figure", "/s", better, 100, None, "a floor", 5, ours, theirs)


def results(*lines: Line, load: float = 0.0) -> Results:
    return Results(msgspec.structs.replace(MACHINE, load=load), False, list(lines), [])


def judged(before: Line, after: Line) -> Difference:
    [difference] = compare(results(before), results(after))
    return difference


@pytest.mark.parametrize(("better", "factor"), [("more", 0.5), ("less", 2.0)])
def test_half_as_fast_is_worse_and_a_regression(better, factor):
    found = judged(line(measured(100), better=better), line(measured(100 * factor), better=better))
    assert found.judgement == "worse"
    assert found.change == pytest.approx(-0.5)
    assert is_regression([found])


@pytest.mark.parametrize(("better", "factor"), [("more", 2.0), ("less", 0.5)])
def test_twice_as_fast_is_better_and_no_regression(better, factor):
    found = judged(line(measured(100), better=better), line(measured(100 * factor), better=better))
    assert found.judgement == "better"
    assert found.change == pytest.approx(1.0)
    assert not is_regression([found])


def test_what_stays_within_the_margin_is_the_same():
    lost = 1 - REGRESSION_MARGIN * 0.9
    found = judged(line(measured(100, 0.001)), line(measured(100 * lost, 0.001)))
    assert found.judgement == "same"


def test_runs_that_overlap_are_the_same_however_far_the_medians_are_apart():
    found = judged(line(measured(100, 0.5)), line(measured(60, 0.5)))
    assert found.judgement == "same"


def test_what_became_worse_as_much_as_its_reference_is_the_machine():
    before = line(measured(100), measured(1000))
    found = judged(before, line(measured(50), measured(500)))
    assert found.judgement == "machine"
    assert not is_regression([found])


def test_what_became_worse_although_its_reference_stayed_is_worse():
    before = line(measured(100), measured(1000))
    assert judged(before, line(measured(50), measured(1000))).judgement == "worse"


def test_what_kept_its_pace_on_a_slower_machine_is_the_same():
    before = line(measured(100), measured(1000))
    assert judged(before, line(measured(100), measured(500))).judgement == "same"


@pytest.mark.parametrize(
    ("load", "cpu_us", "judgement"),
    [(0.5, 10.0, "worse"), (3.0, 10.0, "busy"), (3.0, 20.0, "worse"), (3.0, None, "worse")],
)
def test_on_a_busy_machine_processor_time_must_have_become_worse_too(load, cpu_us, judgement):
    before = results(line(measured(100, cpu_us=10.0)))
    after = results(line(measured(50, cpu_us=cpu_us)), load=load)
    assert [each.judgement for each in compare(before, after)] == [judgement]


def test_a_figure_that_is_gone_is_a_regression_and_a_new_one_is_none():
    old, new = line(measured(1), name="a.b.old"), line(measured(1), name="a.b.new")
    found = compare(results(old), results(new))
    assert {each.figure: each.judgement for each in found} == {
        "a.b.old": "gone",
        "a.b.new": "new",
    }
    assert is_regression(found)
    assert not is_regression([each for each in found if each.judgement == "new"])


def test_processor_time_is_compared_too():
    found = judged(line(measured(100, cpu_us=10.0)), line(measured(100, cpu_us=15.0)))
    assert found.cpu == pytest.approx(0.5)


def test_the_table_names_every_difference():
    console = Console(width=200)
    before, after = results(line(measured(100))), results(line(measured(10)))
    with console.capture() as captured:
        show_differences(before, after, compare(before, after), console)
    [row] = [row for row in captured.get().splitlines() if "a.b.c" in row]
    assert "-90%" in row
    assert "worse" in row


@pytest.mark.parametrize(
    ("after", "status"), [(99.0, 0), (10.0, 1)], ids=["no regression", "a regression"]
)
def test_the_command_ends_with_1_on_a_regression_only(tmp_path, after, status):
    write(results(line(measured(100))), tmp_path / "before.json")
    write(results(line(measured(after))), tmp_path / "after.json")
    ended = compared(tmp_path / "before.json", tmp_path / "after.json")
    assert ended.returncode == status, ended.stderr
    assert "a.b.c" in ended.stdout


def test_a_file_that_has_no_results_is_refused_without_a_traceback(tmp_path):
    bad = tmp_path / "bad.json"
    bad.write_text('{"lines": 3}')
    ended = compared(bad, tmp_path / "missing.json")
    assert ended.returncode == 1
    assert str(bad) in ended.stderr
    assert "Traceback" not in ended.stderr


def test_results_survive_being_written_and_read(tmp_path):
    kept = Results(
        MACHINE, False, [line(measured(3, cpu_us=2.0), measured(4))], [Failure("x", "y")]
    )
    write(kept, tmp_path / "folder" / "results.json")
    assert read(tmp_path / "folder" / "results.json") == kept


def test_the_table_says_what_is_met_what_is_missed_and_what_failed():
    console = Console(width=200, record=True)
    lines = [
        line(measured(150), measured(300), name="a.b.good"),
        line(measured(50), None, name="a.b.bad"),
    ]
    with console.capture() as captured:
        show(Results(MACHINE, False, lines, [Failure("a.b", "it died")]), console)
    rows = captured.get().splitlines()
    good = next(row for row in rows if "a.b.good" in row)
    bad = next(row for row in rows if "a.b.bad" in row)
    assert "met" in good
    assert "0.5" in good
    assert "missed" in bad
    assert "not installed" in bad
    assert any("it died" in row for row in rows)


def test_runs_beside_each_other_stand_in_the_order_of_their_dates_and_missed_targets_are_bold():
    early = Results(MACHINE, False, [line(measured(50, cpu_us=3.0))], [])
    later = Results(
        msgspec.structs.replace(MACHINE, at="2026-02-01T00:00:00+00:00", revision="def"),
        False,
        [line(measured(150))],
        [],
    )
    head, _, row = markdown([later, early]).splitlines()
    assert head.index("abc") < head.index("def")
    assert row == "| `a.b.c` | ≥ 100 /s | **50 /s (3 µs)** | 150 /s |"


def compared(before: Path, after: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", "compare", str(before), str(after)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
