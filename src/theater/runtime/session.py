"""One call of an export, as seen from its host calls: the recording and the replaying interceptor.

A session stands around every host call of one `wasm-call`. While there are recorded events it
answers from them and compares; where they end it either goes on for real (recovery, and every live
call, whose recording is empty) or stops (replay). One class does both because they must never
differ in what they compare, count or derive.

What is not here: running the guest (execution), and what an effect means (handlers).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

import msgspec

from theater import ids, limits
from theater.chain import rules, shapes
from theater.chain.event import ZERO_HASH, Event
from theater.chain.shapes import Part
from theater.engine import EndCall, GuestTrap, ImportedFunction
from theater.errors import TheaterError
from theater.handlers.port import Doing, Effect, HostFunction, Intent, Places, Trap, Waiting
from theater.journal.records import Message, Step
from theater.runtime import difference
from theater.runtime.content import as_part, is_same
from theater.runtime.inline import MOVED, Moved
from theater.runtime.ports import ContentSource, LiveCall
from theater.values import cbor, codec
from theater.values.types import Err, Ok

Drop = Callable[[dict[str, object], str, int], None]


@dataclass(frozen=True, slots=True)
class Divergence:
    """Where a re-execution left its recording: what stands there, and what came instead."""

    seq: int
    expected: str
    actual: str


class CallPlace(msgspec.Struct, frozen=True, gc=False):
    """Which call of which actor a session is for, and the inputs that its `wasm-call` carries."""

    actor: str
    name: str
    call: int
    now: int
    entropy: bytes


class Session:
    """The interceptor of one call. Satisfies the engine's Interceptor and the handlers' HostCall."""

    def __init__(
        self,
        place: CallPlace,
        functions: Sequence[HostFunction],
        drop: Drop,
        memory: dict[str, object],
        content: ContentSource,
        *,
        recorded: Sequence[Event] = (),
        live: LiveCall | None = None,
        resumed: bool = False,
        history: Callable[[str, int], Iterator[Event]] | None = None,
        salt: Callable[[], bytes],
        events_max: int = limits.EVENTS_PER_CALL,
    ) -> None:
        self.actor = place.actor
        self.name = place.name
        self.call = place.call
        self.memory = memory
        self.facts: dict[str, object] = {}
        self.divergence: Divergence | None = None
        self.beyond: str | None = None
        self.events = 0
        self.slept_ns = 0
        self._place = place
        self._functions = functions
        self._drop = drop
        self._content = content
        self._recorded = recorded
        self._next = 0
        self._live = live
        self._resumed = resumed
        self._history = history
        self._salt = salt
        self._events_max = events_max
        self._random: rules.RandomStream | None = None
        self._number = 0
        self._steps: list[Step] = []
        self._placed: list[Callable[[tuple[int, bytes]], Sequence[Step]]] = []
        self._held: ExitStack | None = None
        self._after: list[Callable[[], None]] = []
        self._cancels: list[Callable[[], None]] = []
        self._read: shapes.Peer | None = None
        self._rereads = False

    # The engine's side

    def host_call(
        self,
        function: ImportedFunction,
        arguments: tuple[object, ...],
        input: bytes,
        give: Callable[[object], bytes],
    ) -> None:
        """Answer one host call, from the recording or for real."""
        target = self._functions[function.index]
        if target.effect is Effect.VIRTUAL:
            try:
                value = target.run(self, *arguments)
            except Trap as trap:
                raise GuestTrap(trap.code, str(trap)) from None
            if function.type.result is not None:
                give(value)
            return
        self._count()
        if self._next < len(self._recorded):
            self._answer_from_recording(function, target, arguments, input, give)
        else:
            self._answer_live(function, target, arguments, input, give)
        self._number += 1

    def resource_dropped(self, name: str, number: int) -> None:
        """Tell the handler that the guest gave a resource up."""
        self._drop(self.memory, name, number)

    @property
    def resumed(self) -> bool:
        """Whether the call was taken up and has not yet gone on for real."""
        return self._resumed

    def finished(self) -> Event | None:
        """Return the first recorded event that the guest did not ask for, None if there is none."""
        return self._recorded[self._next] if self._next < len(self._recorded) else None

    def cancel(self) -> None:
        """Wake the host call in hand, from another thread; the call was killed."""
        for wake in list(self._cancels):
            wake()

    # Replaying

    def _answer_from_recording(
        self,
        function: ImportedFunction,
        target: HostFunction,
        arguments: tuple[object, ...],
        input: bytes,
        give: Callable[[object], bytes],
    ) -> None:
        event = self._recorded[self._next]
        self._next += 1
        if event.type == function.name:
            host = _host(event)
            self._same_input(event, function.name, host.input, input)
        elif event.type == function.name + "!":
            intent = _form(event)
            assert isinstance(intent, shapes.Intent)
            self._same_input(event, event.type, intent.input, input)
            if self._next == len(self._recorded):
                self._resume_intent(function, target, arguments, intent.key, give)
                return
            event = self._recorded[self._next]
            self._next += 1
            if event.type != function.name:
                raise self._diverge(event, event.type, f"the end of {function.name}")
            host = _host(event)
        else:
            raise self._diverge(event, event.type, f"a call of {function.name}")
        self.facts = {}
        if host.trap is not None:
            raise GuestTrap(host.trap, f"{function.name} trapped in the recording")
        if function.type.result is None:
            return
        if host.head is not None:
            self._read, self._rereads = host.head, True
            give(target.run(self, *arguments))
            self._rereads = False
            return
        output = self._bytes_of(event, host.output)
        value = codec.decoder(function.type.result)(cbor.decode(output))
        if give(value) != output:
            raise self._diverge(event, "an output in its own encoding", "another encoding")

    def _same_input(self, event: Event, name: str, recorded: Part | None, actual: bytes) -> None:
        if recorded is None:
            raise self._diverge(event, f"{name} without an input", f"a call of {name}")
        if not is_same(recorded, actual, self._content):
            expected, found = difference.of_values(recorded, actual, self._content)
            raise self._diverge(event, f"{name} with {expected}", f"{name} with {found}")

    def _bytes_of(self, event: Event, recorded: Part | None) -> bytes:
        if isinstance(recorded, bytes):
            return recorded
        kept = None if recorded is None else self._content.content(recorded[0])
        if kept is None:
            raise EndCall(
                "host", None, f"the output of event {event.seq} is gone; it can't be replayed"
            )
        return kept[1]

    def _diverge(self, event: Event, expected: str, actual: str) -> EndCall:
        self.divergence = Divergence(event.seq, expected, actual)
        return EndCall("diverged", None, f"event {event.seq}: expected {expected}, got {actual}")

    # Recording

    def _answer_live(
        self,
        function: ImportedFunction,
        target: HostFunction,
        arguments: tuple[object, ...],
        input: bytes,
        give: Callable[[object], bytes],
    ) -> None:
        name = function.name
        live = self._go_live(name, input)
        self._begin()
        try:
            if target.effect is Effect.HISTORY:
                self._read = shapes.Peer(self.actor, *live.head)
            try:
                value = target.run(self, *arguments)
            except Moved:
                raise EndCall("killed", None, MOVED) from None
            except Trap as trap:
                self._record_host(live, name, input, None, trap=trap.code)
                raise GuestTrap(trap.code, str(trap)) from None
            if type(value) is Intent:
                self._perform(live, function, value, input, give)
                return
            if type(value) is Waiting:
                value = self._wait(live, value, input)
            elif type(value) is Doing:
                value = self._do(live, value, input)
            output = None if function.type.result is None else give(value)
            if target.effect is Effect.HISTORY and self._read is not None:
                self._record_history(live, name, input, self._read)
            else:
                self._record_host(live, name, input, output)
        finally:
            if self._held is not None:
                held, self._held = self._held, None
                held.close()

    def _go_live(self, name: str, input: bytes | None = None) -> LiveCall:
        live = self._live
        if live is None:
            self.beyond = name if input is None else f"{name} with {difference.of_value(input)}"
            raise EndCall("diverged", None, f"the recording ends before a call of {name}")
        if live.killed is not None:
            raise EndCall(live.killed, None, "the call was killed")
        if self._resumed:
            self._resumed = False
            live.took_up(self.call)
        return live

    def _begin(self) -> None:
        self.facts = {}
        self._steps.clear()
        self._placed.clear()
        self._after.clear()

    def _perform(
        self,
        live: LiveCall,
        function: ImportedFunction,
        intent: Intent,
        input: bytes,
        give: Callable[[object], bytes],
    ) -> None:
        key = ids.effect_key(self.derive())
        steps: list[Step] = []
        data = shapes.intent(self._salt(), self._part(input, steps), key)
        _, number = live.record(function.name + "!", data, steps)
        live.reach_disk(number)
        self._finish_effect(live, function, live.perform(key, intent.perform), give)

    def _resume_intent(
        self,
        function: ImportedFunction,
        target: HostFunction,
        arguments: tuple[object, ...],
        key: str,
        give: Callable[[object], bytes],
    ) -> None:
        live = self._go_live(function.name)
        self._begin()
        performed = live.performed(key)
        intent = None if performed is not None else target.run(self, *arguments)
        if performed is not None:
            if performed.error is not None:
                raise performed.error
            self.facts.update(performed.facts)
            value = performed.value
        elif not isinstance(intent, Intent):
            value = intent  # what was allowed then is refused now
        elif intent.retry:
            value = live.perform(key, intent.perform)
        else:
            value = intent.interrupted
        self._finish_effect(live, function, value, give)

    def _finish_effect(
        self,
        live: LiveCall,
        function: ImportedFunction,
        value: object,
        give: Callable[[object], bytes],
    ) -> None:
        if live.killed is not None:
            raise EndCall(live.killed, None, "the call was killed")
        output = None if function.type.result is None else give(value)
        self._record_host(live, function.name, None, output)

    def _wait(self, live: LiveCall, waiting: Waiting, input: bytes) -> object:
        derived = self.derive()
        answer = live.ask(waiting, derived, self.call, self._number, input)
        self._steps.extend(live.close_wait(derived))
        self._after.append(lambda: live.took_answer(derived))
        if answer.event is not None:
            self.facts["peer"] = shapes.Peer(waiting.receiver, *answer.event)
        if not answer.ok:
            return Err(answer.body.decode())
        return Ok(answer.body.decode() if waiting.kind == "channel-open" else answer.body)

    def _do(self, live: LiveCall, doing: Doing, input: bytes) -> object:
        derived = self.derive()
        done = live.do(doing, derived, self.call, self._number, input)
        self._steps.extend(live.close_wait(derived))
        if done.event is not None:
            self.facts["peer"] = shapes.Peer(doing.awaited, *done.event)
        return done.value

    def _record_host(
        self,
        live: LiveCall,
        name: str,
        input: bytes | None,
        output: bytes | None,
        *,
        trap: str | None = None,
    ) -> None:
        steps, salt = self._steps, self._salt
        data = shapes.host(
            salt(),
            None if input is None else as_part(input, salt, steps),
            None if output is None else as_part(output, salt, steps),
            trap=trap,
            facts=self.facts or None,
        )
        placed = self._placed
        if placed:
            live.record(
                name, data, lambda at: (*steps, *(each for make in placed for each in make(at)))
            )
        else:
            live.record(name, data, steps)
        for done in self._after:
            done()

    def _record_history(self, live: LiveCall, name: str, input: bytes, head: shapes.Peer) -> None:
        steps = self._steps
        live.record(
            name,
            shapes.host(
                self._salt(), self._part(input, steps), head=head, facts=self.facts or None
            ),
            steps,
        )

    def _part(self, encoded: bytes, steps: list[Step]) -> Part:
        return as_part(encoded, self._salt, steps)

    def _count(self) -> None:
        self.events += 1
        if self.events > self._events_max:
            raise EndCall("events", None, f"more than {self._events_max} host calls in one call")

    # The handlers' side

    @property
    def head(self) -> tuple[int, bytes]:
        """Seq and hash of the actor's last event."""
        if self._live is not None:
            return self._live.head
        return (-1, ZERO_HASH) if self._read is None else (self._read.seq, self._read.hash)

    @property
    def parent(self) -> str | None:
        """The id of the actor that started this one."""
        assert self._live is not None
        return self._live.parent

    @property
    def message(self) -> Message | None:
        """The message in hand, None during `init`."""
        assert self._live is not None
        return self._live.message

    def derive(self) -> bytes:
        """32 bytes from this host call's place in the chain."""
        return rules.derive(self.actor, self.call, self._number)

    def resolve(self, actor: str) -> str:
        """The id that an actor's id or registered name means; a name's is a fact of the event."""
        assert self._live is not None
        if ids.ACTOR_ID.fullmatch(actor) is not None:
            return actor  # no name ever is one, and nearly all are called by theirs
        meant = self._live.meant(self.derive(), actor)
        if meant != actor:
            self.facts["actor"] = meant
        return meant

    def step(self, step: Step | Callable[[tuple[int, bytes]], Sequence[Step]]) -> None:
        """Make a step part of the record of this host call's event, or those made of its seq and hash."""
        if callable(step):
            self._placed.append(step)
        else:
            self._steps.append(step)

    def hold(self, lock: AbstractContextManager[object]) -> None:
        """Hold a lock until the record of this host call's event is queued, or the call has failed."""
        if self._held is None:
            self._held = ExitStack()
        self._held.enter_context(lock)

    def after(self, done: Callable[[], None]) -> None:
        """Run `done` once that record is queued."""
        self._after.append(done)

    def now_ns(self) -> int:
        """The call's `now` plus what it slept."""
        return self._place.now + self.slept_ns

    def sleep_ns(self, duration: int) -> None:
        """Advance the virtual clock; waits for real where the call is live."""
        self.slept_ns += duration
        if self._next >= len(self._recorded) and self._live is not None:
            self._live.sleep_until(self.now_ns(), duration)
            if self._live.killed is not None:
                raise EndCall(self._live.killed, None, "the call was killed")

    def entropy(self, length: int) -> bytes:
        """The next bytes of the call's random stream."""
        if self._random is None:
            self._random = rules.RandomStream(self._place.entropy)
        return self._random.take(length)

    def emit(self, function: str, arguments: tuple[object, ...], input: bytes) -> None:
        """Record an event of another function, without output."""
        self._count()
        if self._next < len(self._recorded):
            event = self._recorded[self._next]
            self._next += 1
            if event.type != function:
                raise self._diverge(event, event.type, f"a call of {function}")
            self._same_input(event, function, _host(event).input, input)
        else:
            live = self._go_live(function, input)
            steps: list[Step] = []
            live.record(function, shapes.host(self._salt(), self._part(input, steps)), steps)
        self._number += 1

    def history(self) -> Iterator[Event]:
        """The actor's events up to the one before this host call."""
        assert self._read is not None
        return self.history_of(self._read)

    def read_head(self, find: Callable[[], shapes.Peer]) -> shapes.Peer:
        """The head of another chain: what `find` returns, or what it returned in the recording."""
        if self._rereads:
            assert self._read is not None
            return self._read
        self._read = None  # an error reads nothing
        self._read = find()
        return self._read

    def history_of(self, head: shapes.Peer) -> Iterator[Event]:
        """The events of a chain up to its head."""
        if self._history is None:
            raise TheaterError("there is no history to read here")
        return self._history(head.actor, head.seq)

    def outstanding(self) -> list[str]:
        """Ids of the requests that the actor has not answered, oldest first."""
        assert self._live is not None
        return self._live.outstanding()

    def request_shutdown(self, result: bytes | None) -> None:
        """End the actor with this result once the call in hand has returned."""
        assert self._live is not None
        step, done = self._live.request_shutdown(result)
        self.step(step)
        self.after(done)

    def has_place(self, places: Places, size: int) -> bool:
        """Take a place in a mailbox, if there is one now."""
        assert self._live is not None
        return self._live.has_place(places, size)

    def await_place(self, places: Places, size: int, timeout_s: float) -> bool:
        """Take a place in a mailbox when there is one; False if there was none in time."""
        assert self._live is not None
        return self._live.await_place(places, size, timeout_s)

    def on_cancel(self, cancel: Callable[[], None]) -> Callable[[], None]:
        """Call `cancel` from another thread if the call is killed; returns the undo."""
        self._cancels.append(cancel)
        if self._live is not None and self._live.killed is not None:
            cancel()
        return lambda: self._cancels.remove(cancel)


def _form(event: Event) -> shapes.Form:
    if event.data is None:
        raise EndCall("host", None, f"the data of event {event.seq} is gone; it can't be replayed")
    return shapes.parse(event.type, event.data)


def _host(event: Event) -> shapes.Host:
    host = _form(event)
    assert isinstance(host, shapes.Host)
    return host
