"""Every chain that a node can show: its journal's, and behind them those that came as files."""

from __future__ import annotations

from collections.abc import Iterator

from theater.chain.event import Event
from theater.chain.tip import Tip
from theater.journal.port import Journal
from theater.journal.records import ActorRow
from theater.runtime.imports import Imports


class Histories:
    """Reads chains as a journal does; an actor of the node hides an imported one of the same id."""

    def __init__(self, journal: Journal, imports: Imports) -> None:
        self._journal = journal
        self._imports = imports

    def actor(self, actor: str) -> ActorRow | None:
        """The row of an actor; that of an imported one is made up, and says that it ended."""
        row = self._journal.actor(actor)
        if row is not None:
            return row
        facts = self._imports.get(actor)
        if facts is None:
            return None
        return ActorRow(
            id=facts.actor,
            name=facts.name,
            parent=facts.parent,
            number=-1,
            status="stopped",
            component=bytes.fromhex(facts.component),
            manifest=(bytes.fromhex(facts.manifest), 0),
            grants=(b"", 0),
            manifest_path="",
            started_at=facts.started_at,
            tip=Tip(seq=facts.events - 1, hash=bytes.fromhex(facts.head)),
        )

    def events(self, actor: str, start: int, limit: int | None) -> Iterator[Event]:
        """Events from seq `start` on, each checked against its hash; IntegrityError if not."""
        # Looking for a file is cheaper than asking the journal, and nearly always answers it.
        if not self._imports.has(actor) or self._journal.actor(actor) is not None:
            return self._journal.events(actor, start, limit)
        facts = self._imports.get(actor)
        return iter(()) if facts is None else self._imports.events(facts, start, limit)
