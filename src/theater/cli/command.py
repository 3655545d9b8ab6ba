"""Commands and the group of them: loaded when they are run, helpful when they are asked.

`theater --help` imports none of the commands: their names and one-line helps stand in a table. All
commands get `--no-color`, and their errors leave by one door.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from gettext import gettext
from importlib import import_module
from io import TextIOWrapper
from typing import Any, NoReturn

import click
from click.exceptions import Abort, ClickException, Exit

from theater.cli.exits import FAILED, INTERRUPTED, exit_code
from theater.errors import TheaterError, UsageError


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
        _open_closed_streams()
        _write_anything()
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
            _give_up_output()
            _leave(FAILED)
        except TheaterError as error:
            tell(error, as_json="--json" in words)
            _leave(exit_code(error))
        except UnicodeEncodeError as error:
            told: TheaterError = UsageError(
                f"{error.object[error.start : error.end]!r} is not a character: an argument or a "
                "file's name is not UTF-8",
                code="usage.encoding",
            )
            tell(told, as_json="--json" in words)
            _leave(exit_code(told))
        except OSError as error:
            # A disk that is full, a folder that may not be written: told as what it is.
            _give_up_output()
            where = f"{error.filename}: " if error.filename else ""
            told = TheaterError(f"{where}{error.strerror or error}", code="file.failed")
            tell(told, as_json="--json" in words)
            _leave(FAILED)
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
    from theater.cli.plain import printable

    label = click.style("error", fg="red", bold=True)
    code = click.style(f"[{printable(error.code)}]", dim=True)
    # A message may quote what a guest or another server said.
    message = "\n".join(map(printable, error.message.rstrip("\n").split("\n")))
    click.echo(f"{label}: {message} {code}", err=True)


def _open_closed_streams() -> None:
    """Stand in for standard streams that whoever started us has closed: Python has None for them."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115


def _write_anything() -> None:
    """Let a terminal that lacks a character get its escape instead of a failure."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _give_up_output() -> None:
    """Let what is still to be written go nowhere: trying again at exit would fail again."""
    with suppress(OSError):
        sys.stdout.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


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
