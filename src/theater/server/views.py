"""What the runtime answers, as the protocol's shapes."""

from __future__ import annotations

from theater.protocol.actors import ActorView, outcome
from theater.protocol.history import DivergenceView, ImportView, ReplayView
from theater.runtime.info import ActorInfo
from theater.runtime.inspection import ImportReport
from theater.runtime.replay import ReplayReport


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
