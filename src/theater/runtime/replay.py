"""Running a whole history again, offline: no effect is performed, and the same head must come out.

Hashes are computed anew from what was re-executed and from the inputs that the recording carries
(times, salts, entropy, facts); the first difference is a divergence, with its position.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from theater.chain import shapes
from theater.chain.event import ZERO_HASH, Event, event_hash
from theater.chain.forms import changed_start
from theater.chain.verify import STATE_NOTES
from theater.errors import IntegrityError
from theater.manifest.model import Limits
from theater.runtime.content import RecentContent
from theater.runtime.ports import ContentSource
from theater.runtime.program import Program
from theater.runtime.recorded import RecordedCall, Rerun, cut, reproducible
from theater.runtime.session import Divergence


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a chain's actor runs: its program and its limits."""

    program: Program
    bounds: Limits


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay found. `head` is computed, `expected_head` is the recording's, both 32 bytes.

    `not_reproducible` counts calls whose end is a fact from outside and was taken as recorded.
    `unverified_engine` says that the recording was made under other engine settings.
    """

    events: int
    calls: int
    head: bytes
    expected_head: bytes
    divergence: Divergence | None
    not_reproducible: int
    unverified_engine: bool
    seconds: float

    @property
    def equal(self) -> bool:
        """Whether the re-execution reached the recorded head."""
        return self.divergence is None and self.head == self.expected_head


class Replay:
    """One replay of one history."""

    def __init__(
        self,
        content: ContentSource,
        load: Callable[[shapes.Start], Loaded],
        history: Callable[[str, int], Iterator[Event]],
    ) -> None:
        self._content = RecentContent(content)
        self._load = load
        self._history = history
        self._head = ZERO_HASH
        self._expected = ZERO_HASH
        self._events = 0
        self._calls = 0
        self._not_reproducible = 0
        self._other_engine = False
        self._loaded: Loaded | None = None
        self._start: shapes.Start | None = None
        self._rerun: Rerun | None = None

    def run(self, events: Iterable[Event], until: int | None = None) -> ReplayReport:
        """Replay events from the first on, up to seq `until`. IntegrityError if content is missing."""
        began = time.perf_counter()
        divergence: Divergence | None = None
        chosen = events if until is None else (e for e in events if e.seq <= until)
        try:
            for each in cut(chosen):
                if isinstance(each, RecordedCall):
                    divergence = self._call(each)
                    passed: tuple[Event, ...] = each.whole
                else:
                    divergence = self._between(each)
                    passed = (each,)
                self._fold(passed, divergence)
                if divergence is not None:
                    break
        finally:
            if self._rerun is not None:
                self._rerun.instance.close()
        return ReplayReport(
            self._events,
            self._calls,
            self._head,
            self._expected,
            divergence,
            self._not_reproducible,
            self._other_engine,
            time.perf_counter() - began,
        )

    def _between(self, event: Event) -> Divergence | None:
        if event.type == shapes.ACTOR_START and event.data is not None:
            start = shapes.parse(event.type, event.data)
            assert isinstance(start, shapes.Start)
            self._start = start
            self._loaded = self._load(start)
            self._compare_engine(dict(start.engine))
        return None

    def _change(self, note: shapes.Note) -> None:
        """From an update on the actor runs what that says, in a new instance."""
        before = self._start
        if before is None:
            raise IntegrityError("the history does not begin with its actor-start")
        self._start = changed_start(before, note)
        if self._start is before:
            return
        self._loaded = self._load(self._start)
        if self._rerun is not None:
            self._rerun.instance.close()
            self._rerun = None

    def _compare_engine(self, recorded: object) -> None:
        if self._loaded is not None and recorded != dict(self._loaded.program.engine):
            self._other_engine = True

    def _call(self, recorded: RecordedCall) -> Divergence | None:
        if self._loaded is None or self._start is None:
            raise IntegrityError("the history does not begin with its actor-start")
        self._calls += 1
        if recorded.end is None:
            return None  # still running: there is nothing to compare with yet
        if recorded.call.instance == 0 or self._rerun is None:
            self._renew(self._loaded, self._start)
        assert self._rerun is not None
        divergence = self._rerun.run(recorded)
        if not reproducible(recorded.form):
            self._not_reproducible += 1
        return divergence

    def _renew(self, loaded: Loaded, start: shapes.Start) -> None:
        if self._rerun is not None:
            self._rerun.instance.close()
        limits = loaded.bounds
        self._rerun = Rerun(
            start.actor,
            start.name,
            loaded.program,
            loaded.program.new_instance(limits),
            limits,
            self._content,
            self._history,
        )

    def _fold(self, events: Iterable[Event], divergence: Divergence | None) -> None:
        for event in events:
            self._expected = event.hash
            if event.type in STATE_NOTES and event.data is not None:
                note = shapes.parse(event.type, event.data)
                assert isinstance(note, shapes.Note)
                if divergence is None:
                    self._change(note)
                if "engine" in note.fields:
                    self._compare_engine(note.fields["engine"])
            if divergence is not None and event.seq >= divergence.seq:
                continue
            self._head = event_hash(
                event.seq, event.at, self._head, event.type.encode(), event.data_digest
            )
            self._events += 1
