"""`theater build` and `theater validate`: what happens before an actor is started."""

from __future__ import annotations

from pathlib import Path

import click

from theater.cli.command import command
from theater.cli.options import as_json, variables
from theater.cli.output import print_json, say
from theater.errors import ManifestError


@command(
    examples=[
        "theater build",
        "theater build examples/counter --clean",
        "theater build --json | jq -r .sha256",
    ]
)
@click.argument(
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=".",
    metavar="[DIR]",
    help="The project: a folder with a manifest.toml. Default: this one.",
)
@click.option("--clean", is_flag=True, help="Build again, even if nothing changed.")
@as_json("what was built")
def build(folder: Path, clean: bool, as_json: bool) -> None:
    """Make an actor's component from its sources.

    Writes the component's path and hash into the manifest. Does nothing if no source, dependency
    or handler changed since.
    """
    from theater.build import build as make

    made = make(folder, clean=clean, progress=(lambda _: None) if as_json else say)
    if as_json:
        print_json(
            {
                "component": str(made.component),
                "sha256": made.sha256,
                "built": made.built,
                "seconds": round(made.seconds, 3),
                "edited": [str(path) for path in made.edited],
            }
        )
        return
    click.echo(f"{made.component}  {made.sha256}")


@command(
    examples=[
        "theater validate manifest.toml",
        "theater validate manifest.toml --check-interfaces",
        "theater validate manifest.toml --var MODEL=small --json",
    ]
)
@click.argument("manifest", type=click.Path(path_type=Path), help="The manifest's file.")
@click.option(
    "--check-interfaces",
    is_flag=True,
    help="Also compare what the component imports with what the manifest grants.",
)
@variables
@as_json("the problems found")
def validate(
    manifest: Path, check_interfaces: bool, variables: dict[str, str], as_json: bool
) -> None:
    """Find everything that is wrong with a manifest, each problem with line and column."""
    from theater.cli.manifests import check_interfaces as compare
    from theater.cli.manifests import read_component, read_manifest

    try:
        read = read_manifest(manifest, variables)
        if check_interfaces:
            compare(read, read_component(manifest, read))
    except ManifestError as error:
        if as_json:
            print_json({"ok": False, "problems": error.problems})
        else:
            for problem in error.problems:
                click.echo(f"{manifest}:{problem}")
            if not error.problems:
                click.echo(error.message)
        raise SystemExit(1) from None
    if as_json:
        print_json({"ok": True, "problems": [], "warnings": read.warnings})
        return
    for warning in read.warnings:
        say(f"{manifest}:{warning}")
    click.echo(f"{manifest}: {read.name} is a good manifest")
