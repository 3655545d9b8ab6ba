"""What the runtime answers, as the protocol's shapes."""

from __future__ import annotations

from theater.journal.port import Unhandled
from theater.protocol.actors import ActorView, outcome
from theater.protocol.history import DivergenceView, ImportView, ReplayView
from theater.protocol.messages import UnhandledList, UnhandledView, start_text
from theater.runtime.info import ActorInfo
from theater.runtime.inspection import ImportReport
from theater.runtime.replay import ReplayReport
from theater.runtime.unhandled import UnhandledPage, attempts


def actor_view(info: ActorInfo) -> ActorView:
    """Return an actor as clients see it."""
    return ActorView(
        id=info.id,
        name=info.name,
        status=info.status,
        parent=info.parent,
        manifest_path=info.manifest_path,
        component=info.component,
        started_at=info.started_at,
        events=info.events,
        head=info.head,
        mailbox=info.mailbox,
        outcome=outcome(info.outcome.ok, info.outcome.body) if info.outcome else None,
    )


def import_view(report: ImportReport) -> ImportView:
    """Return what an import did."""
    return ImportView(
        actor=actor_view(report.actor), outcome=report.outcome, content=report.content
    )


def unhandled_list(page: UnhandledPage) -> UnhandledList:
    """Return some dead letters or messages in quarantine."""
    return UnhandledList(
        messages=[_unhandled(each) for each in page.messages],
        next=page.next,
        kept=page.totals.count,
        kept_bytes=page.totals.bytes,
        dropped=page.totals.dropped,
    )


def _unhandled(found: Unhandled) -> UnhandledView:
    message = found.message
    return UnhandledView(
        id=message.id,
        state=message.state,
        receiver=message.receiver,
        kind=message.kind,
        origin=message.origin,
        sender=message.sender,
        reason=message.reason or "",
        attempts=attempts(message),
        at=found.at_us,
        size=found.bytes,
        start=message.body,
        text=start_text(message.body, whole=len(message.body) == found.bytes),
    )


def replay_view(report: ReplayReport) -> ReplayView:
    """Return what re-execution found."""
    divergence = report.divergence
    return ReplayView(
        equal=report.equal,
        events=report.events,
        calls=report.calls,
        head=report.head.hex(),
        expected_head=report.expected_head.hex(),
        divergence=None
        if divergence is None
        else DivergenceView(
            seq=divergence.seq,
            expected=divergence.expected,
            actual=divergence.actual,
        ),
        not_reproducible=report.not_reproducible,
        unverified_engine=report.unverified_engine,
        seconds=report.seconds,
    )
