"""An actor as the runtime holds it: who it is, the end of its chain, its mailbox, its instance.

Small while idle: what it needs to run (program, state, instance) is loaded when there is a message
and can be given up at any time between calls. Only whoever has claimed an actor runs it; its chain
has a lock of its own, because notes may be written by others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, Literal, Protocol

import msgspec
from msgspec.structs import replace

from theater import limits
from theater.chain.event import Event, make_event
from theater.chain.tip import Ref, Tip
from theater.clock import Clock
from theater.engine import Instance
from theater.errors import Unavailable
from theater.handlers.port import Turn
from theater.journal.port import Journal
from theater.journal.records import (
    ActorRow,
    ActorStatus,
    Answer,
    Append,
    Message,
    Planned,
    SetActor,
    Step,
)
from theater.manifest import Manifest
from theater.runtime import states
from theater.runtime.mailbox import Budget, Mailbox
from theater.runtime.ports import Performed
from theater.runtime.program import Program
from theater.runtime.states import By, Move

if TYPE_CHECKING:
    from theater.runtime.orders import Order

StopKind = Literal["orderly", "overdue", "force"]
"""How an actor is to end: after the call in hand; without it, since it was given its time; at once,
with all below it.
"""


class _Same(Enum):
    """Marks a part of a tip that an event leaves as it was."""

    SAME = 0


SAME: Final = _Same.SAME


@dataclass(slots=True)
class LiveInstance:
    """A guest's instance and what handlers keep for as long as it lives."""

    instance: Instance
    memory: dict[str, object] = field(default_factory=dict)


class MovedCall(msgspec.Struct, frozen=True):
    """A call that is to go on on another thread.

    `killed` is the kind that it is to end with, if any; `number` that of a record behind all of its
    own. `slept_ns` is the virtual time until which it has slept; `performed` is the effect, `turn`
    the place in a mailbox, that it waited for.
    """

    killed: str | None
    number: int
    slept_ns: int = 0
    performed: Performed | None = None
    turn: Turn | None = None


class Actor:
    """One actor of this node."""

    __slots__ = (
        "_batch",
        "_blocking",
        "_clock",
        "_journal",
        "_run",
        "_state",
        "_state_of",
        "_tip",
        "calling",
        "component",
        "deaths",
        "engine",
        "grants_ref",
        "id",
        "in_hand",
        "interrupted",
        "last_used",
        "live",
        "lock",
        "mailbox",
        "manifest",
        "manifest_path",
        "manifest_ref",
        "moved",
        "name",
        "number",
        "orders",
        "outcome",
        "outstanding",
        "parent",
        "planned",
        "program",
        "reason",
        "rests",
        "running",
        "scheduled",
        "shutdown",
        "started_at",
        "status",
        "stop_requested",
        "stopped_by",
        "turn",
    )

    def __init__(
        self,
        row: ActorRow,
        manifest: Manifest,
        journal: Journal,
        clock: Clock,
        mailboxes: Budget,
        blocking: Callable[[], AbstractContextManager[None]],
        run: Callable[[Actor, int, Message | None, Sequence[Step]], bool],
        batch: int,
    ) -> None:
        self.id: Final = row.id
        self.name: Final = row.name
        self.parent: Final = row.parent
        self.number: Final = row.number
        self.component = row.component
        """The plain SHA-256 of what it runs; an update changes it."""
        self.manifest_ref: Final = row.manifest
        self.grants_ref: Final = row.grants
        self.manifest_path: Final = row.manifest_path
        self.started_at: Final = row.started_at
        self.manifest: Final = manifest
        self.status: ActorStatus = row.status
        # That of a failure is the past of an actor that was restarted.
        self.outcome: Answer | None = row.outcome if row.shutdown else None
        self.shutdown = row.shutdown
        self.deaths = row.deaths
        self.engine = row.engine
        self.mailbox: Final = Mailbox(manifest.limits.mailbox, mailboxes)
        self.scheduled = False
        """Whether a worker has the actor or it stands in the ready queue; the mailbox's lock guards it."""
        self.interrupted = row.tip.call is not None
        """Whether the last call was cut off by the end of a process and has to be taken up."""
        self.lock: Final = threading.Lock()
        """Around what is recorded of the actor."""
        self.moved: MovedCall | None = None
        """Set where it was this process that interrupted the call, to take it up on another thread."""
        self.in_hand: Message | None = None
        self.calling = ""
        """The function whose call is open."""
        self.outstanding: dict[str, Message] = {}
        self.program: Program | None = None
        self.live: LiveInstance | None = None
        self.reason = ""
        """What its last failure was, in words that depend on no library."""
        self.last_used = clock.monotonic()
        self.running: Killable | None = None
        self.stop_requested: StopKind | None = "orderly" if row.status == "stopping" else None
        self.stopped_by = None if row.stopped_by is None else By(row.stopped_by)
        """Who had it stop."""
        self.orders: tuple[Order, ...] = ()
        """What operators ordered and is to be carried out between calls; the mailbox's lock guards it."""
        self.planned: Planned | None = None
        """What its supervisor has decided for it: until it is done, no other call begins."""
        self.turn = False
        """Whether what is planned is to be done now."""
        self.rests = False
        """Whether it waits for its turn and has no call in hand."""
        self._journal = journal
        self._clock = clock
        self._blocking = blocking
        self._run = run
        self._batch = batch
        self._tip = row.tip
        self._state: bytes | None = None
        self._state_of: Ref | None = None

    # The chain

    @property
    def tip(self) -> Tip:
        """The end of the chain."""
        return self._tip

    def record(
        self,
        type_: str,
        data: bytes,
        steps: Sequence[Step] | Callable[[tuple[int, bytes]], Sequence[Step]] = (),
        *,
        before: Sequence[Step] = (),
        notes: Sequence[tuple[str, bytes]] = (),
        state: Ref | None | _Same = SAME,
        call: int | None | _Same = SAME,
        new_instance: bool = False,
        now: int | None = None,
        got_on: bool = False,
        move: Move | None = None,
        by: By = By.NODE,
        outcome: Answer | None = None,
    ) -> tuple[Event, int]:
        """Append an event in one record with `before` and `steps`; returns it and the record's number.

        `steps` may be a function of the event's seq and hash. `notes` are types and data of notes
        that follow it in the same record. `call`: the seq of the call that is open afterwards; -1
        stands for this very event. `got_on`: the open call got further than where a process died in
        it, so that death doesn't count. `move` is made in the same record, with the `outcome` of an
        actor that ends by it; Conflict, and nothing is recorded, if it is not allowed.
        """
        with self.lock:
            status = self.status if move is None else states.after(self.status, move, by)
            if self.deaths and (got_on or call is None or states.ended(status)):
                self.deaths = 0
                before = (*before, SetActor(self.id, deaths=0))
            tip = self._tip
            at = self._clock.wall_us()
            seq = tip.seq + 1
            event = make_event(seq, at if at > tip.at else tip.at, tip.hash, type_, data)
            after = Tip(
                seq,
                event.at,
                event.hash,
                tip.state if state is SAME else state,
                seq if new_instance else tip.segment,
                tip.call if call is SAME else seq if call == -1 else call,
                tip.now if now is None else now,
            )
            if callable(steps):
                steps = steps((seq, event.hash))
            appended: tuple[Step, ...] = (Append(self.id, event, after),)
            for note, its_data in notes:
                following = make_event(after.seq + 1, after.at, after.hash, note, its_data)
                after = replace(after, seq=following.seq, at=following.at, hash=following.hash)
                appended = (*appended, Append(self.id, following, after))
            if before or steps:
                appended = (*before, *appended, *steps)
            if status != self.status:
                appended = (*appended, SetActor(self.id, status=status, outcome=outcome))
            number = self._journal.append(appended)
            self._tip = after
            if status != self.status:
                if states.ended(status):
                    self.outcome = outcome
                self.status = status
            return event, number

    def move(self, move: Move, by: By) -> None:
        """Make a move that has no event; nothing is recorded where it leads to where the actor is.

        Conflict if it is not allowed.
        """
        with self.lock:
            status = states.after(self.status, move, by)
            if status != self.status:
                stopped_by = by if move is Move.STOP else None
                self._journal.append(
                    (SetActor(self.id, status=status, stopped_by=stopped_by and stopped_by.value),)
                )
                self.stopped_by = stopped_by or self.stopped_by
                self.status = status

    def history(self, until: int) -> Iterator[Event]:
        """The events up to seq `until`, also those that are queued: waits until they are on disk."""
        return self.history_of(self.id, until)

    def history_of(self, actor: str, until: int) -> Iterator[Event]:
        """Those of any actor's chain."""
        number = self._journal.appended()
        if self._journal.durable() < number:
            with self._blocking():
                self._journal.wait(number)
        return self._journal.events(actor, 0, until + 1)

    # State

    def state(self) -> bytes | None:
        """The bytes of the current state, None if there is none."""
        ref = self._tip.state
        if ref is None:
            return None
        if self._state_of != ref:
            kept = self._journal.content(ref[0])
            assert kept is not None, "a state is kept before it is named"
            self._state, self._state_of = kept[1], ref
        return self._state

    def remember_state(self, ref: Ref | None, state: bytes | None) -> None:
        """Hold the bytes of a state that was just recorded, so that the next call need not read them."""
        self._state, self._state_of = state, ref

    # Running

    def run_batch(self, batch: int | None = None) -> bool:
        """Handle some messages; whether there is more to do. Only for whoever has claimed the actor."""
        return self._run(self, batch or self._batch, None, ())

    def run_inline(self, message: Message, opening: Sequence[Step]) -> bool:
        """Handle a message that is not in the mailbox; whether there is more to do.

        `opening` is what makes the message durable: it goes into the first record that is made of
        it. Only for whoever has claimed the actor.
        """
        return self._run(self, 1, message, opening)

    def order(self, order: Order) -> None:
        """Have an order carried out after those before it, by whoever has the actor then.

        Conflict if the actor has ended, Unavailable if too many orders wait already.
        """
        with self.mailbox.lock:
            if self.mailbox.closed:
                raise states.refusal(self.status, order.move)
            if len(self.orders) >= limits.ORDERS_MAX:
                raise Unavailable(
                    f"{limits.ORDERS_MAX} orders wait at actor {self.id} already",
                    code="orders.full",
                )
            self.orders = (*self.orders, order)

    def next_order(self) -> Order | None:
        """Take the oldest order, None if there is none. Only for whoever has claimed the actor."""
        with self.mailbox.lock:
            if not self.orders:
                return None
            first, *rest = self.orders
            self.orders = tuple(rest)
            return first

    def give_up_orders(self) -> tuple[Order, ...]:
        """Take all orders: none of them will be carried out."""
        with self.mailbox.lock:
            left, self.orders = self.orders, ()
            return left

    def plan(self, planned: Planned | None) -> None:
        """Have something done by whoever has claimed the actor, when it is its turn; None: nothing."""
        # An `init` that was called for already needs no turn: nobody waits for whoever begins anew.
        self.turn = planned is not None and planned.step == "init"
        self.rests = False
        self.planned = planned

    @property
    def held(self) -> bool:
        """Whether the actor waits for its turn in what its supervisor planned, and takes no message."""
        return self.planned is not None and not self.turn

    def passivate(self) -> None:
        """Give up what can be loaded again. Only for whoever has claimed the actor."""
        if self.live is not None:
            self.live.instance.close()
            self.live = None
        self._state = self._state_of = None

    @property
    def crowded(self) -> bool:
        """Whether somebody waits for a place in the mailbox."""
        return self.mailbox.crowded

    @property
    def ended(self) -> bool:
        """Whether the actor is stopped or has failed."""
        return states.ended(self.status)


class Killable(Protocol):
    """What can be told to end: a call in progress."""

    def gives_way(self) -> bool:
        """Whether an order of the actor has the call killed."""
        ...

    def kill(self, kind: str) -> None:
        """End the call with this kind, wherever it is."""
        ...
