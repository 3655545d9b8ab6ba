"""`theater start`: a manifest becomes an actor on the server."""

from __future__ import annotations

from pathlib import Path

import click

from theater.cli.command import command
from theater.cli.options import as_json, connect, initial_state, on_server, variables
from theater.cli.output import COMPILING, print_json, say, status_text, told_if_long


@command(
    examples=[
        "theater start manifest.toml",
        "theater start manifest.toml --name writer --var MODEL=small",
        "theater start manifest.toml --id-only | theater subscribe -",
    ]
)
@click.argument("manifest", type=click.Path(path_type=Path), help="The manifest's file.")
@click.option("--name", help="The actor's name, instead of the manifest's.")
@click.option("--id-only", is_flag=True, help="Print the actor's id and nothing else.")
@click.option("--monitor", is_flag=True, help="Then print its log until it ends.")
@initial_state
@variables
@on_server
@as_json("the actor")
def start(
    manifest: Path,
    name: str | None,
    id_only: bool,
    monitor: bool,
    state_file: Path | None,
    variables: dict[str, str],
    address: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Start an actor on the server.

    Manifest, component and initial state are read and checked here; the component is uploaded if
    the server doesn't have it. Variables come from --var, then from the environment.
    """
    from theater.cli.manifests import load_manifest

    loaded = load_manifest(manifest, variables, state_file)
    with connect(address, data_dir) as client:
        component = client.add_component(loaded.component)
        with told_if_long(COMPILING):
            actor = client.start(
                loaded.manifest.text,
                path=str(manifest.resolve()),
                component=component,
                name=name,
                state=loaded.state,
            )
        if as_json:
            print_json(actor)
        elif id_only:
            click.echo(actor.id)
        else:
            click.echo(f"{actor.id}  {actor.name}  {status_text(actor.status)}")
        if not monitor:
            return
        from theater.cli.commands.ending import leave_with_outcome
        from theater.cli.commands.history import print_log_line

        for line in client.logs(actor.id, follow=True):
            print_log_line(line, write=say)
        leave_with_outcome(client.actor(actor.id), as_json=as_json)
