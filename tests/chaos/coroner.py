"""What is on disk after a kill: read from a copy of the journal, so that the next server finds it as
the killed one left it, with its log of writes not yet merged.

Between two looks every chain may only have grown: what was once on disk must still be there.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from theater import ids
from theater.chain import rules, shapes
from theater.chain.event import Event
from theater.chain.verify import Verifier
from theater.journal.records import ActorRow
from theater.journal.sqlite import SqliteJournal
from theater.journal.sqlite.schema import close_connection, connect_reader
from theater.runtime.black_box import FILE, SLOT_BYTES, SLOTS

SEND = "theater:simple/message-server-host/send"
REQUEST = "theater:simple/message-server-host/request"
POST = "theater:simple/http-client/send-http"
WASM = ("wasm-call", "wasm-result", "wasm-error")


@dataclass
class Call:
    """A call in a chain. `hosts` are its host calls: type, form, and the key of an intent before."""

    seq: int
    form: shapes.Call
    hosts: list[tuple[str, shapes.Host, str | None]] = field(default_factory=list)
    intent: str | None = None
    end: shapes.Result | shapes.Error | None = None


class Chain:
    """One actor's chain as far as it was read."""

    def __init__(self, row: ActorRow) -> None:
        self.row = row
        self.events: list[Event] = []
        self.calls: list[Call] = []
        self.between: list[str] = []
        self._verifier = Verifier()

    @property
    def open(self) -> Call | None:
        return self.calls[-1] if self.calls and self.calls[-1].end is None else None

    def take(self, event: Event) -> None:
        """Read the next event."""
        problem = self._verifier.feed(event)
        assert problem is None, f"{self.row.name}: {problem}"
        self.events.append(event)
        assert event.data is not None
        form = shapes.parse(event.type, event.data)
        if isinstance(form, shapes.Call):
            self.calls.append(Call(event.seq, form))
        elif isinstance(form, shapes.Result | shapes.Error):
            self.calls[-1].end = form
        elif isinstance(form, shapes.Intent):
            self.calls[-1].intent = form.key
        elif isinstance(form, shapes.Host):
            call = self.calls[-1]
            call.hosts.append((event.type, form, call.intent))
            call.intent = None
        else:
            self.between.append(event.type)

    def posts(self) -> Mapping[str, bytes]:
        """The POSTs whose answers are recorded, by key, with the answers."""
        return {
            key: form.output
            for call in self.calls
            for _, form, key in call.hosts
            if key is not None and isinstance(form.output, bytes)
        }

    def sent(self) -> list[str]:
        """The ids of the messages that the chain says were accepted by their receivers."""
        found = []
        for call in self.calls:
            for number, (type_, form, _) in enumerate(call.hosts):
                if type_ in (SEND, REQUEST):
                    assert form.output is not None
                    assert b"\x63err" not in bytes(
                        form.output[:5] if isinstance(form.output, bytes) else b""
                    ), form
                    found.append(ids.message_id(rules.derive(self.row.id, call.seq, number)))
        return found

    def handled(self) -> list[str]:
        """The ids of the messages whose calls returned."""
        return [
            call.form.message.id
            for call in self.calls
            if call.form.message is not None and isinstance(call.end, shapes.Result)
        ]


@dataclass(frozen=True)
class Finding:
    """What a kill left. `classes` are where it hit, `computing` the chains of actors in the middle of
    guest code, by id with their length; `answered` and `open` are keys of POSTs. `suspects` says whether
    the next node holds the kill against any call, also against one that is not on disk.
    """

    classes: frozenset[str]
    computing: Mapping[str, int]
    answered: frozenset[str]
    open: frozenset[str]
    suspects: bool = False


class Coroner:
    """Looks at one data directory after each kill."""

    def __init__(self, data_dir: Path, copy: Path) -> None:
        self._data_dir = data_dir
        self._copy = copy
        self.chains: dict[str, Chain] = {}

    def examine(self) -> Finding:
        """Read what is new since the last look."""
        with_journal = (self._data_dir / "format").exists()
        if not with_journal:
            return Finding(frozenset({"idle"}), {}, frozenset(), frozenset())
        shutil.rmtree(self._copy, ignore_errors=True)
        (self._copy / "content").mkdir(parents=True)
        for name in ("format", "journal.db", "journal.db-wal"):
            if (self._data_dir / name).exists():
                shutil.copyfile(self._data_dir / name, self._copy / name)
        journal = SqliteJournal.open(self._copy)
        try:
            return self._read(journal)
        finally:
            journal.close()

    def _read(self, journal: SqliteJournal) -> Finding:
        before = {actor: len(chain.events) for actor, chain in self.chains.items()}
        was_open = {actor for actor, chain in self.chains.items() if chain.open is not None}
        rows = every_actor(journal)
        for actor in self.chains:
            assert any(row.id == actor for row in rows), f"actor {actor} is gone"
        for row in rows:
            chain = self.chains.setdefault(row.id, Chain(row))
            read_on(journal, chain)
            chain.row = row
        waiting = {wait.actor for wait, _ in journal.waits()}
        classes: set[str] = set()
        computing: dict[str, int] = {}
        for actor, chain in self.chains.items():
            call = chain.open
            assert (chain.row.tip.call is None) == (call is None)
            if call is None:
                continue
            exempt = call.intent is not None or actor in waiting
            if not exempt:
                computing[actor] = len(chain.events)
            if actor in was_open and len(chain.events) == before.get(actor):
                classes.add("taking up")
            elif call.intent is not None:
                classes.add("in a POST")
            elif actor in waiting:
                classes.add("waiting for an answer")
            else:
                classes.add("in guest code")
        if not classes:
            classes.add("idle" if not journal.messages() else "between calls")
        answered = {key for chain in self.chains.values() for key in chain.posts()}
        open_ = {
            chain.open.intent for chain in self.chains.values() if chain.open and chain.open.intent
        }
        return Finding(
            frozenset(classes),
            computing,
            frozenset(answered),
            frozenset(open_),
            suspects=suspects_are_left(self._data_dir),
        )


def suspects_are_left(data_dir: Path) -> bool:
    """Whether a call is named by the file in which threads say what they run."""
    file = data_dir / FILE
    return file.exists() and any(file.read_bytes())


def suspects_wait(data_dir: Path) -> bool:
    """Whether a node that runs has calls, by that file, that it suspects and has not run again."""
    return any((data_dir / FILE).read_bytes()[SLOTS * SLOT_BYTES :])


def deaths_are_counted(data_dir: Path) -> bool:
    """Whether any actor's call is on disk as one in which a process died, by a node that runs."""
    connection = connect_reader(data_dir / "journal.db", None)
    try:
        return bool(connection.execute("SELECT 1 FROM actors WHERE deaths > 0").fetchall())
    finally:
        close_connection(connection)


def every_actor(journal: SqliteJournal) -> Sequence[ActorRow]:
    """All actors that ever were."""
    return journal.actors(ended=True, limit=10_000)


def read_on(journal: SqliteJournal, chain: Chain) -> None:
    """Read a chain's new events; the last one that was read before must still stand there."""
    seen = len(chain.events)
    for event in journal.events(chain.row.id, max(0, seen - 1)):
        if event.seq < seen:
            assert event == chain.events[event.seq], f"{chain.row.name}: event {event.seq} changed"
        else:
            chain.take(event)
    assert len(chain.events) >= seen, f"{chain.row.name} lost events"


def histogram(findings: Sequence[frozenset[str]]) -> Counter[str]:
    """How many kills hit each class; one kill may hit several actors."""
    return Counter(name for classes in findings for name in classes)
