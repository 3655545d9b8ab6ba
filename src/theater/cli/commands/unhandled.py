"""`theater dead-letters` and `theater quarantine`: what nobody handled, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from theater.cli.command import command
from theater.cli.options import as_json, connect, on_server
from theater.cli.output import print_json, say, table, text_of, time_text, write_bytes
from theater.cli.plain import printable
from theater.client.blocking import Client
from theater.limits import UNHANDLED_PAGE, UNHANDLED_PAGE_MAX
from theater.protocol.messages import UnhandledList, UnhandledView

F = TypeVar("F", bound=Callable[..., Any])


def _options(run: F) -> F:
    for option in reversed(
        (
            click.argument("actor", required=False),
            click.option("--show", metavar="ID", help="Print the body of one message as it is."),
            click.option("--deliver", metavar="ID", help="Deliver a message again."),
            click.option("--to", metavar="ACTOR", help="With --deliver: to this actor instead."),
            click.option("--drop", metavar="ID", help="Forget a message for good."),
            click.option(
                "--key",
                metavar="KEY",
                help="With --deliver: an idempotency key, under which it is delivered once.",
            ),
            click.option(
                "--limit",
                type=click.IntRange(1, UNHANDLED_PAGE_MAX),
                default=UNHANDLED_PAGE,
                help=f"List at most so many; default {UNHANDLED_PAGE}.",
            ),
            click.option(
                "--after",
                type=click.IntRange(0, 2**63 - 1),
                default=0,
                metavar="NUMBER",
                help="List those behind this, which is the `next` of the list before.",
            ),
            on_server,
            as_json("the messages, or what was done,"),
        )
    ):
        run = option(run)
    return run


@command(
    examples=[
        "theater dead-letters",
        "theater dead-letters counter --json",
        "theater dead-letters --show msg_5f3a…",
        "theater dead-letters --deliver msg_5f3a… --to counter",
        "theater dead-letters --drop msg_5f3a…",
    ]
)
@_options
def dead_letters(actor: str | None, **options: Any) -> None:
    """List messages that nobody handled, of all actors or those for ACTOR, oldest first.

    Their receiver ended before it came to them, or their answer came too late. --deliver makes a
    new message of one, from the same sender; nobody waits for what a request is answered any more.
    """
    _run("dead letters", Client.dead_letters, actor, **options)


@command(
    examples=[
        "theater quarantine",
        "theater quarantine counter --json",
        "theater quarantine --show msg_5f3a…",
        "theater quarantine --deliver msg_5f3a…",
        "theater quarantine --drop msg_5f3a…",
    ]
)
@_options
def quarantine(actor: str | None, **options: Any) -> None:
    """List messages that were set aside, of all actors or those for ACTOR, oldest first.

    Their receiver's call ended badly twice. --deliver makes a new message of one, from the same
    sender, which is tried as any other; nobody waits for what a request is answered any more.
    """
    _run("messages in quarantine", Client.quarantine, actor, **options)


def _run(
    what: str,
    ask: Callable[..., UnhandledList],
    actor: str | None,
    show: str | None,
    deliver: str | None,
    to: str | None,
    drop: str | None,
    key: str | None,
    limit: int,
    after: int,
    address: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    if sum(each is not None for each in (actor, show, deliver, drop)) > 1:
        raise click.UsageError("Give one of ACTOR, --show, --deliver and --drop.")
    if deliver is None and (to is not None or key is not None):
        raise click.UsageError("--to and --key go with --deliver.")
    with connect(address, data_dir) as client:
        if show is not None:
            _show(client.message_body(show), as_json=as_json)
        elif deliver is not None:
            _told(client.deliver(deliver, to=to, key=key), as_json=as_json)
        elif drop is not None:
            client.drop(drop)
            _told(drop, as_json=as_json)
        else:
            _list(what, ask(client, actor, after=after, limit=limit), as_json=as_json)


def _show(body: bytes, *, as_json: bool) -> None:
    if as_json:
        print_json({"body": body, "text": text_of(body)})
    else:
        write_bytes(body)


def _told(message: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"message": message})
    else:
        click.echo(message)


def _list(what: str, found: UnhandledList, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    if found.messages:
        table(
            ("ID", "RECEIVER", "FROM", "KIND", "REASON", "ATTEMPTS", "WHEN", "SIZE", "BEGINS"),
            map(_row, found.messages),
        )
    else:
        say(f"There are no {what}.")
    if found.dropped:
        say(f"{found.dropped} {what} were dropped so far.")
    if found.next is not None:
        say(f"There are more: --after {found.next}")


def _row(message: UnhandledView) -> tuple[str, ...]:
    text = message.text
    return (
        message.id,
        message.receiver,
        f"{message.origin} {printable(message.sender)}",
        message.kind,
        message.reason,
        str(message.attempts),
        "unknown" if message.at is None else time_text(message.at),
        str(message.size),
        f"0x{message.start.hex()}" if text is None else printable(text),
    )
