"""One live call of an actor's export: begin, run, end.

    {take the message, wasm-call} → instance → export → host calls, each its own record
    → {wasm-result or wasm-error, state, answer, the message's fate}

A call is not a transaction: an error leaves the state as it was, and what the call had sent before
is sent. Recovery enters at `run` with the events that the interrupted call had recorded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from hashlib import sha256
from typing import cast

import msgspec
from msgspec.structs import replace

from theater import ids
from theater.chain import shapes
from theater.chain.event import Event
from theater.chain.tip import Ref
from theater.engine import EndCall, Ended, GuestError, Outcome, Returned
from theater.errors import JournalFailed
from theater.handlers.port import Doing, Done, Waiting
from theater.journal.records import (
    Answer,
    CloseWait,
    Message,
    SetActor,
    Settle,
    Step,
    Take,
)
from theater.manifest.model import Errors
from theater.runtime.actor import Actor
from theater.runtime.answers import Place, clipped
from theater.runtime.channels import Closer
from theater.runtime.content import as_part, keep
from theater.runtime.ending import (
    answer_of,
    ending_text,
    excess,
    failure_text,
    finish_call,
    first_of,
    follows,
    is_request,
    settle_as,
)
from theater.runtime.fate import Ending, Fate, counted, decide, fails_actor
from theater.runtime.inline import Moved
from theater.runtime.instances import drop_instance
from theater.runtime.kinds import INIT
from theater.runtime.leaving import leaving
from theater.runtime.reports import SILENCE, of_failure
from theater.runtime.services import Services
from theater.runtime.session import CallPlace, Session
from theater.runtime.states import By, Move
from theater.runtime.supervision.decision import End, Exit
from theater.runtime.supervision.judging import Judgement
from theater.runtime.waiting import WaitingCall, thread_left
from theater.runtime.waits import Asking

log = logging.getLogger(__name__)


class CallEnd(msgspec.Struct, frozen=True, gc=False):
    """How a call ended: its message's fate, and the kind and text of its error, None for a result.

    `number` is that of the record that ended it. `failed` says that the actor failed with it.
    """

    function: str
    fate: Fate
    kind: str | None
    text: str
    number: int
    failed: bool = False


class Execution(WaitingCall):
    """One call in progress. Satisfies the session's LiveCall and the actor's Killable.

    `poisoned`: its message is set aside if it ends badly. `fails`: its actor has failed then.
    """

    def __init__(
        self,
        services: Services,
        actor: Actor,
        message: Message | None,
        *,
        poisoned: bool = False,
        fails: bool = False,
    ) -> None:
        super().__init__(services, actor, message)
        self._waits: set[str] = set()
        self._busy = False
        self._poisoned = poisoned
        self._fails = fails
        self._number = 0

    # Begin

    def begin(self, function: str, encoded: bytes, opening: Sequence[Step] = ()) -> CallPlace:
        """Record that the export is called; `encoded` is the CBOR array of the parameters.

        `opening` makes the message durable, where that has not been done, in the same record.
        The actor has its `fresh_instance`, unless the call is to end without being run.
        """
        actor, services = self.actor, self._services
        number = 0 if actor.live is None else actor.live.instance.calls
        tip = actor.tip
        now = max(services.clock.wall_us() * 1000, tip.now)
        entropy = services.salt()
        message = self.message
        steps: list[Step] = []
        data = shapes.call(
            services.salt(),
            function,
            as_part(encoded, services.salt, steps),
            message=None if message is None else _recorded_form(message),
            state=tip.state,
            instance=number,
            now=now,
            entropy=entropy,
        )
        event, _ = actor.record(
            shapes.WASM_CALL,
            data,
            steps,
            before=() if message is None else (*opening, Take(message.id)),
            call=-1,
            new_instance=number == 0,
            now=now,
        )
        actor.in_hand, actor.calling = message, function
        if opening and message is not None:
            services.router.opened(message)
        return CallPlace(actor.id, actor.name, event.seq, now, entropy)

    def adopt_wait(self, wait: str) -> None:
        """A wait that the interrupted call had opened ends with it, at the latest."""
        self._waits.add(wait)

    # Run

    def run(
        self,
        place: CallPlace,
        function: str,
        arguments: Sequence[object],
        recorded: Sequence[Event] | None = None,
    ) -> Outcome:
        """Call the export; host calls of a call that is taken up are answered from `recorded` first."""
        actor, services = self.actor, self._services
        program, live = actor.program, actor.live
        assert program is not None
        assert live is not None
        session = Session(
            place,
            program.functions,
            program.drop,
            live.memory,
            services.journal,
            recorded=recorded or (),
            live=self,
            resumed=recorded is not None,
            history=actor.history_of,
            salt=services.salt,
            events_max=actor.manifest.limits.events_per_call,
        )
        self._session, self._live = session, live
        actor.running = self
        try:
            if (
                self.killed
                or actor.stop_requested in ("overdue", "force")
                or ((actor.orders or actor.held) and self.gives_way())
            ):
                self.kill(self.killed or "killed")
            outcome = live.instance.call(
                function,
                [actor.state(), *arguments],
                session,
                actor.manifest.limits.deadline_ms,
                self._compute_long,
            )
            if self._moved:
                raise Moved
            outcome = finish_call(program, session, outcome)
            left = session.finished()
            if left is not None and follows(outcome):
                outcome = Ended("diverged", None, f"event {left.seq}, {left.type}, did not come")
            if session.resumed:
                self.took_up(place.call)
            return outcome
        finally:
            if not self._moved:
                actor.running = None
            actor.last_used = services.clock.monotonic()
            if self._busy:
                services.dispatcher.leave_long()

    def _compute_long(self) -> None:
        if not self._busy:
            self._busy = True
            self._services.dispatcher.enter_long()

    # End

    def end(self, outcome: Outcome, function: str) -> CallEnd:
        """Record how the call ended with everything that belongs to it."""
        actor = self.actor
        outcome = excess(outcome, actor.manifest.limits)
        if isinstance(outcome, Ended):
            drop_instance(actor)
        end = (
            self._end_well(outcome, function)
            if isinstance(outcome, Returned)
            else self._end_badly(outcome, function)
        )
        actor.in_hand, actor.calling = None, ""
        if self.turn is not None:
            self.turn.give_up()
        for wait in self._waits:
            self._services.router.close_wait(wait)
        return end

    def _end_well(self, outcome: Returned, function: str) -> CallEnd:
        actor, message = self.actor, self.message
        before = self._closing()
        state_ref, state = self._state(outcome.state, before)
        salt = self._services.salt
        data = shapes.result(salt(), function, as_part(outcome.rest_cbor, salt, before), state_ref)
        answer = answer_of(message, outcome)
        fate = decide(Ending(None, 0, answered=answer is not None or not is_request(message)))
        with self._services.supervisors.going_on(actor, before, began=function == INIT):
            if message is None or answer is None:
                after: tuple[Step, ...] = ()
                if message is not None:
                    after = (Settle(message.id, "done" if fate is Fate.DONE else "outstanding"),)
                _, self._number = actor.record(
                    shapes.WASM_RESULT,
                    data,
                    after,
                    before=before,
                    state=state_ref,
                    call=None,
                    move=Move.STARTED if function == INIT else None,
                    by=By.ACTOR,
                )
                if message is not None and fate is Fate.OUTSTANDING:
                    actor.outstanding[message.id] = message
                actor.remember_state(state_ref, state)
                return CallEnd(function, fate, None, "", self._number)

            def record(
                build: Callable[[Place | None], Sequence[Step]],
            ) -> tuple[Place, int]:
                event, number = actor.record(
                    shapes.WASM_RESULT, data, build, before=before, state=state_ref, call=None
                )
                self._number = number
                return (event.seq, event.hash), number

            self._services.router.conclude(message, answer, record, first_of(message, outcome))
            actor.remember_state(state_ref, state)
            return CallEnd(function, fate, None, "", self._number)

    def _end_badly(self, outcome: GuestError | Ended, function: str) -> CallEnd:
        actor, message, services = self.actor, self.message, self._services
        if isinstance(outcome, GuestError):
            kind, code, text = "error", None, outcome.message
            data = shapes.error(services.salt(), function, "error", message=text)
        else:
            kind, code, text = outcome.kind, outcome.code, outcome.detail
            data = shapes.error(
                services.salt(),
                function,
                cast(shapes.ErrorKind, kind),
                code=cast("shapes.TrapCode | None", code),
            )
            if isinstance(outcome.cause, JournalFailed):
                raise outcome.cause  # it has no end: the next node takes it up
            log.warning(
                "actor %s: %s ended with %s: %s",
                actor.id,
                function,
                kind,
                text,
                exc_info=outcome.cause,
            )
        ending = Ending(
            kind,
            0 if message is None else message.attempt,
            ends=actor.stop_requested is not None or actor.shutdown,
            poisoned=self._poisoned,
            errors_fail=actor.manifest.errors is Errors.FAIL,
            poison=actor.manifest.poison,
        )
        self._fails = self._fails or (message is not None and fails_actor(ending))
        before = self._closing()
        left = ExitStack()
        judged = None
        if self._is_failure(ending, function):
            aside = message is not None and decide(ending) is Fate.ASIDE
            end = End(actor.id, Exit.FAILURE, None if message is None else message.id, aside)
            judged = left.enter_context(
                services.supervisors.judging(actor, end, kind, before, ran=function != INIT)
            )
            ending = replace(ending, ends=not judged.goes_on)
        elif kind == "error":
            left.enter_context(services.supervisors.going_on(actor, before))
        fate = decide(ending)
        notes, fails = self._notes(kind, text, fate, function, judged)
        if fails:
            before.extend(left.enter_context(leaving(services, actor)))
        elif self._waits:
            before.extend(left.enter_context(self._unclaimed()))
        reason = text if kind == "error" else ending_text(kind, code)
        report = SILENCE
        if fails or judged is not None:
            report = of_failure(services, actor, kind, reason, init=function == INIT)
            actor.reason = reason
        before.extend(report.steps)

        def record(
            build: Callable[[Place | None], Sequence[Step]],
        ) -> tuple[Place, int]:
            def steps(place: Place) -> Sequence[Step]:
                return settle_as(build(place), fate, kind, services.clock.wall_us())

            event, number = actor.record(
                shapes.WASM_ERROR,
                data,
                steps,
                before=before,
                notes=notes,
                call=None,
                move=Move.FAIL if fails else None,
                by=By.NODE if judged is None else By.SUPERVISOR,
                outcome=Answer(False, clipped(text.encode())) if fails else None,
            )
            self._number = number
            return (event.seq, event.hash), number

        with left:
            if message is None:
                record(lambda _: ())
            elif fate is Fate.AGAIN:
                again = replace(message, attempt=message.attempt + counted(kind))
                record(lambda _: (Settle(message.id, "front", kind, again.attempt),))
                actor.mailbox.push_front(again)
            else:
                error = text if kind == "error" else failure_text(actor.id, kind, code)
                services.router.conclude(message, Answer(False, error.encode()), record)
        report.put()
        if kind == "error" and actor.manifest.errors is Errors.FAIL:
            drop_instance(actor)
        return CallEnd(function, fate, kind, text, self._number, fails)

    def _is_failure(self, ending: Ending, function: str) -> bool:
        """Whether the actor's supervisor decides what comes of a bad end.

        It does not where the actor ends anyway, where it never ran, where it was killed for somebody
        else's sake, and where what it recorded, or the runtime itself, can't be relied on any more.
        """
        kind = ending.kind
        if ending.ends or self._fails or kind == "diverged":
            return False
        if function == INIT:
            return self.actor.planned is not None
        if kind == "error":
            return ending.errors_fail
        return kind is not None and (counted(kind) or self._poisoned)

    def _notes(
        self, kind: str, text: str, fate: Fate, function: str, judged: Judgement | None
    ) -> tuple[list[tuple[str, bytes]], bool]:
        """The notes that follow a bad end in its record, and whether the actor has failed with it."""
        salt, message = self._services.salt, self.message
        notes: list[tuple[str, bytes]] = []
        if fate is Fate.ASIDE and message is not None:
            aside = shapes.note(salt(), "node", kind, {"message": message.id})
            notes.append((shapes.MESSAGE_ASIDE, aside))
        if judged is None:
            if self._stops_in_init(function, kind):
                return notes, False  # no failure of its own; its end is recorded next
            if function == INIT or kind == "diverged" or self._fails:
                notes.append((shapes.ACTOR_FAIL, shapes.note(salt(), "node", text[:1000])))
                return notes, True
        elif not judged.goes_on:
            why = judged.why or text[:1000]
            notes.append((shapes.ACTOR_FAIL, shapes.note(salt(), "supervisor", why)))
            return notes, True
        elif judged.at_once:
            # The actor goes on with its last state, in a new instance.
            notes.append((shapes.ACTOR_RESTART, shapes.note(salt(), "supervisor", kind)))
        return notes, False

    def _stops_in_init(self, function: str, kind: str) -> bool:
        """Whether an `init` was killed because its actor is to stop."""
        asked = self.actor.stop_requested is not None
        return function == INIT and kind == "killed" and asked and not self._poisoned

    def _closing(self) -> list[Step]:
        """The waits that end with the call."""
        for wait in self._waits:
            self._services.router.shut_wait(wait)
        return [CloseWait(wait) for wait in sorted(self._waits)]

    def _unclaimed(self) -> AbstractContextManager[list[Step]]:
        """Close the channels that were accepted, of which the guest that asked for them never heard."""
        by = Closer("actor", self.actor.id, self.head, told=False)
        return self._services.router.channels.closing(map(ids.channel_of_wait, self._waits), by)

    def _state(self, state: bytes | None, steps: list[Step]) -> tuple[Ref | None, bytes | None]:
        current_ref, current = self.actor.tip.state, self.actor.state()
        if state is None or state == current:
            return current_ref, current
        return keep(state, self._services.salt(), steps), state

    # LiveCall

    @property
    def parent(self) -> str | None:
        """The id of the actor that started this one."""
        return self.actor.parent

    @property
    def head(self) -> tuple[int, bytes]:
        """Seq and hash of the actor's last event."""
        tip = self.actor.tip
        return tip.seq, tip.hash

    def record(
        self,
        type_: str,
        data: bytes,
        steps: Sequence[Step] | Callable[[Place], Sequence[Step]] = (),
    ) -> tuple[Event, int]:
        """Append an event of a host call with the steps of its record."""
        assert self._session is not None
        # A call that is run from its beginning may only get to where the process died in it.
        return self.actor.record(type_, data, steps, got_on=self._session.resumed)

    def reach_disk(self, number: int) -> None:
        """Wait until the record is durable."""
        journal = self._services.journal
        if journal.durable() < number:
            with self._services.dispatcher.blocking():
                journal.wait(number)

    def took_up(self, call: int) -> None:
        """Note that a recovered call goes on for real from here."""
        moved, self.actor.moved = self.actor.moved, None
        why = (
            "the process ended in the call" if moved is None else "the call moved to another thread"
        )
        data = shapes.note(self._services.salt(), "node", why, {"call": call})
        self.actor.record(shapes.ACTOR_RECOVER, data)

    def ask(self, waiting: Waiting, derived: bytes, call: int, number: int, input: bytes) -> Answer:
        """Send a request and wait for its answer."""
        asking = self._asking(derived, call, number, input)
        with thread_left():
            answer = self._services.router.ask(waiting, asking)
        self._go_on("an answer")
        return answer

    def do(self, doing: Doing, derived: bytes, call: int, number: int, input: bytes) -> Done:
        """Have something done to another actor and wait for it."""
        asking = self._asking(derived, call, number, input)
        with thread_left():
            done = self._services.router.do(doing, asking)
        self._go_on("another actor")
        return done

    def _go_on(self, waited_for: str) -> None:
        if self.killed is not None:
            raise EndCall(
                self.killed, None, f"the call was killed while it waited for {waited_for}"
            )

    def _asking(self, derived: bytes, call: int, number: int, input: bytes) -> Asking:
        assert self._session is not None
        wait = ids.message_id(derived)
        input_digest = sha256(input).digest()
        if wait in self._waits:
            opened = self._services.journal.wait_row(wait)
            if opened is not None and opened[0].input_digest != input_digest:
                raise EndCall("diverged", None, "the request that was waiting had another input")
        self._waits.add(wait)
        return Asking(
            self.actor.id,
            call,
            number,
            wait,
            self.head,
            input_digest,
            lambda: self.killed,
            self._session.on_cancel,
            None if self.message is None else self.message.trace,
            self.move,
            self.patience.wait,
            self.park,
            self.has_place,
            self.await_place,
        )

    def meant(self, derived: bytes, actor: str) -> str:
        """The id that an id or a registered name means, or meant when the wait of this place began."""
        wait = ids.message_id(derived)
        opened = self._services.journal.wait_row(wait) if wait in self._waits else None
        if opened is None:
            return self._services.router.names.resolve(actor)
        return opened[0].meant or actor

    def close_wait(self, derived: bytes) -> tuple[Step, ...]:
        """The step that ends a wait; it is forgotten with the record that the step stands in."""
        return (CloseWait(ids.message_id(derived)),)

    def took_answer(self, derived: bytes) -> None:
        """The record with that step is queued."""
        wait = ids.message_id(derived)
        self._waits.discard(wait)
        self._services.router.close_wait(wait)

    def outstanding(self) -> list[str]:
        """Ids of the requests that the actor has not answered, oldest first."""
        return list(self.actor.outstanding)

    def request_shutdown(self, result: bytes | None) -> tuple[Step, Callable[[], None]]:
        """What marks the actor as ending with this result: in the journal, and then here."""
        actor, outcome = self.actor, Answer(True, result or b"")

        def done() -> None:
            actor.shutdown, actor.outcome = True, outcome

        return SetActor(actor.id, shutdown=True, outcome=outcome), done


def _recorded_form(message: Message) -> shapes.CallMessage:
    return shapes.CallMessage(
        message.id,
        message.origin,
        message.sender,
        message.kind,
        message.attempt,
        message.deadline_us,
        message.trace,
        message.cause,
    )
