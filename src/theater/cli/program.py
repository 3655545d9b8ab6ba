"""The command `theater`: the table of its commands."""

from __future__ import annotations

import click

from theater import __version__
from theater.cli.command import LazyGroup

_HERE = "theater.cli.commands"

COMMANDS: dict[str, tuple[str, str]] = {
    "build": (f"{_HERE}.making:build", "Make an actor's component from its sources."),
    "validate": (f"{_HERE}.making:validate", "Find everything that is wrong with a manifest."),
    "run": (f"{_HERE}.running:run", "Run one actor in the foreground, without a server."),
    "server": (f"{_HERE}.serving:server", "Run the server."),
    "start": (f"{_HERE}.starting:start", "Start an actor on the server."),
    "list": (f"{_HERE}.looking:list_", "List the actors."),
    "inspect": (f"{_HERE}.looking:inspect", "Show everything about an actor."),
    "status": (f"{_HERE}.looking:status", "Show an actor's status in one word."),
    "send": (f"{_HERE}.messaging:send", "Send a message to an actor."),
    "request": (f"{_HERE}.messaging:request", "Ask an actor and print its answer."),
    "channel": (f"{_HERE}.conversing:channel", "Hold a conversation with an actor."),
    "dead-letters": (f"{_HERE}.unhandled:dead_letters", "List messages that nobody handled."),
    "quarantine": (f"{_HERE}.unhandled:quarantine", "List messages that were set aside."),
    "wait": (f"{_HERE}.ending:wait", "Wait until an actor ends and print its result."),
    "state": (f"{_HERE}.looking:state", "Print an actor's state, now or at any event."),
    "logs": (f"{_HERE}.history:logs", "Print an actor's log."),
    "events": (f"{_HERE}.history:events", "Print an actor's events."),
    "subscribe": (
        f"{_HERE}.subscribing:subscribe",
        "Print the events of some or all actors as they come.",
    ),
    "pause": (f"{_HERE}.operating:pause", "Have an actor take no messages for a while."),
    "resume": (f"{_HERE}.operating:resume", "Have a paused actor go on."),
    "restart": (f"{_HERE}.operating:restart", "Begin an actor anew, or in a new instance."),
    "update": (f"{_HERE}.updating:update", "Have an actor go on with another component."),
    "stop": (f"{_HERE}.ending:stop", "Stop an actor."),
    "verify": (f"{_HERE}.proof:verify", "Recompute a chain: an actor's, or a file's."),
    "replay": (f"{_HERE}.proof:replay", "Run an actor's history again, without any effect."),
    "export": (f"{_HERE}.exchanging:export", "Write a chain to a file."),
    "import": (f"{_HERE}.exchanging:import_", "Keep a chain file on the server and show it there."),
}


@click.group(
    "theater",
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)
@click.version_option(__version__, "--version", prog_name="theater", message="%(prog)s %(version)s")
def theater() -> None:
    """Run WebAssembly actors whose every step is recorded, proven, replayed and recovered.

    Actors may be named by their id, a prefix of it that only they have, or their name.
    """


def main() -> None:
    """Run the command. The console script's entry point."""
    theater.main(prog_name="theater")
