"""What a handler is, and what stands around each of its functions.

A handler knows its grant and its ports and nothing else. Recording is done around it: a function
says by its effect class what a call of it means, and returns a value, an Intent, a Waiting or a Doing; the
interceptors of the runtime do the rest, so that no handler can forget it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import msgspec

from theater.chain.event import Event
from theater.chain.shapes import Peer
from theater.journal.records import Message, Step, Timer
from theater.values.types import FuncType


class Effect(Enum):
    """What a host call does.

    VIRTUAL: a function of what the chain holds anyway; not recorded (WASI's clock and random).
    HISTORY: reads the chain itself; its event has the head that it read, replay reads it again.
    RECORDED: an event; what it changes in the journal goes into the same record as `steps`.
    EXTERNAL: writes outside the journal; returns an Intent, whose event is on disk before it runs.
    WAITING: waits for somebody else; returns a Waiting or a Doing, journaled before it waits.
    """

    VIRTUAL = "virtual"
    HISTORY = "history"
    RECORDED = "recorded"
    EXTERNAL = "external"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class HostFunction:
    """One function that a guest may import. `run` gets the HostCall and the guest's arguments.

    `type` is the only one under which a component may import it, so that `run` need not look at what
    it is given; every function of a `theater:` interface has one. WASI's have None: a guest that
    imports them wrongly gets an error, or a trap, of its own call, since nothing of their arguments
    is kept but as the CBOR that the engine made of them.
    """

    effect: Effect
    run: Callable[..., object]
    type: FuncType | None = None


class Intent(msgspec.Struct, frozen=True, gc=False):
    """An effect outside the journal that is about to happen.

    `perform(key)` does it and returns the value for the guest; the key is the same if it is done
    again. `retry` says whether it is done again after a crash in the middle; if not, the guest gets
    `interrupted`. `perform` may add to the call's `facts`.
    """

    perform: Callable[[str], object]
    retry: bool
    interrupted: object


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """A message that wants an answer: its receiver and body, and how long to wait.

    `named` says that the receiver's id is what a registered name meant. `kind` and `subject` are the
    message's.
    """

    receiver: str
    body: bytes
    timeout_ms: int
    named: bool = False
    kind: str = "request"
    subject: str | None = None


class Done(msgspec.Struct, frozen=True, gc=False):
    """What came of a Doing: the value for the guest, and seq and hash of the event that decided it.

    `event` is of the actor that was waited for, None if none of its events did, or it is not known.
    """

    value: object
    event: tuple[int, bytes] | None = None


class Doing(msgspec.Struct, frozen=True, gc=False):
    """Something that is done to another actor, `awaited`, and takes its time; no message is sent.

    `begin` starts it and is told whether it may have been started before, by a process that ended:
    then it joins what was. So all that it does is named by what the host call derives. A TheaterError
    that it raises, or that its future has, is the guest's error. `given_up` is called if the time is
    over before the future is done. `named` says that `awaited` is what a registered name meant.
    """

    awaited: str
    begin: Callable[[bool], Future[Done]]
    given_up: Callable[[], None]
    timeout_ms: int
    named: bool = False


class Places(Protocol):
    """Where messages wait, a bounded number of them: a mailbox."""

    def reserve(
        self,
        size: int,
        timeout_s: float = 0,
        on_cancel: Callable[[Callable[[], None]], Callable[[], None]] | None = None,
    ) -> bool:
        """Take a place for so many bytes, waiting for one with this thread at most `timeout_s`."""
        ...

    def is_full(self, size: int) -> bool:
        """Whether there is no place now, and one comes by what the receiver does alone."""
        ...

    def turn(self, size: int, tell: Callable[[], None]) -> Turn:
        """A place to wait for without a thread; `tell` is called when it is there or never comes."""
        ...


class Turn(Protocol):
    """A place that somebody waits for without a thread, in the order in which they came."""

    def stand_in_line(self) -> None:
        """Begin to wait."""
        ...

    def is_for(self, places: Places, size: int) -> bool:
        """Whether it was asked for with this."""
        ...

    def take(self, places: Places, size: int) -> bool:
        """Whether it is there, and was asked for with this; whoever calls has it then."""
        ...

    def give_up(self) -> None:
        """Give it back, or wait for it no more."""
        ...


class HostCall(Protocol):
    """What a running host function is given besides the guest's arguments."""

    @property
    def actor(self) -> str:
        """The calling actor's id."""
        ...

    @property
    def name(self) -> str:
        """The calling actor's name."""
        ...

    @property
    def parent(self) -> str | None:
        """The id of the actor that started the calling one, None if no actor did."""
        ...

    @property
    def message(self) -> Message | None:
        """The message in hand, None during `init`. Not for functions of class VIRTUAL or HISTORY."""
        ...

    @property
    def call(self) -> int:
        """The seq of the `wasm-call` that this host call stands in."""
        ...

    @property
    def head(self) -> tuple[int, bytes]:
        """Seq and hash of the actor's last event."""
        ...

    @property
    def facts(self) -> dict[str, object]:
        """What only the handler knows: hashed into the event, not compared. CBOR values only."""
        ...

    @property
    def memory(self) -> dict[str, object]:
        """What lives as long as the guest's instance: resource tables, buffers. By handler's name."""
        ...

    def resolve(self, actor: str) -> str:
        """The id that an actor's id or registered name means; what is neither comes back as it is.

        What a name meant becomes the fact `actor` of the event. A call that is taken up while it
        waits for somebody means the same one as before, whoever has the name by now.
        """
        ...

    def history(self) -> Iterator[Event]:
        """The actor's own events up to the one before this host call, for functions of class HISTORY."""
        ...

    def read_head(self, find: Callable[[], Peer]) -> Peer:
        """The head of another chain that a function of class HISTORY reads: what `find` returns, or
        in a replay what it returned. Without it the function reads the actor's own chain.
        """
        ...

    def history_of(self, head: Peer) -> Iterator[Event]:
        """The events of the chain that has this head, up to it."""
        ...

    def outstanding(self) -> list[str]:
        """The ids of the requests that the actor received and has not answered, oldest first."""
        ...

    def request_shutdown(self, result: bytes | None) -> None:
        """End the actor with this result once the call in hand has returned."""
        ...

    def derive(self) -> bytes:
        """32 bytes that this host call, run again, derives again. Ids are made of the first of them."""
        ...

    def step(self, step: Step | Callable[[tuple[int, bytes]], Sequence[Step]]) -> None:
        """Make a step part of the record of this call's event, or those made of its seq and hash."""
        ...

    def hold(self, lock: AbstractContextManager[object]) -> None:
        """Hold a lock until the record of this call's event is queued, or the call has failed.

        What `after` runs still has it.
        """
        ...

    def after(self, done: Callable[[], None]) -> None:
        """Run `done` once the record is queued: the place to make the effect visible in memory."""
        ...

    def now_ns(self) -> int:
        """The virtual wall clock: the call's `now` plus what it slept."""
        ...

    def sleep_ns(self, duration: int) -> None:
        """Advance the virtual clock; waits for real when live, passes at once in replay."""
        ...

    def entropy(self, length: int) -> bytes:
        """The next bytes of the call's deterministic random stream."""
        ...

    def emit(self, function: str, arguments: tuple[object, ...], input: bytes) -> None:
        """Record an event of another function than the one running, without output (a line of output).

        `function` is the recorded name, `input` the CBOR array of its arguments.
        """
        ...

    def on_cancel(self, cancel: Callable[[], None]) -> Callable[[], None]:
        """Call `cancel` from another thread if the actor is killed meanwhile; returns the undo."""
        ...

    def has_place(self, places: Places, size: int) -> bool:
        """Take a place among those of a receiver, if there is one and the call need not wait for it."""
        ...

    def await_place(self, places: Places, size: int, timeout_s: float) -> bool:
        """Take a place when there is one; False if there was none in time, or the call was killed.

        The call may leave its thread meanwhile; then this does not return, and the host function is
        called again.
        """
        ...


class Trap(Exception):
    """Raised by a host function to end the guest's call with kind `trap`.

    `code` is one of the codes of a `wasm-error` (`denied`, `exit`, `abi` …); the text is for the log.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Handler(Protocol):
    """One `[[handler]]` type of a manifest."""

    @property
    def type(self) -> str:
        """Its name in manifests."""
        ...

    @property
    def interfaces(self) -> tuple[str, ...]:
        """The interfaces whose functions it provides, as recorded: `theater:simple/store`."""
        ...

    def functions(self, grant: object) -> Mapping[str, Mapping[str, HostFunction]]:
        """Its functions under a grant, by interface and name. Called once per manifest and cached."""
        ...


class RouterPort(Protocol):
    """The runtime's mailboxes, as the message-server handler sees them."""

    def position(self) -> int:
        """The next message's place in the order of all messages."""
        ...

    def admit(
        self,
        message: Message,
        timeout_ms: int,
        sender: HostCall,
    ) -> Callable[[], None]:
        """Reserve a place in the receiver's mailbox, waiting at most `timeout_ms` for one.

        Returns what puts the message there, to be run `after` its record is queued. Raises NotFound
        for an unknown or ended actor, TimedOut for a mailbox that stays full or a call that was
        killed meanwhile.
        """
        ...

    def send_timeout_ms(self, actor: str) -> int:
        """How long this actor's sends wait for a place in a full mailbox."""
        ...

    def request_timeout_ms(self, actor: str) -> int:
        """How long this actor's requests wait for their answer."""
        ...

    def conclude_outstanding(self, call: HostCall, request: str, ok: bool, body: bytes) -> None:
        """Answer an outstanding request of the calling actor with the record of its host call.

        Raises NotFound for no such request, TooLarge, and TimedOut if the answer comes too late.
        """
        ...


class NamePort(Protocol):
    """The runtime's names, as the registry handler sees them.

    `take` and `give_up` give what keeps the name from others, to be held until the record is queued;
    `taken` and `given_up` are run `after` that.
    """

    def take(self, actor: str, name: str) -> AbstractContextManager[object]:
        """Raise a TheaterError if the actor can't have this name."""
        ...

    def taken(self, actor: str, name: str) -> None: ...

    def give_up(self, actor: str, name: str) -> AbstractContextManager[object]:
        """Raise NotFound if the actor doesn't hold the name."""
        ...

    def given_up(self, actor: str, name: str) -> None: ...

    def holder(self, name: str) -> str | None:
        """The id of the actor that holds a name, None if nobody does."""
        ...


class ChannelPort(Protocol):
    """The runtime's open channels, as the message-server handler sees them."""

    def send(self, call: HostCall, channel: str, body: bytes) -> None:
        """Send on a channel with the record of a host call, waiting like a send for a place.

        Raises Conflict if the calling actor takes part in no such open channel, TooLarge, and
        TimedOut for a mailbox that stays full.
        """
        ...

    def close(self, call: HostCall, channel: str) -> None:
        """Close a channel with the record of a host call; Conflict as for `send`."""
        ...


class TimerPort(Protocol):
    """The runtime's timers, as the scheduler handler sees them."""

    def now_us(self) -> int:
        """Wall time, microseconds since the epoch."""
        ...

    def check(self, timer: Timer, timers_max: int) -> None:
        """Raise a TheaterError if this timer can't be set; an actor has at most `timers_max`."""
        ...

    def add(self, timer: Timer) -> None:
        """Take in a timer whose record is queued."""
        ...

    def withhold(self, actor: str, timer: str) -> AbstractContextManager[object]:
        """Keep a timer from being fired until the context is left; NotFound if it is over."""
        ...

    def remove(self, actor: str, timer: str) -> None:
        """Forget a timer whose cancelling is queued."""
        ...

    def pending(self, actor: str) -> list[str]:
        """The ids of an actor's timers, in the order in which they were set."""
        ...
