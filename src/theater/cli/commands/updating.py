"""`theater update`: the same actor with another component."""

from __future__ import annotations

from pathlib import Path

import click

from theater.cli.command import command
from theater.cli.files import read_file
from theater.cli.options import actor_argument, as_json, connect, on_server
from theater.cli.output import print_json, status_text, working
from theater.cli.plain import printable
from theater.errors import ComponentError
from theater.limits import COMPONENT_BYTES_MAX

_WASM = b"\0asm"


@command(
    examples=[
        "theater update counter build/counter.wasm",
        "theater update counter build/counter.wasm --force",
    ]
)
@actor_argument
@click.argument("component", type=click.Path(path_type=Path), help="The component's file.")
@click.option("--force", is_flag=True, help="Don't try it with the actor's last calls first.")
@on_server
@as_json("the actor as it goes on")
def update(
    actor: str,
    component: Path,
    force: bool,
    address: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Have an actor go on with another component: same id, chain, state, mailbox, timers and stores.

    The actor's last calls are run again with it first, without any effect; if one comes out
    otherwise, nothing is changed, and the first difference is printed. The manifest stays.
    """
    wasm = read_file(component, COMPONENT_BYTES_MAX, "component")
    if not wasm.startswith(_WASM):
        raise ComponentError(
            f"{component} is not a component; name the file that `theater build` makes, which is "
            "`component` in the manifest",
            code="component.invalid",
        )
    with connect(address, data_dir) as client:
        digest = client.add_component(wasm)
        with working("trying it with the actor's last calls"):
            found = client.update(actor, digest, force=force)
    if as_json:
        print_json(found)
    else:
        name, status = printable(found.name), status_text(found.status)
        click.echo(f"{found.id}  {name}  {status}  component {found.component}")
