"""What a chain says of messages: which were handled, how their calls ended, what was sent and asked.

Read once, in bounded memory for each event, while the chain is verified.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.chaos_tree.letters import named
from theater import ids
from theater.chain import rules, shapes
from theater.chain.event import Event
from theater.chain.verify import Problem, Verifier
from theater.journal.port import Journal
from theater.journal.records import ActorRow
from theater.runtime.kinds import INIT
from theater.values import cbor

SEND: Final = "theater:simple/message-server-host/send"
REQUEST: Final = "theater:simple/message-server-host/request"
SUPERVISOR: Final = "theater:simple/supervisor/"
HANDLE: Final = "theater:simple/message-server-client/"


@dataclass(slots=True)
class Call:
    """A call: its message's id, name and attempt, the kind of its bad end, "" while it is open."""

    message: str
    name: str
    attempt: int
    seq: int
    end: str | None = ""


@dataclass
class History:
    """What one chain says.

    `sent` are ids of messages that receivers accepted, `asked` those of requests that may have been.
    `waited_us` is the longest that a request waited in which the node was not away. `names` are the
    messages that were handled since the last `init`, in order, which the state must say too.
    """

    row: ActorRow
    problem: Problem | None = None
    events: int = 0
    calls: list[Call] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    waited_us: int = 0
    names: list[str] = field(default_factory=list)
    notes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    """The kinds of the messages whose calls were begun."""
    deeds: Counter[tuple[str, bool]] = field(default_factory=Counter)
    """Calls of the supervisor's interface, and whether they were ok."""
    spawned: dict[str, bool] = field(default_factory=dict)
    """The ids of children as their places give them, and whether they started."""


class Reader:
    """Reads one actor's chain."""

    def __init__(self, row: ActorRow, content: Callable[[bytes], bytes]) -> None:
        self.history = History(row)
        self._content = content
        self._verifier = Verifier()
        self._call: Call | None = None
        self._init = False
        self._hosts = 0
        self._at = 0
        self._away = False

    def take(self, event: Event) -> None:
        """Read the next event."""
        history = self.history
        history.problem = history.problem or self._verifier.feed(event)
        history.events += 1
        if event.data is None:
            return
        form = shapes.parse(event.type, event.data)
        match form:
            case shapes.Call():
                self._begin(event.seq, form)
            case shapes.Host():
                self._host(event, form)
            case shapes.Result():
                self._end(None)
            case shapes.Error():
                self._end(form.kind)
            case shapes.Note():
                history.notes[event.type, form.by, form.why] += 1
                self._away = self._away or event.type == shapes.ACTOR_RECOVER
        self._at = event.at

    def _begin(self, seq: int, form: shapes.Call) -> None:
        self._hosts, self._away = 0, False
        self._init = form.function == INIT
        message = form.message
        name = ""
        if form.function.startswith(HANDLE):
            params = (
                form.params if isinstance(form.params, bytes) else self._content(form.params[0])
            )
            decoded = cbor.decode(params)
            assert isinstance(decoded, list)
            assert isinstance(decoded[0], list)
            body = decoded[0][-1]
            assert isinstance(body, bytes)
            name = named(body)
        attempt = 0 if message is None else message.attempt
        self._call = Call("" if message is None else message.id, name, attempt, seq)
        if message is not None:
            self.history.calls.append(self._call)
            self.history.kinds[message.kind] += 1

    def _host(self, event: Event, form: shapes.Host) -> None:
        call, history = self._call, self.history
        assert call is not None
        number = self._hosts
        self._hosts += 1
        of_supervisor = event.type.startswith(SUPERVISOR)
        if event.type not in (SEND, REQUEST) and not of_supervisor:
            return
        output = form.output if isinstance(form.output, bytes | None) else b""
        ok = output is None or output[:4] != b"\xa1\x63er"
        derived = rules.derive(history.row.id, call.seq, number)
        if of_supervisor:
            deed = event.type.removeprefix(SUPERVISOR)
            history.deeds[deed, ok] += 1
            if deed == "spawn":
                history.spawned[ids.actor_id(derived)] = ok
            return
        message = ids.message_id(derived)
        if event.type == SEND:
            if ok:
                history.sent.append(message)
            return
        history.asked.append(message)
        if ok:
            history.answered.append(message)
        if not self._away:
            history.waited_us = max(history.waited_us, event.at - self._at)

    def _end(self, kind: str | None) -> None:
        if self._call is None:
            return
        self._call.end = kind
        if kind is None and self._init:
            self.history.names = []
        elif kind is None and self._call.name:
            self.history.names.append(self._call.name)
        self._call = None


def read(journal: Journal, row: ActorRow) -> History:
    """Read the whole chain of an actor."""

    def content(digest: bytes) -> bytes:
        kept = journal.content(digest)
        assert kept is not None, f"content of {row.name} is gone"
        return kept[1]

    reader = Reader(row, content)
    for event in journal.events(row.id):
        reader.take(event)
    return reader.history
