"""`theater events`, `logs`, `export`: what an actor's chain says."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import click

from theater.cli.command import command
from theater.cli.options import actor_argument, as_json, connect, on_server
from theater.cli.output import print_json, printable, progress, text_of, time_text
from theater.client.calls import decoded
from theater.protocol.history import EventLine, LogLine

_TEXT_CHARS = 100
_TOLD = ("function", "params", "input", "output", "result", "trap", "kind", "code", "why", "by")
_COLOURS = {"log": None, "stdout": None, "stderr": "yellow"}


@command(
    examples=[
        "theater events counter",
        "theater events counter --from 100 --type 'theater:simple/store/*'",
        "theater events counter --follow --format jsonl",
    ]
)
@actor_argument
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
@as_json("the same as --format jsonl")
def events(
    actor: str,
    start: int,
    limit: int | None,
    type_: str | None,
    follow: bool,
    form: str,
    address: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Print an actor's events, oldest first."""
    with connect(address, data_dir) as client:
        lines = client.event_lines(actor, start=start, limit=limit, type=type_, follow=follow)
        if as_json or form == "jsonl":
            for line in lines:
                click.echo(line)
            return
        show = compact if form == "compact" else pretty
        for line in lines:
            click.echo(show(decoded(line, EventLine)))


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


@command(examples=["theater export counter", "theater export counter -o chains --json"])
@actor_argument
@click.option(
    "--output",
    "-o",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    help="Where to write. Default: here.",
)
@on_server
@as_json("the paths written")
def export(
    actor: str, folder: Path, address: str | None, data_dir: Path | None, as_json: bool
) -> None:
    """Write an actor's chain as JSON lines, with a meta.json beside it.

    `theater verify` checks what was written, anywhere and without a server.
    """
    with connect(address, data_dir) as client:
        found = client.actor(actor)
        folder.mkdir(parents=True, exist_ok=True)
        chain = folder / f"{found.id}.jsonl"
        meta = folder / f"{found.id}.meta.json"
        draft = chain.with_suffix(".jsonl.part")
        count = 0
        with draft.open("wb") as file, progress("exporting", found.events) as advance:
            for line in client.event_lines(found.id):
                file.write(line + b"\n")
                count += 1
                advance()
    draft.replace(chain)
    written = {
        "actor_id": found.id,
        "actor_name": found.name,
        "manifest_path": found.manifest_path,
        "started_at": found.started_at // 1_000_000,
    }
    meta.write_text(json.dumps(written, ensure_ascii=False) + "\n")
    if as_json:
        print_json({"chain": str(chain), "meta": str(meta), "events": count})
    else:
        click.echo(f"{chain}  {count} events")


def print_log_line(line: LogLine, write: Callable[[str], None] = click.echo) -> None:
    """Write a line of a log for people."""
    at = click.style(time_text(line.at), dim=True)
    source = "" if line.source == "log" else click.style(f" {line.source}", dim=True)
    write(f"{at}{source}  {click.style(printable(line.text), fg=_COLOURS[line.source])}")


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
