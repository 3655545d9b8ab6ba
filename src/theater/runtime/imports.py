"""Chains that came as files: verified once, kept beside the journal, shown like the node's own.

Not in the journal: they are nobody's history here, nothing runs on them, and whoever looks at the
folder should be able to read, copy or delete them. Each is `{actor}.cborseq`, whole or not there, and
`{actor}.json`, which only saves reading it all: facts, and where every so many events begin.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice, zip_longest
from pathlib import Path
from typing import Literal

import msgspec

from theater.chain import files, sequence
from theater.chain.event import ZERO_HASH, Event
from theater.chain.scanner import Scanner, Source
from theater.errors import (
    Conflict,
    IntegrityError,
    TooLarge,
    Unavailable,
    UsageError,
)
from theater.ids import ACTOR_ID
from theater.journal.sqlite.directory import sync_directory
from theater.limits import IMPORTS_MAX
from theater.runtime.durable_files import DRAFT, write_whole
from theater.runtime.import_facts import (
    PLACE_EVENTS,
    ImportFacts,
    KeptChain,
    Read,
    agree,
    checked,
    fuller,
    read_kept,
    scan,
    verified,
)

log = logging.getLogger(__name__)

ImportOutcome = Literal["new", "known", "extended"]


@dataclass(frozen=True, slots=True)
class _Draft:
    path: Path
    facts: ImportFacts


class Imports:
    """The chains in one folder; without a folder there are none and none can be added."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._adding = threading.Lock()
        self._noting = threading.Lock()
        """Around the files of facts: two that write the same one would take each other's draft away."""
        self._known: dict[str, tuple[tuple[int, int, int], ImportFacts]] = {}
        self._drafts = count()
        if folder is not None and folder.is_dir():
            for path in folder.glob(f"*{DRAFT}"):
                path.unlink(missing_ok=True)

    def draft_path(self) -> Path:
        """Where bytes that are on their way can be put; the caller removes the file."""
        if self._folder is None:
            raise UsageError("this node has no folder for imported chains", code="import.no_folder")
        self._folder.mkdir(mode=0o700, exist_ok=True)
        return self._folder / f"{next(self._drafts)}{DRAFT}"

    def add(
        self, source: Source, named: str | None, local: Callable[[str], KeptChain | None]
    ) -> tuple[str, ImportOutcome]:
        """Verify a chain file of any form and keep it, whole or not at all.

        Returns its actor's id and what was new: nothing, too, if the actor is this node's own.
        `named` is the actor's id for a chain that doesn't say it any more. `local` gives the chain
        of an actor of this node. CodecError for a file that is no chain or doesn't verify,
        Conflict for one that contradicts a chain of the same actor.
        """
        try:
            draft = self._draft(verified(files.read(source)), named)
        except OSError as error:
            raise unwritable(error) from error
        try:
            with self._adding:
                own = local(draft.facts.actor)
                if own is not None:
                    self._compare_with_own(draft, own)
                    return draft.facts.actor, "known"
                return draft.facts.actor, self._keep(draft)
        except OSError as error:
            raise unwritable(error) from error
        finally:
            draft.path.unlink(missing_ok=True)

    def has(self, actor: str) -> bool:
        """Whether there is a file of an actor's chain."""
        return (
            self._folder is not None
            and ACTOR_ID.fullmatch(actor) is not None
            and self._chain(actor).exists()
        )

    def get(self, actor: str) -> ImportFacts | None:
        """The facts of a kept chain; IntegrityError if its file can't be read any more."""
        if self._folder is None or not ACTOR_ID.fullmatch(actor):
            return None
        path = self._chain(actor)
        try:
            found = path.stat()
        except OSError:
            return None
        key = (found.st_ino, found.st_size, found.st_mtime_ns)
        known = self._known.get(actor)
        if known is not None and known[0] == key:
            return known[1]
        with self._noting:
            facts = self._stored(actor)
            if facts is None or facts.bytes != found.st_size:
                with path.open("rb") as file:
                    facts = checked(lambda: scan(read_kept(file, ZERO_HASH, 0, None), actor, None))
                write_whole(self._facts(actor), msgspec.json.encode(facts))
            self._known[actor] = key, facts
            return facts

    def all(self) -> list[ImportFacts]:
        """Every kept chain, oldest actor first. One that can't be read is told of in the log."""
        if self._folder is None or not self._folder.is_dir():
            return []
        found = []
        for path in self._folder.glob(f"*{files.Form.SEQUENCE.suffix}"):
            try:
                facts = self.get(path.stem)
            except (IntegrityError, OSError) as error:
                log.error("the imported chain %s can't be read: %s", path, error)
                continue
            if facts is not None:
                found.append(facts)
        return sorted(found, key=lambda facts: (facts.started_at, facts.actor))

    def find(self, text: str) -> list[ImportFacts]:
        """Those whose actor's id begins with a text or whose actor has it for a name."""
        return [each for each in self.all() if each.actor.startswith(text) or each.name == text]

    def events(self, facts: ImportFacts, start: int, limit: int | None) -> Iterator[Event]:
        """Events from seq `start` on, each checked against its hash and the one before.

        IntegrityError where the file is not what was imported.
        """
        if start >= facts.events or limit == 0:
            return
        path = self._chain(facts.actor)
        end = facts.events if limit is None else min(facts.events, start + limit)
        first = start - start % PLACE_EVENTS
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size != facts.bytes:
                raise IntegrityError(
                    f"the imported chain {path} was changed; ask again", actor=facts.actor
                )
            file.seek(facts.places[start // PLACE_EVENTS])
            last = None
            for event in read_kept(file, None if first else ZERO_HASH, first, end - first):
                last = event
                if event.seq >= start:
                    yield event
        if end == facts.events and (last is None or last.hash.hex() != facts.head):
            raise IntegrityError(
                f"the imported chain {path} does not end in its head", actor=facts.actor
            )

    def _compare_with_own(self, draft: _Draft, own: KeptChain) -> None:
        facts = draft.facts
        agree(facts, self._reader(draft), own)
        if facts.events > own.events:
            raise Conflict(
                f"actor {facts.actor} is this node's own and has {own.events} events; the file goes "
                f"on to event {facts.events - 1}. A journal does not take up events from a file: look "
                "at it with `theater events FILE`, or import it on another node",
                code="import.longer",
                actor=facts.actor,
                events=own.events,
            )

    def _keep(self, draft: _Draft) -> ImportOutcome:
        """Give a draft its name, under the lock."""
        actor = draft.facts.actor
        kept = self.get(actor)
        if kept is None:
            if len(self.all()) >= IMPORTS_MAX:
                raise TooLarge(
                    f"{IMPORTS_MAX} imported chains are kept already; delete some from "
                    f"{self._folder}",
                    code="import.full",
                )
            self._name(draft)
            return "new"

        def stored(start: int, limit: int | None) -> Iterator[Event]:
            return self.events(kept, start, limit)

        agree(draft.facts, self._reader(draft), KeptChain(kept.events, stored))
        if draft.facts.events <= kept.events and not kept.gone:
            return "known"
        # Either may still have data that was destroyed in the other.
        both = zip_longest(self._reader(draft)(0, None), stored(0, None))
        merged = self._draft((fuller(one, other) for one, other in both), actor)
        try:
            if (merged.facts.events, merged.facts.gone) == (kept.events, kept.gone):
                return "known"
            self._name(merged)
            return "extended"
        finally:
            merged.path.unlink(missing_ok=True)

    def _name(self, draft: _Draft) -> None:
        actor = draft.facts.actor
        with draft.path.open("rb") as file:
            os.fsync(file.fileno())
        with self._noting:
            draft.path.rename(self._chain(actor))
            sync_directory(self._chain(actor).parent)
            write_whole(self._facts(actor), msgspec.json.encode(draft.facts))

    def _draft(self, events: Iterable[Event], named: str | None) -> _Draft:
        path = self.draft_path()
        try:
            with path.open("xb") as file:

                def written() -> Iterator[Event]:
                    for event in events:
                        file.write(sequence.item(event))
                        yield event

                return _Draft(path, scan(written(), None, named))
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def _reader(self, draft: _Draft) -> Read:
        def read(start: int, limit: int | None) -> Iterator[Event]:
            with draft.path.open("rb") as file:
                file.seek(draft.facts.places[start // PLACE_EVENTS])
                found = sequence.read(Scanner(file))
                behind = islice(found, start % PLACE_EVENTS, None)
                yield from behind if limit is None else islice(behind, limit)

        return read

    def _stored(self, actor: str) -> ImportFacts | None:
        try:
            facts = msgspec.json.decode(self._facts(actor).read_bytes(), type=ImportFacts)
        except (OSError, msgspec.DecodeError, msgspec.ValidationError):
            return None
        whole = len(facts.places) == -(-facts.events // PLACE_EVENTS) and facts.actor == actor
        return facts if whole else None

    def _chain(self, actor: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{actor}{files.Form.SEQUENCE.suffix}"

    def _facts(self, actor: str) -> Path:
        return self._chain(actor).with_suffix(".json")


def unwritable(error: OSError) -> Unavailable:
    """Return what an importer is told when files can't be written."""
    return Unavailable(
        f"the chain can't be kept: {error.strerror or error}; make room in the data directory and "
        "import it again",
        code="import.unwritable",
    )
