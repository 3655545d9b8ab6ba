"""`theater run`: one actor in the foreground, with a node of its own."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from theater.cli.command import command
from theater.cli.commands.ending import leave_with_outcome
from theater.cli.commands.history import print_log_line
from theater.cli.commands.messaging import print_answer
from theater.cli.options import as_json, initial_state, variables
from theater.cli.output import COMPILING, say, told_if_long
from theater.protocol.log import log_line

if TYPE_CHECKING:
    from theater.runtime.info import ActorInfo
    from theater.runtime.node import Node
    from theater.runtime.subscription import Subscription

_POLL_S = 0.2


@command(
    examples=[
        "theater run manifest.toml",
        "theater run examples/counter/manifest.toml --request null",
        "theater run manifest.toml --data-dir runs --var TOPIC=tides > result.json",
    ]
)
@click.argument("manifest", type=click.Path(path_type=Path), help="The manifest's file.")
@click.option("--name", help="The actor's name, instead of the manifest's.")
@click.option(
    "--request",
    "question",
    metavar="DATA",
    help="Ask the actor this, print its answer, and stop it.",
)
@initial_state
@variables
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to keep its history. Default: a temporary folder, gone afterwards.",
)
@as_json("the actor as it ended, or the answer,")
def run(
    manifest: Path,
    name: str | None,
    question: str | None,
    state_file: Path | None,
    variables: dict[str, str],
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Run one actor in the foreground, without a server, until it ends.

    Its log goes to standard error, its result to standard output, and the command ends as the actor
    did: 0 if well, 1 if not. Ctrl-C stops it.
    """
    from theater.cli.configuration import load, secret_values
    from theater.cli.manifests import load_manifest
    from theater.runtime.node import Node
    from theater.runtime.settings import NodeSettings
    from theater.server.views import actor_view

    known = load()
    secrets = secret_values(known)
    loaded = load_manifest(manifest, variables, state_file, secrets=tuple(secrets.values()))
    wanted = loaded.manifest
    if wanted.save_chain and data_dir is None and not (wanted.chain_dir or "").startswith("/"):
        say("save_chain: the chain is in a temporary folder and goes with it; give --data-dir")
    with _folder(data_dir) as folder:
        node = Node.open(folder, NodeSettings(secrets=secrets, chain_dirs=known.chain_dirs))
        try:
            starting = node.start(
                loaded.manifest,
                component=node.add_component(loaded.component),
                name=name,
                state=loaded.state,
            )
            with told_if_long(COMPILING):
                actor = starting.result().id
            ending = node.wait(actor)
            with _log_on_stderr(node, actor):
                try:
                    if question is not None:
                        answer = node.request(actor, question.encode()).result()
                        node.stop(actor)
                    ended = _result(ending)
                except BaseException:
                    node.stop(actor).result()
                    raise
        finally:
            node.close()
    if question is not None:
        print_answer(answer, as_json=as_json)
    else:
        leave_with_outcome(actor_view(ended), as_json=as_json)


def _result(ending: Future[ActorInfo]) -> ActorInfo:
    # A wait without a bound would not let Ctrl-C through on every platform.
    while True:
        try:
            return ending.result(_POLL_S)
        except TimeoutError:
            if ending.done():
                raise


@contextmanager
def _folder(chosen: Path | None) -> Iterator[Path]:
    if chosen is not None:
        yield chosen
        return
    with tempfile.TemporaryDirectory(prefix="theater-run-") as folder:
        yield Path(folder)


@contextmanager
def _log_on_stderr(node: Node, actor: str) -> Iterator[None]:
    """Print the log as it is recorded; all of it is printed when the block ends."""
    cursor = "0"

    def tell(subscription: Subscription) -> None:
        nonlocal cursor
        for each in subscription:
            cursor = each.cursor
            line = log_line(each.event, node.content)
            if line is not None:
                print_log_line(line, write=say)

    with node.subscribe([actor]) as live:
        follower = threading.Thread(target=tell, args=(live,), name="theater-log")
        follower.start()
        try:
            yield
        finally:
            live.close()
            follower.join()
            # What was recorded at the very end.
            tell(node.subscribe([actor], cursor=cursor, follow=False))
