"""`theater subscribe`: the events of several actors, or of all, as they come."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from theater.cli.command import command
from theater.cli.commands.history import compact, pretty
from theater.cli.options import as_json, connect, on_server
from theater.cli.output import print_json
from theater.errors import UsageError

_ID_CHARS = 8


@command(
    examples=[
        "theater start manifest.toml --id-only | theater subscribe -",
        "theater subscribe writer reader --type 'wasm-*'",
        "theater subscribe --all --from now --format json",
    ]
)
@click.argument(
    "actors",
    nargs=-1,
    metavar="[ACTOR]...",
    help="Ids, unique prefixes or names; - reads them from standard input.",
)
@click.option("--all", "every", is_flag=True, help="All actors, and those that are started later.")
@click.option(
    "--from",
    "start",
    metavar="SEQ|now",
    default="0",
    show_default=True,
    help="The first event's number, or now for what comes next.",
)
@click.option("--limit", type=click.IntRange(1), help="At most so many events.")
@click.option("--type", "type_", metavar="PATTERN", help="Only types that match, with * and ?.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["compact", "pretty", "json"]),
    default="compact",
    show_default=True,
    help="One line each, everything spread out, or one JSON object a line.",
)
@on_server
@as_json("events, one a line,")
def subscribe(
    actors: tuple[str, ...],
    every: bool,
    start: str,
    limit: int | None,
    type_: str | None,
    form: str,
    address: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Print the events of actors, from the first on, then as they come, until all have ended.

    Goes on by itself when the server was started again.
    """
    named = _named(actors)
    if every and named:
        raise click.UsageError("Name actors or say --all, not both.")
    if not every and not named:
        raise click.UsageError(
            "Name actors, as arguments or on standard input with -, or say --all."
        )
    if start != "now" and not (start.isascii() and start.isdigit() and len(start) < 19):
        raise UsageError(f"--from is an event's number or now, not {start!r}")
    show = compact if form == "compact" else pretty
    with connect(address, data_dir) as client:
        ids = [client.actor(actor).id for actor in named]
        for each in client.subscribe(
            list(dict.fromkeys(ids)),
            start=None if start == "now" else int(start),
            limit=limit,
            type=type_,
        ):
            if as_json or form == "json":
                print_json(each)
            elif len(ids) == 1:
                click.echo(show(each.event))
            else:
                click.echo(f"{click.style(each.actor[:_ID_CHARS], dim=True)} {show(each.event)}")


def _named(actors: tuple[str, ...]) -> list[str]:
    named: list[str] = []
    for actor in actors:
        named += sys.stdin.read().split() if actor == "-" else [actor]
    if "-" in actors and not named:
        raise click.UsageError("There is no actor's id on standard input.")
    return named
