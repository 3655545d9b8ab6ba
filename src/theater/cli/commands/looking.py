"""`theater list`, `inspect`, `status`, `state`: what is, without changing it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from theater.cli.command import command
from theater.cli.options import actor_argument, as_json, connect, on_server
from theater.cli.output import (
    facts,
    print_json,
    say,
    status_text,
    table,
    text_of,
    time_text,
    write_bytes,
)
from theater.cli.plain import printable
from theater.protocol.actors import ActorView

CHILDREN_SHOWN = 20


@command(examples=["theater list", "theater list --all", "theater list --json | jq '.[].id'"])
@click.option("--all", "ended", is_flag=True, help="Those that ended too, and imported chains.")
@click.option("--tree", is_flag=True, help="Children below their parents.")
@on_server
@as_json("the actors")
def list_(
    ended: bool, tree: bool, address: str | None, data_dir: Path | None, as_json: bool
) -> None:
    """List the actors that live; with --all also those that ended."""
    with connect(address, data_dir) as client:
        actors = client.actors(ended=ended)
    if as_json:
        print_json(actors)
        return
    if not actors:
        say("There are no actors; `theater start MANIFEST` starts one.")
        return
    shown = in_tree(actors) if tree else [(actor, 0) for actor in actors]
    # Most nodes have no children; in a tree they stand below their parents.
    heads = ["PARENT"] if not tree and any(actor.parent for actor in actors) else []
    table(
        ("ID", "NAME", "STATUS", "EVENTS", "WAITING", "STARTED", *heads),
        (
            (
                actor.id,
                "  " * depth + printable(actor.name),
                status_text(actor.status),
                str(actor.events),
                str(actor.mailbox),
                time_text(actor.started_at),
                *(actor.parent or "" for _ in heads),
            )
            for actor, depth in shown
        ),
    )


def in_tree(actors: Sequence[ActorView]) -> list[tuple[ActorView, int]]:
    """Return the actors in their order, each behind its parent, with how deep it stands below.

    One whose parent is not among them stands at the top.
    """
    here = {actor.id for actor in actors}
    below: dict[str | None, list[ActorView]] = {}
    for actor in actors:
        below.setdefault(actor.parent if actor.parent in here else None, []).append(actor)
    shown: list[tuple[ActorView, int]] = []
    left = [(actor, 0) for actor in reversed(below.get(None, []))]
    while left:
        actor, depth = left.pop()
        shown.append((actor, depth))
        left.extend((child, depth + 1) for child in reversed(below.get(actor.id, [])))
    return shown


@command(examples=["theater inspect counter", "theater inspect 7f3a --json"])
@actor_argument
@on_server
@as_json("the actor")
def inspect(actor: str, address: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Show everything about an actor."""
    with connect(address, data_dir) as client:
        found = client.actor(actor)
        children = [] if as_json else client.actors(parent=found.id)
    if as_json:
        print_json(found)
        return
    rows = [
        ("id", found.id),
        ("name", printable(found.name)),
        ("status", status_text(found.status)),
        ("parent", found.parent or "none: it was started from outside"),
        *(("child", f"{child.id} {printable(child.name)}") for child in children[:CHILDREN_SHOWN]),
        ("manifest", printable(found.manifest_path)),
        ("component", found.component),
        ("started", f"{time_text(found.started_at)} UTC"),
        ("events", str(found.events)),
        ("head", found.head),
        ("waiting", f"{found.mailbox} messages"),
    ]
    if len(children) > CHILDREN_SHOWN:
        rows.append(("children", f"{len(children)}; `theater list --tree` shows every one"))
    if found.outcome is not None:
        told = found.outcome.text
        shown = f"{len(found.outcome.body)} bytes" if told is None else printable(told)
        rows.append(("ended", f"{'well' if found.outcome.ok else 'badly'}: {shown}"))
    facts(rows)


@command(examples=["theater status counter", "theater status counter --json"])
@actor_argument
@on_server
@as_json("id and status")
def status(actor: str, address: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Show an actor's status in one word.

    It is starting, running, paused, stopping, stopped or failed; imported if its chain is a file's.
    """
    with connect(address, data_dir) as client:
        found = client.actor(actor)
    if as_json:
        print_json({"id": found.id, "status": found.status})
    else:
        click.echo(status_text(found.status))


@command(
    examples=[
        "theater state counter",
        "theater state counter --at 41",
        "theater state counter --json | jq -r .text",
    ]
)
@actor_argument
@click.option("--at", type=click.IntRange(0), help="The state after the event with this number.")
@on_server
@as_json("the state, in base64 and as text where it is text,")
def state(
    actor: str, at: int | None, address: str | None, data_dir: Path | None, as_json: bool
) -> None:
    """Print an actor's state as it is, now or after any event of its history."""
    with connect(address, data_dir) as client:
        found = client.state(actor, at)
    if as_json:
        print_json({"state": found, "text": None if found is None else text_of(found)})
    elif found is None:
        say("It has no state.")
    else:
        write_bytes(found)
