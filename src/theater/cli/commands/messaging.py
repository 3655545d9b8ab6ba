"""`theater send` and `theater request`: messages from outside."""

from __future__ import annotations

from pathlib import Path

import click

from theater.cli.command import command
from theater.cli.options import Seconds, actor_argument, as_json, connect, message_body, on_server
from theater.cli.output import print_json, text_of, write_bytes
from theater.limits import WAIT_MS_MAX

_data = click.argument("data", required=False, help="The message; - reads it from standard input.")
_file = click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file with the message.",
)
_key = click.option(
    "--key",
    metavar="KEY",
    help="An idempotency key: the same message under the same key is handled once.",
)


@command(
    examples=[
        "theater send counter 2",
        "theater send counter --file message.json",
        "cat message.bin | theater send counter -",
    ]
)
@actor_argument
@_data
@_file
@_key
@on_server
@as_json("the message's id")
def send(
    actor: str,
    data: str | None,
    file: Path | None,
    key: str | None,
    address: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Send a message to an actor; returns once it is accepted and on disk."""
    body = message_body(data, file)
    with connect(address, data_dir) as client:
        message = client.send(actor, body, key=key)
    if as_json:
        print_json({"message": message})
    else:
        click.echo(message)


@command(
    examples=[
        "theater request counter null",
        "theater request counter --file question.json --timeout 10",
        "echo hello | theater request echo - --json",
    ]
)
@actor_argument
@_data
@_file
@_key
@click.option(
    "--timeout",
    type=Seconds(0.001, WAIT_MS_MAX / 1000),
    metavar="SECONDS",
    help="How long to wait for the answer. Default: the manifest's request_timeout_ms.",
)
@on_server
@as_json("the answer, in base64 and as text where it is text,")
def request(
    actor: str,
    data: str | None,
    file: Path | None,
    key: str | None,
    timeout: float | None,
    address: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Ask an actor and print its answer as it is."""
    body = message_body(data, file)
    timeout_ms = None if timeout is None else max(1, round(timeout * 1000))
    with connect(address, data_dir) as client:
        answer = client.request(actor, body, timeout_ms=timeout_ms, key=key)
    print_answer(answer, as_json=as_json)


def print_answer(answer: bytes, *, as_json: bool) -> None:
    """Print an actor's answer: as it is, or as JSON."""
    if as_json:
        print_json({"answer": answer, "text": text_of(answer)})
    else:
        write_bytes(answer)
