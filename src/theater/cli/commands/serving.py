"""`theater server`: the daemon."""

from __future__ import annotations

from pathlib import Path

import click

from theater.cli.command import command
from theater.cli.output import say


@command(
    examples=[
        "theater server",
        "theater server --port 0 --data-dir /tmp/theater",
        "theater server --host 0.0.0.0 --allow-host theater.lan",
    ]
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=9000,
    show_default=True,
    help="The port to listen on; 0 takes a free one.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where everything is kept. Default: THEATER_DATA_DIR, else ~/.local/share/theater.",
)
@click.option(
    "--no-auth", is_flag=True, help="Ask nobody for the token; only on an address of this machine."
)
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="A name under which clients may ask for this server. May be repeated.",
)
def server(
    host: str, port: int, data_dir: Path | None, no_auth: bool, allowed_hosts: tuple[str, ...]
) -> None:
    """Run the server, until Ctrl-C stops it in order; a second Ctrl-C stops it at once.

    Prints its address, then nothing more. The token that clients need is made at the first start
    and kept in the data directory; the commands on this machine read it by themselves.
    """
    import logging

    from theater.cli.configuration import load, secret_values
    from theater.runtime.node import Node
    from theater.runtime.settings import NodeSettings
    from theater.server.daemon import TheaterServer, stopping_by_signal
    from theater.server.settings import ServerSettings

    settings = ServerSettings(host=host, port=port, auth=not no_auth, allowed_hosts=allowed_hosts)
    settings.check()
    known = load()
    logging.basicConfig(
        level=known.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    folder = known.data_directory(data_dir)
    node = Node.open(
        folder, NodeSettings(secrets=secret_values(known), chain_dirs=known.chain_dirs)
    )
    try:
        daemon = TheaterServer(node, folder, settings)
        with stopping_by_signal(daemon.stop):
            daemon.run(ready=lambda: click.echo(daemon.address))
            say("stopping")
            node.close()
    finally:
        node.close()
