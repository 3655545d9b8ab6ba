"""`theater wait` and `theater stop`: how actors end, and what they leave."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import click

from theater.cli.command import command
from theater.cli.exits import DONE, FAILED
from theater.cli.options import Seconds, actor_argument, as_json, connect, on_server
from theater.cli.output import print_json, say, status_text, write_bytes
from theater.cli.plain import printable
from theater.protocol.actors import ActorView

_WAIT_S_MAX = 100 * 365 * 24 * 3600


@command(
    examples=[
        "theater wait researcher",
        "theater wait researcher --timeout 60 > report.json",
        "theater wait researcher --json | jq -r .outcome.text",
    ]
)
@actor_argument
@click.option(
    "--timeout",
    type=Seconds(0, _WAIT_S_MAX),
    metavar="SECONDS",
    help="How long to wait; then it fails and the actor lives on. Default: for ever.",
)
@on_server
@as_json("the actor as it ended")
def wait(
    actor: str, timeout: float | None, address: str | None, data_dir: Path | None, as_json: bool
) -> None:
    """Wait until an actor ends; prints its result, and ends as it did: 0 if well, 1 if not."""
    with connect(address, data_dir) as client:
        leave_with_outcome(client.wait(actor, timeout), as_json=as_json)


@command(examples=["theater stop counter", "theater stop counter --force"])
@actor_argument
@click.option("--force", is_flag=True, help="Kill the call in hand instead of waiting for it.")
@on_server
@as_json("the actor as it ended")
def stop(
    actor: str, force: bool, address: str | None, data_dir: Path | None, as_json: bool
) -> None:
    """Stop an actor; the call in hand may finish. Stopping what is stopped is not an error."""
    with connect(address, data_dir) as client:
        found = client.stop(actor, force=force)
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found.id}  {printable(found.name)}  {status_text(found.status)}")


def leave_with_outcome(actor: ActorView, *, as_json: bool) -> NoReturn:
    """Print what an ended actor left, and end as it did."""
    outcome = actor.outcome
    well = actor.status not in ("failed", "imported") if outcome is None else outcome.ok
    if as_json:
        print_json(actor)
    elif outcome is not None and outcome.ok:
        write_bytes(outcome.body)
    elif outcome is not None:
        say(f"{actor.name} failed: {printable(outcome.body.decode('utf-8', 'replace'))}")
    elif actor.status == "imported":
        say(f"{printable(actor.name)} is an imported chain: it never ran here, and has no result")
    raise SystemExit(DONE if well else FAILED)
