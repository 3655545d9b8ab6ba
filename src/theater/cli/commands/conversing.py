"""`theater channel`: a conversation with an actor, a line a message."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import click

from theater.cli.command import command
from theater.cli.options import Seconds, actor_argument, as_json, connect, message_body, on_server
from theater.cli.output import print_json, say, text_of, write_bytes
from theater.client.channels import Channel
from theater.errors import TheaterError, TooLarge
from theater.limits import MESSAGE_BYTES_CEILING, WAIT_MS_MAX

LINGER_S = 1.0
_PIECE_BYTES = 1 << 16


@command(
    examples=[
        "theater channel writer",
        'theater channel writer \'{"topic": "tea"}\' --linger 10',
        "cat questions.txt | theater channel writer --json",
    ]
)
@actor_argument
@click.argument("data", required=False, help="The first message, with which the channel is opened.")
@click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file with the first message.",
)
@click.option(
    "--timeout",
    type=Seconds(0.001, WAIT_MS_MAX / 1000),
    metavar="SECONDS",
    help="How long the actor may take to accept. Default: the manifest's request_timeout_ms.",
)
@click.option(
    "--linger",
    type=Seconds(0, WAIT_MS_MAX / 1000),
    metavar="SECONDS",
    default=LINGER_S,
    show_default=True,
    help="Behind the end of the input, how long to wait for one more message.",
)
@on_server
@as_json("each message, in base64 and as text where it is text,")
def channel(
    actor: str,
    data: str | None,
    file: Path | None,
    timeout: float | None,
    linger: float,
    address: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Open a channel to an actor: send it the lines of standard input, print what it sends.

    Ends when the actor closes the channel, or closes it behind the end of the input.
    """
    if data == "-":
        raise click.UsageError("Standard input has the lines that are sent, not the first message.")
    first = b"" if data is None and file is None else message_body(data, file)
    timeout_ms = None if timeout is None else max(1, round(timeout * 1000))
    with (
        connect(address, data_dir) as client,
        client.open_channel(actor, first, timeout_ms=timeout_ms) as opened,
    ):
        if sys.stderr.isatty() and sys.stdin is not None and sys.stdin.isatty():
            say(f"{opened.id} is open; each line is a message, Ctrl-D ends it")
        talk = _Talk(opened, linger)
        talk.begin()
        for body in opened:
            talk.heard_s = time.monotonic()
            if as_json:
                print_json({"body": body, "text": text_of(body)})
            else:
                write_bytes(body if body.endswith(b"\n") else body + b"\n")
        if talk.error is not None:
            raise talk.error


class _Talk:
    """Sends the lines of standard input, on a thread of its own, while the other one prints."""

    def __init__(self, opened: Channel, linger_s: float) -> None:
        self.heard_s = time.monotonic()
        self.error: TheaterError | None = None
        self._channel = opened
        self._linger_s = linger_s

    def begin(self) -> None:
        threading.Thread(target=self._run, name="theater-talk", daemon=True).start()

    def _run(self) -> None:
        try:
            try:
                for line in _lines():
                    self._channel.send(line)
                    self.heard_s = time.monotonic()
                while (left := self.heard_s + self._linger_s - time.monotonic()) > 0:
                    time.sleep(left)
            except TheaterError as error:
                if error.code != "channel.closed":
                    self.error = error
            self._channel.close()
        except TheaterError:
            return  # the server is gone, which who reads is told


def _lines() -> Iterator[bytes]:
    """The lines of standard input without their ends."""
    if sys.stdin is None:
        return
    # Past the buffer: its lock would be in the way of an end of the process while this thread reads.
    raw = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
    rest = b""
    while piece := raw.read(_PIECE_BYTES):
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line.removesuffix(b"\r") for line in lines)
        if len(rest) > MESSAGE_BYTES_CEILING:
            raise TooLarge(
                f"a line of standard input has more than {MESSAGE_BYTES_CEILING} bytes",
                code="message.too_large",
            )
    if rest:
        yield rest
