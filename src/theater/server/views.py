"""What the runtime answers, as the protocol's shapes."""

from __future__ import annotations

from theater.chain.verify import Report
from theater.protocol.actors import ActorView, outcome
from theater.protocol.history import DivergenceView, ProblemView, ReplayView, VerifyView
from theater.runtime.node import ActorInfo, ReplayReport


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


def verify_view(report: Report) -> VerifyView:
    """Return what verification found."""
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
            hash=problem.hash.hex() if problem.hash else None,
            reason=problem.reason,
            detail=problem.detail,
        ),
    )


def replay_view(report: ReplayReport) -> ReplayView:
    """Return what re-execution found."""
    divergence = report.divergence
    return ReplayView(
        equal=report.equal,
        events=report.events,
        calls=report.calls,
        head=report.head,
        expected_head=report.expected_head,
        divergence=None
        if divergence is None
        else DivergenceView(
            seq=divergence.seq,
            function=divergence.function,
            expected=divergence.expected,
            actual=divergence.actual,
        ),
        not_reproducible=report.not_reproducible,
        unverified_engine=report.unverified_engine,
        seconds=report.seconds,
    )
