"""`theater verify` and `theater replay`: what a history proves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from theater.chain import jsonl
from theater.chain.event import Event
from theater.chain.files import SUFFIXES
from theater.chain.verify import Verifier
from theater.cli.chain_files import chains_below, must_exist, reading
from theater.cli.command import command
from theater.cli.exits import FAILED
from theater.cli.options import as_json, connect, on_server
from theater.cli.output import print_json, working
from theater.errors import CodecError, NotFound, UsageError
from theater.protocol.history import ProblemView, ReplayView, VerifyView, verify_view

_AGAINST = {
    "head": "the end was compared with a trusted head",
    "complete": "the chain is closed by its actor-stop",
    "nothing": "nothing shows that its end is the end: give --head to compare it with",
}


@command(
    examples=[
        "theater verify counter",
        "theater verify chains/7f3a.jsonl --head 9c1e…",
        "theater verify chains/7f3a.cborseq",
        "theater verify chains/ --json",
    ]
)
@click.argument(
    "target", help="An actor, a chain file of any form, or a folder with some below it."
)
@click.option("--head", metavar="HEX", help="The hash that the last event must have.")
@on_server
@as_json("the report")
def verify(
    target: str, head: str | None, address: str | None, data_dir: Path | None, as_json: bool
) -> None:
    """Recompute a chain and find the first event that does not follow.

    Files are checked here, without a server; of an actor the server recomputes the chain, except
    with --head, when its events are fetched and checked here.
    """
    trusted = None if head is None else _digest(head)
    must_exist(target)
    path = Path(target)
    # A folder that has an actor's name and no chain in it is not what was meant.
    if path.is_dir() and (path.name != target or chains_below(path)):
        _verify_folder(path, trusted, as_json)
        return
    if path.is_file():
        report = _verify_file(path, trusted)
    elif head is None:
        with connect(address, data_dir) as client, working("verifying"):
            report = client.verify(target)
    else:
        with connect(address, data_dir) as client:
            report = _verify_events(jsonl.read(client.event_lines(target)), trusted)
    if as_json:
        print_json(report)
    else:
        _print_report(target, report)
    if not report.ok:
        raise SystemExit(FAILED)


@command(
    examples=["theater replay counter", "theater replay 7f3a --until 120", "theater replay a.jsonl"]
)
@click.argument("target", help="An actor, or an exported chain of one that the server has.")
@click.option("--until", type=click.IntRange(0), help="Stop behind the event with this number.")
@on_server
@as_json("the report")
def replay(
    target: str, until: int | None, address: str | None, data_dir: Path | None, as_json: bool
) -> None:
    """Run a history again against its recorded host calls; nothing happens outside.

    Prints whether it reached the same head, or the first divergence. The component and the content
    that events refer to are the server's; of a file it must reach the head that the file has.
    """
    must_exist(target)
    path = Path(target)
    expected: Event | None = None
    actor = target
    if path.is_file():
        actor, expected = _end_of(path, until)
        until = expected.seq
    with connect(address, data_dir) as client:
        try:
            with working("replaying"):
                report = client.replay(actor, until=until)
        except NotFound as error:
            if expected is None:
                raise
            raise NotFound(
                f"the server doesn't have the actor {actor} of {path}: {error.message}",
                code=error.code,
            ) from None
    if expected is not None and report.expected_head != expected.hash.hex():
        report = msgspec.structs.replace(report, equal=False, expected_head=expected.hash.hex())
    if as_json:
        print_json(report)
    else:
        _print_replay(target, report)
    if not report.equal:
        raise SystemExit(FAILED)


def _verify_folder(folder: Path, head: bytes | None, as_json: bool) -> None:
    paths = chains_below(folder)
    if not paths:
        raise NotFound(
            f"there is no chain (*{', *'.join(SUFFIXES)}) below {folder}", code="chain.not_found"
        )
    if head is not None and len(paths) > 1:
        raise UsageError(f"--head is of one chain; {folder} has {len(paths)}")
    reports = {str(path): _verify_file(path, head) for path in paths}
    if as_json:
        print_json([{"path": path, **msgspec.to_builtins(r)} for path, r in reports.items()])
    else:
        for path, report in reports.items():
            _print_report(path, report)
    if not all(report.ok for report in reports.values()):
        raise SystemExit(FAILED)


def _verify_file(path: Path, head: bytes | None) -> VerifyView:
    with reading(path) as events, working(f"verifying {path}"):
        return _verify_events(events, head)


def _verify_events(events: Iterator[Event], head: bytes | None) -> VerifyView:
    verifier = Verifier()
    seen = 0
    try:
        for event in events:
            seen += 1
            if verifier.feed(event) is not None:
                break
    except CodecError as error:
        so_far = verify_view(verifier.finish(None))
        if so_far.problem is not None:
            return so_far
        problem = ProblemView(seq=seen, hash=None, reason="encoding", detail=error.message)
        return msgspec.structs.replace(
            so_far, ok=False, complete=False, against="nothing", problem=problem
        )
    return verify_view(verifier.finish(head))


def _end_of(path: Path, until: int | None) -> tuple[str, Event]:
    """The actor whose chain a file holds, and the last event of it that counts."""
    from theater.chain import shapes

    actor: str | None = None
    last: Event | None = None
    with reading(path) as events:
        for event in events:
            if actor is None and event.data is not None:
                start = shapes.parse(event.type, event.data)
                actor = start.actor if isinstance(start, shapes.Start) else ""
            if until is None or event.seq <= until:
                last = event
    if not actor or last is None:
        raise CodecError(f"{path} does not begin with an actor-start", code="encoding.chain")
    return actor, last


def _print_report(target: str, report: VerifyView) -> None:
    if report.problem is not None:
        at = click.style(f"event {report.problem.seq}", bold=True)
        reason = click.style(report.problem.reason, fg="red")
        click.echo(f"{target}: does not verify: {at} ({reason}): {report.problem.detail}")
        return
    good = click.style("verifies", fg="green")
    click.echo(f"{target}: {good}, {report.events} events, head {report.head}")
    gone = f"; of {report.digest_only} only the digest was left" if report.digest_only else ""
    click.echo(f"  {report.full} checked in full{gone}; {_AGAINST[report.against]}")


def _print_replay(target: str, report: ReplayView) -> None:
    told = f"{report.events} events, {report.calls} calls in {report.seconds:.2f} s"
    if report.equal:
        good = click.style("reached the same head", fg="green")
        click.echo(f"{target}: {good} {report.head}: {told}")
    else:
        bad = click.style("diverged", fg="red")
        click.echo(f"{target}: {bad}: {told}")
        if report.divergence is not None:
            click.echo(f"  at event {report.divergence.seq}")
            click.echo(f"  expected  {report.divergence.expected}")
            click.echo(f"  actual    {report.divergence.actual}")
        else:
            click.echo(f"  expected head  {report.expected_head}")
            click.echo(f"  actual head    {report.head}")
    if report.not_reproducible:
        click.echo(
            f"  {report.not_reproducible} calls ended by a fact from outside, taken as recorded"
        )
    if report.unverified_engine:
        click.echo("  it was recorded under another engine or other settings of it")


def _digest(text: str) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise click.BadParameter("a head is 64 hexadecimal digits", param_hint="--head")
    return digest
