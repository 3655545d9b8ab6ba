"""`theater export` and `theater import`: chains as files, out of a server and into one."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from theater.chain import files, jsonl
from theater.chain.files import Form
from theater.cli.chain_files import file_of, reading
from theater.cli.command import command
from theater.cli.options import as_json, connect, on_server
from theater.cli.output import print_json, progress, say, working
from theater.cli.plain import printable
from theater.errors import TooLarge, UsageError
from theater.ids import ACTOR_ID
from theater.limits import IMPORT_BYTES_MAX, MIB

T = TypeVar("T")

_STREAM = "-"
_OUTCOMES = {
    "new": "imported",
    "extended": "imported further",
    "known": "there already",
}


class _Count:
    """How many events went by; whoever watches is told of each."""

    def __init__(self, advance: Callable[[], None]) -> None:
        self.events = 0
        self._advance = advance

    def over(self, items: Iterable[T]) -> Iterator[T]:
        for item in items:
            yield item
            self.events += 1
            self._advance()


@dataclass(frozen=True, slots=True)
class _Exported:
    """A chain to be written: the name of its file, its bytes in a form, what its meta file says."""

    name: str
    pieces: Callable[[Form, _Count], Iterable[bytes]]
    events: int
    meta: jsonl.Meta | None


@command(
    examples=[
        "theater export counter",
        "theater export counter -o chains --json",
        "theater export counter --form cborseq -o - | sha256sum",
        "theater export chains/7f3a.jsonl -o 7f3a.chain",
    ]
)
@click.argument("target", help="An actor, or a chain file to be written in another form.")
@click.option(
    "--form",
    type=click.Choice([form.value for form in Form]),
    help="JSON lines, EVENT blocks or a CBOR sequence. Default: as the output's name ends, else jsonl.",
)
@click.option(
    "--output",
    "-o",
    default=".",
    metavar="PATH",
    help="A folder, a file that ends in .jsonl, .chain or .cborseq, or - for standard output.",
)
@on_server
@as_json("the paths written")
def export(
    target: str,
    form: str | None,
    output: str,
    address: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Write a chain to a file; JSON lines in a folder get a meta.json beside them.

    `theater verify` checks what was written, anywhere and without a server. A chain file has the
    events and only the hashes of content: states, and values longer than 4,096 bytes.
    """
    if output == _STREAM and as_json:
        raise click.UsageError("--json prints the paths written; with -o - there are none.")
    path = Path(output)
    named = Form(path.suffix[1:]) if output.endswith(files.SUFFIXES) and not path.is_dir() else None
    chosen = Form(form) if form is not None else named or Form.JSONL
    with (
        _opened(target, address, data_dir) as chain,
        progress("exporting", chain.events) as advance,
    ):
        count = _Count(advance)
        pieces = chain.pieces(chosen, count)
        if output == _STREAM:
            sys.stdout.buffer.writelines(pieces)
            sys.stdout.buffer.flush()
            return
        written = path if named is not None else path / f"{chain.name}{chosen.suffix}"
        _write_file(written, pieces)
    meta = None
    if named is None and chosen is Form.JSONL and chain.meta is not None:
        meta = path / f"{chain.name}.meta.json"
        meta.write_bytes(jsonl.write_meta(chain.meta))
    if as_json:
        print_json({"chain": str(written), "meta": meta and str(meta), "events": count.events})
    else:
        click.echo(f"{written}  {count.events} events")


@command(
    examples=[
        "theater import 7f3a.jsonl",
        "theater import chains/7f3a.cborseq --json",
        "ssh other theater export counter -o - | theater import -",
    ]
)
@click.argument("file", help="A chain file of any form; - is standard input.")
@on_server
@as_json("the actor, what of its chain was new, and whether its content is there")
def import_(file: str, address: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Verify a chain file and keep it on the server, where it is shown like an actor that ended.

    It never runs. The same file again changes nothing, a longer one of the same chain extends it, and
    one that contradicts it is refused with the first event that differs.
    """
    with connect(address, data_dir) as client, _file(file) as path, working("importing"):
        stem = path.name.partition(".")[0]
        actor = stem if ACTOR_ID.fullmatch(stem) else None
        done = client.import_chain(path, actor=actor)
    if as_json:
        print_json(done)
        return
    name = f" ({printable(done.actor.name)})" if done.actor.name else ""
    click.echo(
        f"{done.actor.id}{name}  {_OUTCOMES[done.outcome]}, {done.actor.events} events, "
        f"head {done.actor.head}"
    )
    if not done.content:
        say(
            "A chain file has only the hashes of states, manifest and component, and the server does "
            "not have them: events, logs, verify and export work; state and replay don't."
        )


@contextmanager
def _opened(target: str, address: str | None, data_dir: Path | None) -> Iterator[_Exported]:
    path = file_of(target)
    if path is not None:
        with reading(path) as events:

            def rewritten(form: Form, count: _Count) -> Iterator[bytes]:
                return files.write(count.over(events), form)

            yield _Exported(path.name.removesuffix(path.suffix), rewritten, 0, None)
        return
    with connect(address, data_dir) as client:
        found = client.actor(target)

        def fetched(form: Form, count: _Count) -> Iterator[bytes]:
            lines = client.event_lines(found.id)
            if form is Form.JSONL:
                return (line + b"\n" for line in count.over(lines))
            return files.write(count.over(jsonl.read(lines)), form)

        started_at = found.started_at // 1_000_000
        meta = jsonl.Meta(found.id, found.name, found.manifest_path, started_at)
        yield _Exported(found.id, fetched, found.events, meta)


def _write_file(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file that has its name once it is whole."""
    draft = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.writelines(pieces)
        draft.replace(path)
    except OSError as error:
        raise UsageError(
            f"{path} can't be written: {error.strerror or error}", code="file.unwritable"
        ) from None
    finally:
        with suppress(OSError):
            draft.unlink()


@contextmanager
def _file(named: str) -> Iterator[Path]:
    """The file to import; standard input is put into one first, because its length must be known."""
    if named != _STREAM:
        path = Path(named)
        if not path.is_file():
            raise UsageError(f"there is no file {named}", code="file.not_found")
        yield path
        return
    with tempfile.NamedTemporaryFile(suffix=".stdin") as spool:
        size = 0
        while piece := sys.stdin.buffer.read(MIB):
            size += len(piece)
            if size > IMPORT_BYTES_MAX:
                raise TooLarge(
                    f"an imported chain has at most {IMPORT_BYTES_MAX} bytes", code="body.too_large"
                )
            spool.write(piece)
        spool.flush()
        yield Path(spool.name)
