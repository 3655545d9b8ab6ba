"""What became better or worse between two results, given how much each of them scatters.

A figure is worse only if its median moved by more than the margin, the runs of both don't overlap,
and the reference, which nobody changed, did not move along. The last tells a slower machine
from slower code. If one of the two runs shared its machine with other work, processor time must have
become worse too: the clock alone says nothing then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from rich.console import Console
from rich.table import Table

from benchmarks.machine import Machine
from benchmarks.report import Results, number
from benchmarks.runs import Line, Measured

REGRESSION_MARGIN: Final = 0.15
"""By how much a figure may become worse: as much as an idle shared machine moves them."""

BUSY_LOAD: Final = 0.5
"""From which load of a core on the clock alone is not believed."""

Judgement = Literal["same", "better", "worse", "machine", "busy", "new", "gone"]


@dataclass(frozen=True, slots=True)
class Difference:
    """How a figure changed. `change` is the relative gain: 0.2 is a fifth better, -0.2 a fifth worse.

    `cpu` is the relative change of processor time, negative where it became less.
    """

    figure: str
    judgement: Judgement
    before: float | None
    after: float | None
    unit: str
    change: float | None
    cpu: float | None


def compare(before: Results, after: Results) -> list[Difference]:
    """Judge every figure that is in one of the two."""
    old = {line.figure: line for line in before.lines}
    new = {line.figure: line for line in after.lines}
    busy = _was_busy(before.machine) or _was_busy(after.machine)
    differences = [_difference(old.get(name), line, busy) for name, line in new.items()]
    gone = [line for name, line in old.items() if name not in new]
    return differences + [
        Difference(line.figure, "gone", line.ours.median, None, line.unit, None, None)
        for line in gone
    ]


def is_regression(differences: list[Difference]) -> bool:
    """Whether something became worse, or is not measured any more."""
    return any(each.judgement in ("worse", "gone") for each in differences)


def show_differences(
    before: Results, after: Results, differences: list[Difference], console: Console
) -> None:
    """Print the differences as a table."""
    console.print(
        f"from {before.machine.revision} (load {before.machine.load}) "
        f"to {after.machine.revision} (load {after.machine.load}); "
        f"worse means by more than {REGRESSION_MARGIN:.0%}, beyond the spread and the reference"
    )
    if (before.machine.cpu, before.machine.cores) != (after.machine.cpu, after.machine.cores):
        console.print("[yellow]They were measured on different machines.[/yellow]")
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("figure")
    for name in ("before", "after", "gain", "cpu/op"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    colours = {
        "worse": "red",
        "gone": "red",
        "better": "green",
        "machine": "yellow",
        "busy": "yellow",
    }
    for each in differences:
        colour = colours.get(each.judgement)
        said = f"[{colour}]{each.judgement}[/{colour}]" if colour else each.judgement
        table.add_row(
            each.figure,
            "" if each.before is None else f"{number(each.before)} {each.unit}",
            "" if each.after is None else f"{number(each.after)} {each.unit}",
            "" if each.change is None else f"{each.change:+.0%}",
            "" if each.cpu is None else f"{each.cpu:+.0%}",
            said,
        )
    console.print(table)


def _was_busy(machine: Machine) -> bool:
    return machine.load > BUSY_LOAD * machine.cores


def _difference(old: Line | None, new: Line, busy: bool) -> Difference:
    if old is None:
        return Difference(new.figure, "new", None, new.ours.median, new.unit, None, None)
    change = _gain(old.ours, new.ours, new.better)
    cpu = None
    if old.ours.cpu_us and new.ours.cpu_us:
        cpu = new.ours.cpu_us / old.ours.cpu_us - 1
    judgement = _judge(old, new, change)
    if judgement == "worse" and busy and cpu is not None and cpu <= REGRESSION_MARGIN:
        judgement = "busy"
    return Difference(
        new.figure,
        judgement,
        old.ours.median,
        new.ours.median,
        new.unit,
        change,
        cpu,
    )


def _judge(old: Line, new: Line, change: float) -> Judgement:
    apart = old.ours.high < new.ours.low or new.ours.high < old.ours.low
    if not apart or abs(change) <= REGRESSION_MARGIN:
        return "same"
    if old.theirs is not None and new.theirs is not None:
        moved = _gain(old.theirs, new.theirs, new.better)
        if abs((1 + change) / (1 + moved) - 1) <= REGRESSION_MARGIN:
            return "machine"
    return "better" if change > 0 else "worse"


def _gain(old: Measured, new: Measured, better: str) -> float:
    if not old.median or not new.median:
        return 0.0
    ratio = new.median / old.median if better == "more" else old.median / new.median
    return ratio - 1
