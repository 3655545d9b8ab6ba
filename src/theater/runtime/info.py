"""What a node tells of its actors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from theater.journal.records import ActorRow, ActorStatus, Answer
from theater.runtime.actor import Actor
from theater.runtime.import_facts import ImportFacts


@dataclass(frozen=True, slots=True)
class ActorInfo:
    """An actor at one moment.

    `component` and `head` are hexadecimal; `started_at` is microseconds since the epoch; `events`
    is the length of the chain; `mailbox` counts messages that wait. `outcome` is the result it
    ended with, or the error; None while it lives, and for an actor that was stopped. The status
    `imported` is that of a chain that came as a file: its actor never ran here and never will.
    """

    id: str
    name: str
    status: ActorStatus | Literal["imported"]
    parent: str | None
    manifest_path: str
    component: str
    started_at: int
    events: int
    head: str
    mailbox: int
    outcome: Answer | None


def of_actor(actor: Actor) -> ActorInfo:
    """Return what is known of an actor in memory."""
    tip = actor.tip
    return ActorInfo(
        actor.id,
        actor.name,
        actor.status,
        actor.parent,
        actor.manifest_path,
        actor.component.hex(),
        actor.started_at,
        tip.seq + 1,
        tip.hash.hex(),
        len(actor.mailbox),
        actor.outcome,
    )


def of_row(row: ActorRow) -> ActorInfo:
    """Return what is known of an actor that has ended."""
    return ActorInfo(
        row.id,
        row.name,
        row.status,
        row.parent,
        row.manifest_path,
        row.component.hex(),
        row.started_at,
        row.tip.seq + 1,
        row.tip.hash.hex(),
        0,
        told_outcome(row),
    )


def told_outcome(row: ActorRow) -> Answer | None:
    """Return what an actor ended with. A failure stays in its row when it was restarted afterwards."""
    outcome = row.outcome
    return outcome if outcome is None or outcome.ok or row.status == "failed" else None


def of_import(facts: ImportFacts) -> ActorInfo:
    """Return what is known of an actor whose chain was imported."""
    return ActorInfo(
        facts.actor,
        facts.name,
        "imported",
        facts.parent,
        "",
        facts.component,
        facts.started_at,
        facts.events,
        facts.head,
        0,
        None,
    )
