"""Verification: whether events follow from each other, and where they first don't.

Streams: an event is looked at once, and nothing is kept of it but its place if its data is gone.
A chain alone can't show that its end was cut off or recomputed; a trusted head can, and `against`
of the report says what there was.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Final, Literal, assert_never

from theater.chain.event import ZERO_HASH, Event, event_hash
from theater.chain.forms import Call, Error, Form, Host, Note, Result, Start
from theater.chain.names import (
    ACTOR_ENGINE,
    ACTOR_FORK,
    ACTOR_RESTART,
    ACTOR_START,
    ACTOR_STOP,
    ACTOR_UPDATE,
    CHAIN_PRUNE,
    CHAIN_REDACT,
    EventKind,
    kind_of,
)
from theater.chain.reading import parse
from theater.chain.tip import Ref
from theater.errors import CodecError
from theater.limits import EVENT_TYPE_BYTES_MAX

Reason = Literal["hash", "parent", "seq", "time", "encoding", "order", "state", "gone"]
Against = Literal["head", "complete", "nothing"]

STATE_NOTES: Final = frozenset({ACTOR_RESTART, ACTOR_UPDATE, ACTOR_ENGINE, ACTOR_FORK})
"""The notes that can leave another state behind than the one that was."""


@dataclass(frozen=True, slots=True)
class Problem:
    """The first event that does not follow. `seq` is its position, `hash` what it says of itself."""

    seq: int
    hash: bytes
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was checked. Events are counted up to the first problem.

    `full` events were checked with their data, `digest_only` ones by its digest. `complete`: the
    chain ends with its actor. `against`: what shows that the end is the end: a trusted head, the
    chain's own `actor-stop`, or nothing.
    """

    events: int
    head: bytes
    full: int
    digest_only: int
    complete: bool
    problem: Problem | None
    against: Against


class _Unknown:
    """The state after an event whose data is gone."""


_UNKNOWN: Final = _Unknown()


class Verifier:
    """Checks one chain from its first event on. Without `strict`, hashes and links only."""

    def __init__(self, *, strict: bool = True) -> None:
        self._strict = strict
        self._problem: Problem | None = None
        self._next = 0
        self._at = 0
        self._head = ZERO_HASH
        self._full = 0
        self._gone: dict[int, bytes] = {}
        self._stopped = False
        self._calling = False
        self._function: str | None = None
        self._intent: str | None = None
        self._trapped = False
        self._state: Ref | None | _Unknown = None

    def feed(self, event: Event) -> Problem | None:
        """Look at the next event; after the first problem, only return that again."""
        if self._problem is not None:
            return self._problem
        flaw = self._link(event)
        if flaw is None and self._strict:
            flaw = self._follow(event)
        if flaw is not None:
            self._problem = Problem(self._next, event.hash, *flaw)
            return self._problem
        if event.data is None:
            self._gone[self._next] = event.hash
        else:
            self._full += 1
        self._head = event.hash
        self._at = event.at
        self._next += 1
        return None

    def finish(self, expected_head: bytes | None = None) -> Report:
        """Return what was found. `expected_head` is one that is trusted, from outside the chain."""
        problem = self._problem or self._unexplained()
        if problem is None and expected_head is not None and expected_head != self._head:
            problem = Problem(
                self._next,
                self._head,
                "hash",
                f"the chain ends at {self._head.hex()}, the trusted head is {expected_head.hex()}:"
                " its end was cut off, changed or goes on",
            )
        return Report(
            events=self._next,
            head=self._head,
            full=self._full,
            digest_only=self._next - self._full,
            complete=self._stopped,
            problem=problem,
            against=(
                "head" if expected_head is not None else "complete" if self._stopped else "nothing"
            ),
        )

    def _link(self, event: Event) -> tuple[Reason, str] | None:
        """Seq, parent, digest, hash, time."""
        seq = event.seq
        if seq != self._next or type(seq) is not int:
            return "seq", f"expected {self._next}, found {seq!r}"
        if event.parent != self._head:
            return "parent", "it does not name the event before"
        data = event.data
        if data is not None:
            digest = sha256(data).digest()
            if digest != event.data_digest:
                return "hash", "its data is not what its digest says"
        else:
            digest = event.data_digest
            if len(digest) != len(ZERO_HASH):
                return "encoding", "a digest has 32 bytes"
        at = event.at
        try:
            if event_hash(seq, at, self._head, _written(event.type), digest) != event.hash:
                return "hash", "its hash is not that of its fields"
        except (CodecError, struct.error) as error:
            return "encoding", str(error)
        if type(at) is not int:
            return "encoding", "its time is not an integer"
        if at < self._at:
            return "time", f"recorded {self._at - at} microseconds before the one before it"
        return None

    def _follow(self, event: Event) -> tuple[Reason, str] | None:
        """Encoding, order, state."""
        type_ = event.type
        try:
            kind = _kind(type_)
        except CodecError as error:
            return "encoding", error.message
        if (kind is EventKind.START) != (self._next == 0):
            return "order", f"{ACTOR_START} is the first event and no other"
        if self._stopped and not type_.startswith("chain-"):
            return "order", f"nothing but chain notes comes after {ACTOR_STOP}"
        form: Form | None = None
        if event.data is not None:
            try:
                form = parse(type_, event.data)
            except CodecError as error:
                return "encoding", error.message
        match kind:
            case EventKind.START:
                self._state = form.state if isinstance(form, Start) else _UNKNOWN
                return None
            case EventKind.CALL:
                return self._begin(form if isinstance(form, Call) else None)
            case EventKind.HOST:
                return self._host(type_, form if isinstance(form, Host) else None)
            case EventKind.INTENT:
                return self._begin_effect(type_)
            case EventKind.RESULT | EventKind.ERROR:
                return self._end(form if isinstance(form, (Result, Error)) else None, kind)
            case EventKind.NOTE:
                return self._note(type_, form if isinstance(form, Note) else None)
            case _:
                assert_never(kind)

    def _begin(self, call: Call | None) -> tuple[Reason, str] | None:
        if self._calling:
            return "order", "a call begins inside a call"
        self._calling = True
        self._intent = None
        self._trapped = False
        self._function = None
        if call is None:
            return None
        self._function = call.function
        if isinstance(self._state, _Unknown):
            self._state = call.state
        elif call.state != self._state:
            return "state", "the call is given another state than the one that was left"
        return None

    def _host(self, type_: str, host: Host | None) -> tuple[Reason, str] | None:
        if not self._calling or self._trapped:
            return "order", "a host call outside a call"
        intended = self._intent is not None
        if intended and type_ != self._intent:
            return "order", f"the host call {self._intent} was to come"
        self._intent = None
        if host is not None:
            if (host.input is None) != intended:
                return "order", "the input stands in the intent if there is one, else in the event"
            self._trapped = host.trap is not None
        return None

    def _begin_effect(self, type_: str) -> tuple[Reason, str] | None:
        if not self._calling or self._trapped:
            return "order", "a host call outside a call"
        if self._intent is not None:
            return "order", f"the host call {self._intent} was to come"
        self._intent = type_[:-1]
        return None

    def _end(self, form: Result | Error | None, kind: EventKind) -> tuple[Reason, str] | None:
        if not self._calling:
            return "order", "a call ends that did not begin"
        self._calling = False
        if kind is EventKind.RESULT and (self._trapped or self._intent is not None):
            return "order", "a call returned from inside a host call"
        if form is not None and self._function not in (None, form.function):
            return "order", f"the call of {self._function} ends as one of {form.function}"
        if isinstance(form, Result):
            self._state = form.state
        elif form is None and kind is EventKind.RESULT:
            self._state = _UNKNOWN
        return None

    def _note(self, type_: str, note: Note | None) -> tuple[Reason, str] | None:
        if type_ == ACTOR_STOP:
            if self._calling:
                return "order", "the actor stops inside a call"
            self._stopped = True
        elif type_ in STATE_NOTES:
            if note is None:
                self._state = _UNKNOWN
            elif "state" in note.fields:
                self._state = note_state(note)
        elif type_ == CHAIN_REDACT and note is not None:
            seqs = note.fields["seqs"]
            assert isinstance(seqs, list)
            if seqs[-1] >= self._next:
                return "order", "events are redacted that are not before the note"
            for seq in seqs:
                self._gone.pop(seq, None)
        elif type_ == CHAIN_PRUNE and note is not None:
            before = note.fields["before"]
            assert isinstance(before, int)
            if before > self._next:
                return "order", "events are pruned that are not before the note"
            self._gone = {seq: gone for seq, gone in self._gone.items() if seq >= before}
        return None

    def _unexplained(self) -> Problem | None:
        """The first event whose data is gone and that no note has named."""
        if not self._strict or not self._gone:
            return None
        seq, hash_ = next(iter(self._gone.items()))
        return Problem(
            seq, hash_, "gone", f"its data is gone without {CHAIN_REDACT} or {CHAIN_PRUNE}"
        )


def verify(
    events: Iterable[Event], *, expected_head: bytes | None = None, strict: bool = True
) -> Report:
    """Check a whole chain, up to its first problem."""
    verifier = Verifier(strict=strict)
    feed = verifier.feed
    for event in events:
        if feed(event) is not None:
            break
    return verifier.finish(expected_head)


@lru_cache(maxsize=4096)
def _written(type_: str) -> bytes:
    """A type as the hash has it."""
    try:
        written = type_.encode()
    except UnicodeEncodeError:
        raise CodecError("its type has a lone surrogate") from None
    if not 1 <= len(written) <= EVENT_TYPE_BYTES_MAX:
        raise CodecError(f"its type has {len(written)} bytes instead of 1 to 255")
    return written


@lru_cache(maxsize=4096)
def _kind(type_: str) -> EventKind:
    kind = kind_of(type_)
    if kind is EventKind.HOST or kind is EventKind.INTENT:
        interface, _, function = type_.rpartition("/")
        if not interface or function in ("", "!"):
            raise CodecError("its type names no function of an interface")
    return kind


def note_state(note: Note) -> Ref | None:
    """Return the state that a note carries in its field `state`; `parse` has checked its form."""
    match note.fields["state"]:
        case [bytes(digest), int(length)]:
            return digest, length
        case _:
            return None
