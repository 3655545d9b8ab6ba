"""`python -m benchmarks`: measure, compare two results, see where the time goes."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from time import perf_counter

import msgspec
from rich.console import Console

from benchmarks.comparison import compare, is_regression, show_differences
from benchmarks.machine import this_machine
from benchmarks.measure import BENCHMARKS, Benchmark
from benchmarks.profiling import profile
from benchmarks.report import Results, file_of, markdown, read, show, write
from benchmarks.runs import CACHE, Failure, Line, chosen, measure_here, run_apart

PLAIN_WIDTH = 200


def main() -> int:
    """Do what the command line says; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="measure, print a table, write results")
    run.add_argument("only", nargs="*", help="a topic, or topic.name; all if none is given")
    run.add_argument("--quick", action="store_true", help="tiny sizes, to see that all of it works")
    run.add_argument("--output", type=Path, help="where results go; default: results/<date>-<rev>")
    run.add_argument("--cache", type=Path, default=CACHE, help="where compiled guests are kept")

    inner = commands.add_parser("measure", help="measure one benchmark in this process")
    inner.add_argument("name")
    inner.add_argument("--answer", type=Path, required=True)
    inner.add_argument("--quick", action="store_true")
    inner.add_argument("--cache", type=Path, default=CACHE)

    differ = commands.add_parser("compare", help="tell two results apart; exit 1 on a regression")
    differ.add_argument("before", type=Path)
    differ.add_argument("after", type=Path)

    runs = commands.add_parser("markdown", help="results beside each other, for the README")
    runs.add_argument("files", nargs="+", type=Path)

    look = commands.add_parser("profile", help="functions by time, for each kind of thread")
    look.add_argument("name", help="topic.name")
    look.add_argument("--gil", action="store_true", help="only who holds the interpreter's lock")
    look.add_argument("--quick", action="store_true")
    look.add_argument("--cache", type=Path, default=CACHE)

    commands.add_parser("list", help="name the benchmarks")

    given = parser.parse_args()
    if given.command not in ("compare", "markdown"):  # which need none of what is measured
        importlib.import_module("benchmarks.topics")
    match given.command:
        case "run":
            return _run(given)
        case "measure":
            measure_here(_one(given.name), given.answer, quick=given.quick, cache=given.cache)
        case "compare":
            return _compare(given.before, given.after)
        case "markdown":
            print(markdown([read(file) for file in given.files]))
        case "profile":
            print(profile(_one(given.name), quick=given.quick, gil=given.gil, cache=given.cache))
        case "list":
            for name, benchmark in sorted(BENCHMARKS.items()):
                for figure in benchmark.figures:
                    print(f"{name}.{figure.name}: {figure.what}")
    return 0


def _one(name: str) -> Benchmark:
    [benchmark, *more] = chosen([name])
    if more:
        raise SystemExit(f"{name} means more than one benchmark; `list` names them")
    return benchmark


def _compare(before: Path, after: Path) -> int:
    old, new = read(before), read(after)
    differences = compare(old, new)
    show_differences(old, new, differences, _console())
    return 1 if is_regression(differences) else 0


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)


def _run(given: argparse.Namespace) -> int:
    console = _console()
    machine = this_machine()
    lines: list[Line] = []
    failures: list[Failure] = []
    for benchmark in chosen(given.only):
        print(benchmark.name, end=" ", file=sys.stderr, flush=True)
        began = perf_counter()
        ended = run_apart(benchmark, quick=given.quick, cache=given.cache)
        print(f"{perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        if isinstance(ended, Failure):
            failures.append(ended)
        else:
            lines.extend(ended)
    if this_machine().revision != machine.revision:
        print("the working copy changed while it was measured", file=sys.stderr)
        machine = msgspec.structs.replace(machine, changed=True)
    results = Results(machine, given.quick, lines, failures)
    show(results, console)
    output = given.output or (None if given.quick or given.only else file_of(machine))
    if output is not None:
        write(results, output)
        print(f"written to {output}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
