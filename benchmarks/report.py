"""Results: as a file, as a table in a terminal, and several beside each other as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.machine import Machine
from benchmarks.runs import Failure, Line

RESULTS = Path(__file__).parent / "results"


class Results(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One run of the benchmarks."""

    machine: Machine
    quick: bool
    lines: list[Line]
    failures: list[Failure]


def read(file: Path) -> Results:
    """Read results that were written before."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Results)
    except OSError as error:
        raise SystemExit(f"{file} can't be read: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise SystemExit(f"{file} has no results of these benchmarks: {error}") from None


def write(results: Results, file: Path) -> None:
    """Write results to a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def file_of(machine: Machine) -> Path:
    """Where the results of a run belong: named by date and revision."""
    changed = "-changed" if machine.changed else ""
    return RESULTS / f"{machine.at[:10]}-{machine.revision}{changed}.json"


def show(results: Results, console: Console) -> None:
    """Print the table: figure, target, reference, ratio, whether it is met."""
    machine = results.machine
    console.print(
        f"{machine.cpu}, {machine.cores} cores, load {machine.load}, {machine.python}, "
        f"wasmtime {machine.wasmtime}, SQLite {machine.sqlite}, revision {machine.revision}"
        + (" with changes" if machine.changed else "")
    )
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("figure", "what"):
        table.add_column(name)
    for name in ("measured", "±", "cpu µs/op", "target", "reference", "ratio"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    table.add_column("the reference is")
    for line in results.lines:
        table.add_row(*_row(line))
    console.print(table)
    for failure in results.failures:
        console.print(f"[red]{failure.benchmark} failed[/red]: {failure.text}", highlight=False)


def markdown(runs: Sequence[Results]) -> str:
    """Several runs beside each other as a table for a README, the oldest first."""
    runs = sorted(runs, key=lambda run: run.machine.at)
    heads = [
        f"{run.machine.at[:10]} {run.machine.revision}, load {run.machine.load}" for run in runs
    ]
    rows = [["figure", "target", *heads], ["---", "---:", *("---:" for _ in heads)]]
    named = {line.figure: line for run in runs for line in run.lines}
    for name, line in sorted(named.items()):
        sign = "≥" if line.better == "more" else "≤"
        target = "" if line.target is None else f"{sign} {number(line.target)} {line.unit}"
        found = [next((each for each in run.lines if each.figure == name), None) for run in runs]
        rows.append([f"`{name}`", target, *map(_cell, found)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(line: Line | None) -> str:
    if line is None:
        return ""
    said = f"{number(line.ours.median)} {line.unit}"
    if line.ours.cpu_us is not None:
        said += f" ({number(line.ours.cpu_us)} µs)"
    return f"**{said}**" if met(line) is False else said


def met(line: Line) -> bool | None:
    """Whether the target is met; None if there is none."""
    return _reached(line, line.target)


def number(value: float) -> str:
    """A number as people read it: three digits that count."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _row(line: Line) -> Sequence[str]:
    ours, theirs = line.ours, line.theirs
    spread = (ours.high - ours.low) / 2 / ours.median if ours.median else 0.0
    state = met(line)
    if state is None:
        verdict = ""
    elif state:
        verdict = "[green]met[/green]"
    elif _reached(line, line.asked):
        verdict = f"[yellow]missed[/yellow], {number(line.asked or 0)} met"
    else:
        verdict = "[red]missed[/red]"
    sign = "≥" if line.better == "more" else "≤"
    return (
        line.figure,
        line.what,
        f"{number(ours.median)} {line.unit}",
        f"{spread:.0%}",
        "" if ours.cpu_us is None else number(ours.cpu_us),
        "" if line.target is None else f"{sign} {number(line.target)}",
        "not installed" if theirs is None else number(theirs.median),
        "" if theirs is None or not theirs.median else f"{ours.median / theirs.median:.2g}",
        verdict,
        line.reference,
    )


def _reached(line: Line, wanted: float | None) -> bool | None:
    if wanted is None:
        return None
    return line.ours.median >= wanted if line.better == "more" else line.ours.median <= wanted
