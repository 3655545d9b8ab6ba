"""How things are printed: JSON for programs, aligned columns and readable times for people."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import click
import msgspec

LONG_S = 1.0
"""After how long people are told why nothing is shown yet."""

COMPILING = "still starting: a component that is new here is compiled first"

STATUS_COLOURS = {
    "running": "green",
    "starting": "cyan",
    "paused": "yellow",
    "stopping": "yellow",
    "stopped": "bright_black",
    "failed": "red",
    "imported": "blue",
}


def print_json(value: object) -> None:
    """Write one value as JSON on one line: the only thing a command with --json writes."""
    click.echo(msgspec.json.encode(value).decode())


def write_bytes(data: bytes) -> None:
    """Write bytes as they are; on a terminal with a newline behind them if they have none."""
    sys.stdout.flush()
    stream = sys.stdout.buffer
    stream.write(data)
    if sys.stdout.isatty() and data and not data.endswith(b"\n"):
        stream.write(b"\n")
    stream.flush()


def text_of(data: bytes) -> str | None:
    """Return bytes as text where they are UTF-8, else None."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write rows under heads, as wide as their widest cell."""
    lines = [list(row) for row in rows]
    widths = [
        max(len(click.unstyle(cell)) for cell in column)
        for column in zip(heads, *lines, strict=True)
    ]
    click.echo("  ".join(_padded(click.style(h, bold=True), w) for h, w in _pair(heads, widths)))
    for line in lines:
        click.echo("  ".join(_padded(cell, width) for cell, width in _pair(line, widths)).rstrip())


def facts(rows: Iterable[tuple[str, str]]) -> None:
    """Write names and what stands for each, aligned."""
    pairs = list(rows)
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        click.echo(f"{click.style(name.ljust(width), bold=True)}  {value}")


def status_text(status: str) -> str:
    """Return a status in its colour."""
    return click.style(status, fg=STATUS_COLOURS.get(status))


def time_text(micros: int) -> str:
    """Return a time in UTC, to the second; any that an event can have."""
    from theater.chain.jsonl import rfc3339

    return rfc3339(micros).partition(".")[0].replace("T", " ")


def say(text: str) -> None:
    """Tell people something on standard error, where it disturbs no program."""
    click.echo(text, err=True)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show on a terminal that something takes long; nothing elsewhere."""
    if not sys.stderr.isatty() or os.environ.get("NO_COLOR"):
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


@contextmanager
def told_if_long(what: str, after_s: float = LONG_S) -> Iterator[None]:
    """Say a line on a terminal's standard error if what is done inside takes long; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield
        return
    timer = threading.Timer(after_s, say, (what,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Show on a terminal how much of `total` is done; yields what to call for each."""
    if not sys.stderr.isatty() or os.environ.get("NO_COLOR"):
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - len(click.unstyle(cell)))


def _pair(cells: Sequence[str], widths: Sequence[int]) -> Iterable[tuple[str, int]]:
    return zip(cells, widths, strict=True)
