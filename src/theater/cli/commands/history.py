"""`theater events`, `logs`: what an actor's chain says."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path

import click

from theater.chain import jsonl
from theater.chain.event import Event
from theater.cli.chain_files import file_of, reading
from theater.cli.command import command
from theater.cli.options import actor_argument, actor_or_stdin, as_json, connect, on_server
from theater.cli.output import print_json, text_of, time_text
from theater.cli.plain import printable
from theater.client.calls import decoded
from theater.protocol.history import EventLine, LogLine

_TEXT_CHARS = 100
_TOLD = (  # what went wrong first: the rest may be cut off
    "kind",
    "code",
    "message",
    "function",
    "params",
    "input",
    "output",
    "result",
    "trap",
    "why",
    "by",
)
_MARGIN = " " * len("2023-11-14 22:13:20  ")
_COLOURS = {"log": None, "stdout": None, "stderr": "yellow"}


@command(
    examples=[
        "theater events counter",
        "theater events counter --from 100 --type 'theater:simple/store/*'",
        "theater events counter --follow --format jsonl",
        "theater events chains/7f3a.jsonl --type wasm-error",
    ]
)
@click.argument(
    "target",
    callback=actor_or_stdin,
    help="An actor (- reads its id from standard input), or a chain file.",
)
@click.option(
    "--from", "start", type=click.IntRange(0), default=0, help="The first event's number."
)
@click.option("--limit", type=click.IntRange(1), help="At most so many events.")
@click.option("--type", "type_", metavar="PATTERN", help="Only types that match, with * and ?.")
@click.option("--follow", "-f", is_flag=True, help="Go on with new events until the actor ends.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["compact", "pretty", "jsonl"]),
    default="compact",
    show_default=True,
    help="One line each, everything spread out, or the lines of an exported chain.",
)
@on_server
@as_json("events, one a line,")
def events(
    target: str,
    start: int,
    limit: int | None,
    type_: str | None,
    follow: bool,
    form: str,
    address: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Print the events of an actor or of a chain file, oldest first."""
    path = file_of(target)
    if path is not None and follow:
        raise click.UsageError("--follow is for actors; a file has what it has.")
    with ExitStack() as stack:
        if path is None:
            client = stack.enter_context(connect(address, data_dir))
            lines = client.event_lines(target, start=start, limit=limit, type=type_, follow=follow)
        else:
            lines = _chosen(stack.enter_context(reading(path)), start, limit, type_)
        show: Callable[[EventLine], str] = compact if form == "compact" else pretty
        for line in lines:
            if as_json or form == "jsonl":
                click.echo(line)
            else:
                click.echo(show(decoded(line, EventLine)))


def _chosen(
    events: Iterator[Event], start: int, limit: int | None, pattern: str | None
) -> Iterator[bytes]:
    """The lines of those events of a file that a server would give."""
    lines = (
        jsonl.line(event).removesuffix(b"\n")
        for event in events
        if event.seq >= start and (pattern is None or fnmatchcase(event.type, pattern))
    )
    return islice(lines, limit)


@command(
    examples=[
        "theater logs counter",
        "theater logs counter --follow",
        "theater logs counter --json",
    ]
)
@actor_argument
@click.option("--follow", "-f", is_flag=True, help="Go on with new lines until the actor ends.")
@on_server
@as_json("lines, one object each,")
def logs(
    actor: str, follow: bool, address: str | None, data_dir: Path | None, as_json: bool
) -> None:
    """Print an actor's log: what it logged, and what its guest printed."""
    with connect(address, data_dir) as client:
        for line in client.logs(actor, follow=follow):
            if as_json:
                print_json(line)
            else:
                print_log_line(line)


def print_log_line(line: LogLine, write: Callable[[str], None] = click.echo) -> None:
    """Write a line of a log for people; what the guest broke into lines is set in below the first.

    So no guest can write what looks like a line of another time or source.
    """
    at = click.style(time_text(line.at), dim=True)
    source = "" if line.source == "log" else click.style(f" {line.source}", dim=True)
    first, *more = line.text.rstrip("\n").split("\n")
    colour = _COLOURS[line.source]
    write(f"{at}{source}  {click.style(printable(first), fg=colour)}")
    for each in more:
        write(f"{_MARGIN}{click.style(printable(each), fg=colour)}")


def compact(event: EventLine) -> str:
    """Return an event on one line, for people."""
    number = click.style(f"{event.seq:>6}", bold=True)
    at = click.style(time_text(event.at), dim=True)
    name = click.style(event.event_type, fg=_type_colour(event.event_type))
    return f"{number}  {at}  {name}  {click.style(_summary(event.data), dim=True)}"


def pretty(event: EventLine) -> str:
    """Return an event with all that it says, for people."""
    head = click.style(f"event {event.seq}", bold=True)
    name = click.style(event.event_type, fg=_type_colour(event.event_type))
    data = "gone" if event.data is None else json.dumps(event.data, indent=2, ensure_ascii=False)
    shown = "\n".join(f"  {printable(line)}" for line in data.splitlines())
    return (
        f"{head}  {name}\n"
        f"  hash    {event.hash}\n"
        f"  parent  {event.parent_hash or 'none'}\n"
        f"  time    {event.time}\n{shown}\n"
    )


def _summary(data: object) -> str:
    if not isinstance(data, dict):
        return "gone"
    told = [
        f"{name} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name in _TOLD
        if (value := _readable(data.get(name))) not in (None, [])
        and not (name == "message" and isinstance(value, dict))  # of a call: its ids, not its words
    ]
    text = printable("  ".join(told))
    return text if len(text) <= _TEXT_CHARS else text[: _TEXT_CHARS - 1] + "…"


def _readable(value: object) -> object:
    """Return a view with its bytes as text, where they are text."""
    if isinstance(value, list):
        return [_readable(item) for item in value]
    if isinstance(value, dict):
        if value.keys() == {"$bytes"}:
            return text_of(base64.b64decode(value["$bytes"])) or value
        return {name: _readable(item) for name, item in value.items()}
    return value


def _type_colour(name: str) -> str | None:
    if name == "wasm-error" or name == "actor-fail":
        return "red"
    if name.startswith("wasm-"):
        return "cyan"
    return "magenta" if "/" in name else "yellow"
