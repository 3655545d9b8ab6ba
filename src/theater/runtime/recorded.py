"""Recorded calls: cutting a history into calls, and running one of them again.

Everything that re-executes (recovery, replay, and what later branches) starts at a new instance and
runs forward in it, because an instance has a memory that a chain can't show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from theater import limits
from theater.chain import shapes
from theater.chain.event import Event
from theater.chain.shapes import Part
from theater.chain.tip import Ref
from theater.engine import Ended, GuestError, Instance, Outcome, Returned
from theater.errors import CodecError, IntegrityError
from theater.limits import ERROR_MESSAGE_BYTES_MAX
from theater.manifest.model import Limits
from theater.runtime import difference
from theater.runtime.content import is_same
from theater.runtime.ending import excess, finish_call
from theater.runtime.ports import ContentSource
from theater.runtime.program import Program
from theater.runtime.session import CallPlace, Divergence, Session
from theater.values import cbor, codec


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call in a chain: its `wasm-call`, its host calls and its end; `whole` has the notes too.

    `end` is None for a call that was cut off, `form` what its data says, None if that is gone.
    """

    event: Event
    call: shapes.Call
    events: tuple[Event, ...]
    end: Event | None
    form: shapes.Form | None
    whole: tuple[Event, ...]

    @property
    def place(self) -> tuple[int, int, bytes]:
        """Its seq, its `now` in nanoseconds and its entropy."""
        return self.event.seq, self.call.now, self.call.entropy


def cut(events: Iterable[Event]) -> Iterator[RecordedCall | Event]:
    """Yield the calls of a history, and the notes and the start that stand between them."""
    opening: Event | None = None
    course: list[Event] = []
    whole: list[Event] = []
    for event in events:
        if opening is None:
            if event.type != shapes.WASM_CALL:
                yield event
                continue
            opening, course, whole = event, [], [event]
            continue
        whole.append(event)
        if event.type in (shapes.WASM_RESULT, shapes.WASM_ERROR):
            yield _call(opening, course, event, whole)
            opening = None
        elif shapes.is_course(event.type):
            course.append(event)
    if opening is not None:
        yield _call(opening, course, None, whole)


def _call(
    opening: Event, course: Sequence[Event], end: Event | None, whole: Sequence[Event]
) -> RecordedCall:
    if opening.data is None:
        raise IntegrityError(
            f"the data of event {opening.seq} is gone, so its call can't be run again",
            code="replay.gone",
            seq=opening.seq,
        )
    call = shapes.parse(opening.type, opening.data)
    assert isinstance(call, shapes.Call)
    form = None if end is None or end.data is None else shapes.parse(end.type, end.data)
    return RecordedCall(opening, call, tuple(course), end, form, tuple(whole))


def arguments_of(recorded: RecordedCall, program: Program, content: ContentSource) -> list[object]:
    """Return the parameters behind the state, as the export takes them."""
    function = program.component.exports[recorded.call.function]
    types = tuple(wit for _, wit in function.params[1:])
    encoded = _bytes_of(recorded.call.params, content, recorded.event.seq)
    return list(codec.decode_all(types)(cbor.decode(encoded)))


def state_of(ref: Ref | None, content: ContentSource, seq: int) -> bytes | None:
    """Return the bytes of a state that an event names."""
    return None if ref is None else _bytes_of(ref, content, seq)


def _bytes_of(part: Part, content: ContentSource, seq: int) -> bytes:
    if isinstance(part, bytes):
        return part
    kept = content.content(part[0])
    if kept is None:
        raise IntegrityError(
            f"content that event {seq} names is not here, so its call can't be run again",
            code="replay.gone",
            seq=seq,
        )
    return kept[1]


@dataclass(slots=True)
class Rerun:
    """A new instance that recorded calls are run again in, one after the other.

    `deadline_ms` is for calls whose end is to come out the same; by default a slower machine does
    not make a deadline of what was none.
    """

    actor: str
    name: str
    program: Program
    instance: Instance
    bounds: Limits
    content: ContentSource
    history: Callable[[str, int], Iterator[Event]]
    memory: dict[str, object] = field(default_factory=dict)
    deadline_ms: int = limits.DEADLINE_MS_CEILING

    def run(self, recorded: RecordedCall) -> Divergence | None:
        """Run a call that has ended; returns where it left its recording, None if it did not."""
        seq, now, entropy = recorded.place
        function = recorded.call.function
        if function not in self.program.exports:
            return Divergence(seq, f"a call of {function}", "no such export")
        try:
            arguments = arguments_of(recorded, self.program, self.content)
        except CodecError as error:
            return Divergence(seq, f"{function} with its recorded parameters", error.message)
        session = Session(
            CallPlace(self.actor, self.name, seq, now, entropy),
            self.program.functions,
            self.program.drop,
            self.memory,
            self.content,
            recorded=recorded.events,
            history=self.history,
            salt=_no_salt,
            events_max=self.bounds.events_per_call,
        )
        if self.instance.calls != recorded.call.instance:
            return Divergence(
                seq, f"call {recorded.call.instance} of an instance", f"call {self.instance.calls}"
            )
        state = state_of(recorded.call.state, self.content, seq)
        form = recorded.form
        outcome = self.instance.call(
            function,
            [state, *arguments],
            session,
            self.deadline_ms if reproducible(form) else self.bounds.deadline_ms,
        )
        outcome = excess(finish_call(self.program, session, outcome), self.bounds)
        return self._compare(recorded, form, session, outcome, state)

    def _compare(
        self,
        recorded: RecordedCall,
        form: shapes.Form | None,
        session: Session,
        outcome: Outcome,
        state: bytes | None,
    ) -> Divergence | None:
        end = recorded.end
        assert end is not None
        if session.divergence is not None:
            return session.divergence
        if not reproducible(form):
            return None
        if session.beyond is not None:
            return Divergence(end.seq, "the end of the call", f"a call of {session.beyond}")
        left = session.finished()
        if left is not None:
            return Divergence(left.seq, f"a call of {left.type}", _describe(outcome))
        if isinstance(form, shapes.Result):
            if isinstance(outcome, Returned):
                return self._compare_results(recorded, end.seq, form, outcome, state)
            return Divergence(end.seq, "a result", _describe(outcome))
        if isinstance(form, shapes.Error) and not _same_error(form, outcome):
            return Divergence(end.seq, _describe_error(form), _describe(outcome))
        return None

    def _compare_results(
        self,
        recorded: RecordedCall,
        seq: int,
        form: shapes.Result,
        outcome: Returned,
        before: bytes | None,
    ) -> Divergence | None:
        if not is_same(form.result, outcome.rest_cbor, self.content):
            expected, actual = difference.of_values(form.result, outcome.rest_cbor, self.content)
            return Divergence(seq, f"the result {expected}", f"the result {actual}")
        if outcome.state is None or outcome.state == before:
            same = form.state == recorded.call.state
        else:
            same = form.state is not None and is_same(form.state, outcome.state, self.content)
        if same:
            return None
        left = before if outcome.state is None else outcome.state
        expected, actual = difference.of_states(form.state, left, self.content)
        return Divergence(seq, f"the state {expected}", f"the state {actual}")


def reproducible(form: shapes.Form | None) -> bool:
    """Whether an end follows from the recording, and is not a fact from outside."""
    return not (
        isinstance(form, shapes.Error)
        and (form.kind in shapes.NOT_REPRODUCIBLE or form.kind == "diverged")
    )


def _same_error(form: shapes.Error, outcome: Outcome) -> bool:
    if isinstance(outcome, GuestError):
        clipped = outcome.message.encode()[:ERROR_MESSAGE_BYTES_MAX].decode(errors="ignore")
        return form.kind == "error" and form.message == clipped
    return isinstance(outcome, Ended) and (form.kind, form.code) == (outcome.kind, outcome.code)


def _describe_error(form: shapes.Error) -> str:
    if form.kind == "error":
        return f"the error {(form.message or '')[:200]!r}"
    return f"an end of kind {form.kind}" + (f" ({form.code})" if form.code else "")


def _describe(outcome: Outcome) -> str:
    if isinstance(outcome, Returned):
        return "a result"
    if isinstance(outcome, GuestError):
        return f"the error {outcome.message[:200]!r}"
    return f"an end of kind {outcome.kind}: {outcome.detail[:200]}"


def _no_salt() -> bytes:
    raise AssertionError("a replay makes no event")
