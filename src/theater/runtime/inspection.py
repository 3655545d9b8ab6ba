"""What a node tells of its actors: lists, states, histories, and what verification finds in them.

Nothing is told that could be lost: what is read in memory, or in what is queued, is told once all
that was queued then is on disk; what is read on disk is read after that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from theater.chain import shapes
from theater.chain.event import Event
from theater.chain.scanner import Source
from theater.chain.tip import Ref
from theater.chain.verify import Report, Verifier
from theater.errors import Conflict, NotFound, UsageError
from theater.handlers.grant_types import GRANT_TYPES
from theater.journal.port import Journal
from theater.journal.records import ActorRow
from theater.manifest import parse
from theater.manifest.model import Limits
from theater.runtime import opening, states
from theater.runtime.feed import Feed
from theater.runtime.histories import Histories
from theater.runtime.import_facts import KeptChain
from theater.runtime.imports import ImportOutcome, Imports
from theater.runtime.info import ActorInfo, of_actor, of_import, of_row
from theater.runtime.programs import Programs
from theater.runtime.replay import Loaded, Replay, ReplayReport
from theater.runtime.router import Router
from theater.runtime.subscription import Subscription


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did: the actor, what of its chain was new, and whether what it needs is here.

    `content`: its manifest, its component and its last state are on this node, so that its state can
    be shown and its history re-executed. A chain file has only their hashes.
    """

    actor: ActorInfo
    outcome: ImportOutcome
    content: bool


class Inspection:
    """The reading half of a node."""

    def __init__(
        self, journal: Journal, router: Router, programs: Programs, imports: Imports
    ) -> None:
        self.journal: Final = journal
        self.imports: Final = imports
        self._histories: Final = Histories(journal, imports)
        self._router: Final = router
        self._programs: Final = programs
        self._feed: Final = Feed(journal.on_commit)

    def find(self, text: str) -> str:
        """The id of the actor that an id, a registered name, a manifest's name or the unique beginning
        of an id means, in this order; NotFound or Conflict.
        """
        holder = self._router.names.holder(text)
        self._settle()
        if holder is not None:
            return holder
        rows = [(row.id, row.name, str(row.status)) for row in self.journal.find_actors(text, 10)]
        exact = [row for row in rows if row[0] == text]
        living = [row for row in rows if row[2] not in ("stopped", "failed")]
        chosen = exact or living
        if not chosen and text:
            own = {row[0] for row in rows}
            chosen = rows + [
                (each.actor, each.name, "imported")
                for each in self.imports.find(text)
                if each.actor not in own
            ]
            chosen = [row for row in chosen if row[0] == text] or chosen
        if not chosen or not text:
            raise NotFound(
                f"there is no actor {text[:80]!r}; `theater list --all` shows every one",
                code="actor.not_found",
            )
        if len(chosen) > 1:
            raise Conflict(
                f"{text!r} could be "
                + ", ".join(f"{id_} ({name})" for id_, name, _ in chosen[:10]),
                code="actor.ambiguous",
            )
        return chosen[0][0]

    def _children(self, parent: str, ended: bool) -> list[ActorInfo]:
        found: list[ActorInfo] = []
        before: int | None = None
        while rows := self.journal.children(parent, before=before, limit=1000):
            found.extend(self._of_row(row) for row in rows)
            before = rows[-1].number
        self._settle()
        return [info for info in reversed(found) if ended or not states.ended(info.status)]

    def list(self, *, ended: bool = False, parent: str | None = None) -> list[ActorInfo]:
        """The actors that live, in the order in which they were started; with `ended` all, and behind
        them those whose chains were imported. With a `parent`'s id only its children.
        """
        if parent is not None:
            self._row(parent)
            return self._children(parent, ended)
        if not ended:
            actors = sorted(self._router.actors.values(), key=lambda actor: actor.number)
            told = [of_actor(actor) for actor in actors]
            self._settle()
            return told
        self._settle()
        found: list[ActorInfo] = []
        after = -1
        while rows := self.journal.actors(ended=True, after=after):
            found.extend(self._of_row(row) for row in rows)
            after = rows[-1].number
        own = {info.id for info in found}
        found.extend(of_import(each) for each in self.imports.all() if each.actor not in own)
        self._settle()
        return found

    def info(self, actor: str) -> ActorInfo:
        """What is known of an actor, also one that has ended; NotFound for one that never was."""
        living = self._router.actors.get(actor)
        if living is not None:
            told = of_actor(living)
            self._settle()
            return told
        self._settle()
        row = self.journal.actor(actor)
        if row is not None:
            return of_row(row)
        facts = self.imports.get(actor)
        if facts is None:
            raise _nobody(actor)
        return of_import(facts)

    def _of_row(self, row: ActorRow) -> ActorInfo:
        living = self._router.actors.get(row.id)
        return of_row(row) if living is None else of_actor(living)

    def state(self, actor: str, at: int | None = None) -> bytes | None:
        """The state of an actor, or the one that it had after the event at seq `at`."""
        row = self._row(actor)
        seq = row.tip.seq if at is None else at
        if not 0 <= seq <= row.tip.seq:
            raise NotFound(
                f"actor {actor} has events 0 to {row.tip.seq}, not {seq}", code="event.not_found"
            )
        own = row.number >= 0
        ref = row.tip.state if own and at is None else self._state_at(actor, seq)
        if ref is None:
            return None
        kept = self.journal.content(ref[0])
        if kept is None:
            raise NotFound(
                "that state is not here: it was pruned or redacted"
                if own
                else "that state is not here: the chain came as a file, which has only its hash",
                code="state.gone",
            )
        return kept[1]

    def _state_at(self, actor: str, seq: int) -> Ref | None:
        return opening.state_at(
            lambda start, limit: self._histories.events(actor, start, limit), seq
        )

    def events(self, actor: str, start: int = 0, limit: int | None = None) -> Iterator[Event]:
        """The events of an actor from seq `start` on."""
        self._row(actor)
        return self._histories.events(actor, start, limit)

    def subscribe(
        self,
        actors: Sequence[str] = (),
        *,
        start: int | None = 0,
        cursor: str | None = None,
        type: str | None = None,
        follow: bool = True,
        woken: Callable[[], None] | None = None,
    ) -> Subscription:
        """The events of actors, by id, from seq `start` on; of all that are and come without any.

        `start` None begins with what comes next, a `cursor` where it was taken. `type` is a pattern
        with * and ?. With `follow` it goes on until all of the actors have ended. `woken` is called
        on any thread when there is more, and must not block.
        """
        self._settle()
        return Subscription(
            self.journal,
            self._feed,
            actors,
            start=start,
            cursor=cursor,
            type=type,
            follow=follow,
            woken=woken,
            chains=self._histories,
        )

    def content(self, digest: bytes) -> bytes | None:
        """The bytes of content, None if it is not there."""
        kept = self.journal.content(digest)
        self._settle()
        return None if kept is None else kept[1]

    def watch(self, listener: Callable[[dict[str, int]], None]) -> Callable[[], None]:
        """Tell `listener`, after each commit, whose chains grew and to which seq; returns the undo."""
        return self.journal.on_commit(listener)

    def verify(self, actor: str) -> Report:
        """Recompute an actor's chain and check its grammar, against the head that the journal has.

        Of an imported chain nothing here vouches for the end.
        """
        row = self._row(actor)
        verifier = Verifier()
        for event in self._histories.events(actor, 0, row.tip.seq + 1):
            if verifier.feed(event) is not None:
                break
        return verifier.finish(row.tip.hash if row.number >= 0 else None)

    def replay(self, actor: str, *, until: int | None = None) -> ReplayReport:
        """Re-execute an actor's whole history; no effect is performed."""
        row = self._row(actor)
        if until is not None and until < 0:
            raise UsageError(f"an event's number is 0 or more, not {until}", code="event.number")

        def history(of: str, seq: int) -> Iterator[Event]:
            return self._histories.events(of, 0, seq + 1)

        return Replay(self.journal, self._load, history).run(history(actor, row.tip.seq), until)

    def import_chain(self, source: Source, *, actor: str | None = None) -> ImportReport:
        """Verify a chain file and keep it, to be looked at like an actor that ended.

        `actor` is its id where the chain doesn't say it any more. Errors are those of `Imports.add`.
        """
        self._settle()
        found, outcome = self.imports.add(source, actor, self._own)
        info = self.info(found)
        return ImportReport(info, outcome, self._has_content(found))

    def _own(self, actor: str) -> KeptChain | None:
        row = self.journal.actor(actor)
        if row is None:
            return None
        return KeptChain(
            row.tip.seq + 1, lambda start, limit: self.journal.events(actor, start, limit)
        )

    def _has_content(self, actor: str) -> bool:
        row = self._row(actor)
        state = row.tip.state if row.number >= 0 else self._state_at(actor, row.tip.seq)
        needed = [row.manifest[0], row.component, *([] if state is None else [state[0]])]
        return all(self.journal.has_content(digest) for digest in needed)

    def _load(self, start: shapes.Start) -> Loaded:
        kept = self.journal.content(start.manifest[0])
        if kept is None:
            raise NotFound(
                "the manifest of this chain is not here: it is gone, or the chain came as a file, "
                "which has only its hash",
                code="replay.gone",
            )
        manifest = parse(kept[1].decode(), grant_types=GRANT_TYPES)
        held = None if start.parent is None else self._programs.recorded(start.grants)
        program = self._programs.program(start.component, manifest, held)
        return Loaded(program, Limits.of_map(start.limits))

    def _row(self, actor: str) -> ActorRow:
        self._settle()
        row = self._histories.actor(actor)
        if row is None:
            raise _nobody(actor)
        return row

    def _settle(self) -> None:
        """Wait until all that was queued is on disk: a read tells nothing that could be lost."""
        self.journal.wait(self.journal.appended())


def _nobody(actor: str) -> NotFound:
    return NotFound(f"there is no actor {actor}", code="actor.not_found")
