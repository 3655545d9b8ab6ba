"""Options and arguments that several commands have, and the connection to the server."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from theater.cli.files import read_file, read_stream
from theater.client.blocking import Client
from theater.limits import MESSAGE_BYTES_CEILING

F = TypeVar("F", bound=Callable[..., Any])

_ACTOR_CHARS_MAX: Final = 1024


class Seconds(click.FloatRange):
    """A number of seconds with both bounds, so that neither `inf` nor `nan` is one."""

    name = "number of seconds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        seconds: float = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value!r} is not a number", param, ctx)
        return seconds


def as_json(what: str) -> Callable[[F], F]:
    """Add --json, which prints `what` and nothing else."""
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what} as JSON.")


def on_server(run: F) -> F:
    """Add --address and --data-dir, by which the server is found."""
    run = click.option(
        "--data-dir",
        type=click.Path(path_type=Path, file_okay=False),
        help="The data directory of a server on this machine, which says where it listens.",
    )(run)
    return click.option("--address", metavar="URL", help="The server, as http://127.0.0.1:9000.")(
        run
    )


def actor_argument(run: F) -> F:
    """Add the argument ACTOR; `-` reads it from standard input."""
    return click.argument(
        "actor",
        callback=actor_or_stdin,
        help="Id, unique prefix of it, or name (a registered one comes first); - reads it from standard input.",
    )(run)


def variables(run: F) -> F:
    """Add --var NAME=VALUE."""
    return click.option(
        "--var",
        "variables",
        multiple=True,
        metavar="NAME=VALUE",
        callback=_variables,
        help="A variable of the manifest, before the environment's. May be repeated.",
    )(run)


def initial_state(run: F) -> F:
    """Add --state FILE."""
    return click.option(
        "--state",
        "state_file",
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        help="A file with the initial state, instead of the manifest's.",
    )(run)


def connect(address: str | None, data_dir: Path | None) -> Client:
    """Return a client of the server: flags, then environment and config.toml, then server.json."""
    from theater.cli.configuration import DEFAULT_ADDRESS, load
    from theater.server.credentials import read_running, read_token

    known = load()
    folder = known.data_directory(data_dir)
    found = address or (known.server_address if data_dir is None else None)
    if found is None:
        running = read_running(folder)
        found = running.address if running is not None else DEFAULT_ADDRESS
    return Client(found, known.token or read_token(folder))


def message_body(data: str | None, file: Path | None) -> bytes:
    """Return a message's bytes: an argument, a file's content, or standard input for `-`."""
    if data is not None and file is not None:
        raise click.UsageError("Give the message as DATA or as --file, not both.")
    if data is None and file is None:
        raise click.UsageError("Give the message as DATA, as --file, or as - from standard input.")
    if file is not None:
        return read_file(file, MESSAGE_BYTES_CEILING, "message")
    assert data is not None
    if data == "-":
        return read_stream(sys.stdin.buffer, MESSAGE_BYTES_CEILING, "message", "standard input")
    # What no text can hold was given as it came: the bytes of the command line.
    return data.encode("utf-8", "surrogateescape")


def actor_or_stdin(_ctx: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Return the text that an actor is named by; `-` stands for a line of standard input."""
    if value != "-":
        return value
    line = sys.stdin.readline(_ACTOR_CHARS_MAX).strip()
    if not line:
        raise click.UsageError("There is no actor's id on standard input.")
    return line


def _variables(
    _ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{value!r} is not NAME=VALUE")
        found[name] = text
    return found
