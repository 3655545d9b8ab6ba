"""Histories on the wire: events, lines of a log, and the reports of verify and replay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from theater.protocol.actors import ActorView

if TYPE_CHECKING:
    from theater.chain.verify import Report


class EventLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One event, the same shape as a line of an exported chain. `data_cbor` is base64."""

    hash: str
    parent_hash: str | None
    event_type: str
    data: object
    seq: int
    at: int
    time: str
    data_digest: str
    data_cbor: str | None


class ActorEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event of one of several actors; `cursor` is where a subscription to the same goes on."""

    actor: str
    cursor: str
    event: EventLine


class LogLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of an actor's log; `source` is log, stdout or stderr, `seq` that of its event."""

    seq: int
    at: int
    time: str
    source: str
    text: str


class ReplayRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With `until` the re-execution ends behind the event with that seq."""

    until: int | None = None


class ProblemView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first event that does not follow. `reason` is one of the words of the chain's format."""

    seq: int
    hash: str | None
    reason: str
    detail: str


class VerifyView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What verification found.

    `full` counts events that were checked with their data, `digest_only` those whose data is
    gone. `complete` says whether the chain is closed by an `actor-stop`. `against` says what shows
    that the end is the end: a trusted `head`, the chain being `complete`, or `nothing`.
    """

    ok: bool
    events: int
    head: str
    full: int
    digest_only: int
    complete: bool
    against: str
    problem: ProblemView | None


class ImportView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A chain that came as a file. `outcome` is what of it was `new`, `known` or `extended`.

    `content` says whether the actor's manifest, component and last state are on the server too; a
    chain file has only their hashes, and without them neither state nor replay can be had.
    """

    actor: ActorView
    outcome: str
    content: bool


class DivergenceView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a re-execution left its recording, as text for people."""

    seq: int
    expected: str
    actual: str


class ReplayView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What re-execution found. `seconds` is how long it took; heads are hexadecimal."""

    equal: bool
    events: int
    calls: int
    head: str
    expected_head: str
    divergence: DivergenceView | None
    not_reproducible: int
    unverified_engine: bool
    seconds: float


def verify_view(report: Report) -> VerifyView:
    """Return what verification found, as it goes over the wire."""
    problem = report.problem
    return VerifyView(
        ok=problem is None,
        events=report.events,
        head=report.head.hex(),
        full=report.full,
        digest_only=report.digest_only,
        complete=report.complete,
        against=report.against,
        problem=None
        if problem is None
        else ProblemView(
            seq=problem.seq,
            hash=problem.hash.hex(),
            reason=problem.reason,
            detail=problem.detail,
        ),
    )
