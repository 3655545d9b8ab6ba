"""`theater pause`, `theater resume` and `theater restart`: what is done to actors that live on."""

from __future__ import annotations

from pathlib import Path

import click

from theater.cli.command import command
from theater.cli.options import actor_argument, as_json, connect, on_server
from theater.cli.output import print_json, status_text
from theater.cli.plain import printable
from theater.protocol.actors import ActorView


@command(examples=["theater pause counter", "theater pause counter && theater state counter"])
@actor_argument
@on_server
@as_json("the paused actor")
def pause(actor: str, address: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Have an actor take no messages after the call in hand, until it is resumed.

    Messages are accepted meanwhile. Pausing what is paused is not an error.
    """
    with connect(address, data_dir) as client:
        _tell(client.pause(actor), as_json=as_json)


@command(examples=["theater resume counter"])
@actor_argument
@on_server
@as_json("the running actor")
def resume(actor: str, address: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Have a paused actor take messages again. Resuming what is not paused is not an error."""
    with connect(address, data_dir) as client:
        _tell(client.resume(actor), as_json=as_json)


@command(examples=["theater restart counter", "theater restart counter --keep-state"])
@actor_argument
@click.option(
    "--keep-state", is_flag=True, help="Go on with the last state; only the instance is new."
)
@on_server
@as_json("the actor as it runs again")
def restart(
    actor: str, keep_state: bool, address: str | None, data_dir: Path | None, as_json: bool
) -> None:
    """Begin an actor anew from its initial state, with the same id, chain, mailbox and stores.

    The call in hand is killed and its message put back. An actor that has failed may be restarted,
    one that was stopped may not.
    """
    with connect(address, data_dir) as client:
        _tell(client.restart(actor, keep_state=keep_state), as_json=as_json)


def _tell(actor: ActorView, *, as_json: bool) -> None:
    if as_json:
        print_json(actor)
    else:
        click.echo(f"{actor.id}  {printable(actor.name)}  {status_text(actor.status)}")
