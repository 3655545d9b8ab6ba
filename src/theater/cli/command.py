"""Commands and the group of them: loaded when they are run, helpful when they are asked.

`theater --help` imports none of the commands: their names and one-line helps stand in a table. All
commands get `--no-color`, and their errors leave by one door.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from gettext import gettext
from importlib import import_module
from typing import Any, NoReturn

import click
from click.exceptions import Abort, ClickException, Exit

from theater.cli.exits import FAILED, INTERRUPTED, exit_code
from theater.errors import TheaterError


class Formatter(click.HelpFormatter):
    """click's help with headings, names and examples told apart by colour."""

    def write_heading(self, heading: str) -> None:
        title = click.style(f"{heading}:", bold=True, fg="cyan")
        self.write(f"{'':>{self.current_indent}}{title}\n")

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, prefix or gettext("Usage: "))

    def write_examples(self, examples: Sequence[str]) -> None:
        with self.section("Examples"):
            for example in examples:
                self.write(f"{'':>{self.current_indent}}{click.style(example, fg='green')}\n")


class _Context(click.Context):
    formatter_class = Formatter


class Command(click.Command):
    """A command with examples below its help."""

    context_class = _Context

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self.params.append(_no_color())

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples and isinstance(formatter, Formatter):
            formatter.write_paragraph()
            formatter.write_examples(self.examples)


def command(*, examples: Sequence[str]) -> Callable[[Callable[..., None]], Command]:
    """Make a command of a function, named and described by its module's users' words."""

    def decorate(run: Callable[..., None]) -> Command:
        name = run.__name__.rstrip("_").replace("_", "-")
        return click.command(name, cls=Command, examples=examples)(run)

    return decorate


class LazyGroup(click.Group):
    """A group whose commands are `module:attribute`, imported when one of them is run."""

    context_class = _Context

    def __init__(self, *args: Any, lazy: dict[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy
        self.params.append(_no_color())

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self._lazy.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry[0].partition(":")
        found = getattr(import_module(module), attribute)
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, short) for name, (_, short) in self._lazy.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and leave with the right exit code and a message instead of a traceback."""
        words = list(sys.argv[1:] if args is None else args)
        if os.environ.get("NO_COLOR"):
            extra["color"] = False
        try:
            code = super().main(words, prog_name, complete_var, standalone_mode=False, **extra)
            sys.stdout.flush()
        except Exit as error:
            _leave(error.exit_code)
        except (Abort, KeyboardInterrupt):
            click.echo("interrupted", err=True)
            _leave(INTERRUPTED)
        except ClickException as error:
            error.show()
            _leave(error.exit_code)
        except BrokenPipeError:
            # Whoever read our output has seen enough. Python would complain when it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            _leave(FAILED)
        except TheaterError as error:
            tell(error, as_json="--json" in words)
            _leave(exit_code(error))
        except Exception as error:
            if os.environ.get("THEATER_TRACEBACK"):
                raise
            click.echo(
                f"{click.style('error', fg='red', bold=True)}: a bug in Theater: "
                f"{type(error).__name__}: {error}\n"
                "Run again with THEATER_TRACEBACK=1 and report what it prints.",
                err=True,
            )
            _leave(FAILED)
        _leave(code if isinstance(code, int) else 0)


def tell(error: TheaterError, *, as_json: bool) -> None:
    """Write an error to standard error: for people, or as JSON for who asked for JSON."""
    if as_json:
        import msgspec

        from theater.protocol.errors import body_of

        click.echo(msgspec.json.encode(body_of(error)).decode(), err=True)
        return
    label = click.style("error", fg="red", bold=True)
    code = click.style(f"[{error.code}]", dim=True)
    click.echo(f"{label}: {error.message} {code}", err=True)


def _leave(code: int) -> NoReturn:
    sys.exit(code)


def _no_color() -> click.Option:
    def off(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
        if wanted:
            ctx.color = False

    return click.Option(
        ["--no-color"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=off,
        help="No colours; so does NO_COLOR in the environment.",
    )
