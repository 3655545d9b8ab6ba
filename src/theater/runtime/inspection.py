"""What a node tells of its actors: lists, states, histories, and what verification finds in them.

Nothing is told that could be lost: what is read in memory, or in what is queued, is told once all
that was queued then is on disk; what is read on disk is read after that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from theater.chain import shapes
from theater.chain.event import Event
from theater.chain.verify import Report, Verifier
from theater.errors import Conflict, NotFound
from theater.handlers.grant_types import GRANT_TYPES
from theater.journal.port import Journal
from theater.journal.records import ActorRow
from theater.manifest import parse
from theater.manifest.model import Limits
from theater.runtime import opening
from theater.runtime.feed import Feed
from theater.runtime.info import ActorInfo, of_actor, of_row
from theater.runtime.programs import Programs
from theater.runtime.replay import Loaded, Replay, ReplayReport
from theater.runtime.router import Router
from theater.runtime.subscription import Subscription


class Inspection:
    """The reading half of a node."""

    def __init__(self, journal: Journal, router: Router, programs: Programs) -> None:
        self.journal: Final = journal
        self._router: Final = router
        self._programs: Final = programs
        self._feed: Final = Feed(journal.on_commit)

    def find(self, text: str) -> str:
        """The id of the actor that a unique id prefix or a name means; NotFound or Conflict."""
        self._settle()
        rows = self.journal.find_actors(text, 10)
        exact = [row for row in rows if row.id == text]
        living = [row for row in rows if row.status not in ("stopped", "failed")]
        chosen = exact or living or rows
        if not chosen or not text:
            raise NotFound(
                f"there is no actor {text!r}; `theater list --all` shows every one",
                code="actor.not_found",
            )
        if len(chosen) > 1:
            raise Conflict(
                f"{text!r} could be " + ", ".join(f"{row.id} ({row.name})" for row in chosen),
                code="actor.ambiguous",
            )
        return chosen[0].id

    def list(self, *, ended: bool = False) -> list[ActorInfo]:
        """The actors that live, in the order in which they were started; with `ended` all."""
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
        self._settle()
        return found

    def info(self, actor: str) -> ActorInfo:
        """What is known of an actor, also one that has ended; NotFound for one that never was."""
        living = self._router.actors.get(actor)
        if living is not None:
            told = of_actor(living)
            self._settle()
            return told
        return of_row(self._row(actor))

    def _of_row(self, row: ActorRow) -> ActorInfo:
        living = self._router.actors.get(row.id)
        return of_row(row) if living is None else of_actor(living)

    def state(self, actor: str, at: int | None = None) -> bytes | None:
        """The state of an actor, or the one that it had after the event at seq `at`."""
        row = self._row(actor)
        ref = row.tip.state
        if at is not None:
            if not 0 <= at <= row.tip.seq:
                raise NotFound(
                    f"actor {actor} has events 0 to {row.tip.seq}, not {at}", code="event.not_found"
                )
            ref = opening.state_at(self.journal, actor, at)
        if ref is None:
            return None
        kept = self.journal.content(ref[0])
        if kept is None:
            raise NotFound("that state was pruned or redacted", code="state.gone")
        return kept[1]

    def events(self, actor: str, start: int = 0, limit: int | None = None) -> Iterator[Event]:
        """The events of an actor from seq `start` on."""
        self._row(actor)
        return self.journal.events(actor, start, limit)

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
        """Recompute an actor's chain and check its grammar, against the head that the journal has."""
        row = self._row(actor)
        verifier = Verifier()
        for event in self.journal.events(actor, 0, row.tip.seq + 1):
            if verifier.feed(event) is not None:
                break
        return verifier.finish(row.tip.hash)

    def replay(self, actor: str, *, until: int | None = None) -> ReplayReport:
        """Re-execute an actor's whole history; no effect is performed."""
        row = self._row(actor)

        def history(seq: int) -> Iterator[Event]:
            return self.journal.events(actor, 0, seq + 1)

        return Replay(self.journal, self._load, history).run(
            self.journal.events(actor, 0, row.tip.seq + 1), until
        )

    def _load(self, start: shapes.Start) -> Loaded:
        kept = self.journal.content(start.manifest[0])
        if kept is None:
            raise NotFound("the manifest of this chain is gone", code="replay.gone")
        manifest = parse(kept[1].decode(), grant_types=GRANT_TYPES)
        program = self._programs.program(start.component, manifest)
        return Loaded(program, Limits.of_map(start.limits))

    def _row(self, actor: str) -> ActorRow:
        self._settle()
        row = self.journal.actor(actor)
        if row is None:
            raise NotFound(f"there is no actor {actor}", code="actor.not_found")
        return row

    def _settle(self) -> None:
        """Wait until all that was queued is on disk: a read tells nothing that could be lost."""
        self.journal.wait(self.journal.appended())
