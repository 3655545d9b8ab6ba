"""What the journal keeps: records, each atomic, in one total order.

A record is a tuple of steps that take effect together or not at all. The order of records is the
order in which `append` was called. What belongs together is one record:

    {Enqueue}                                     a message from outside
    {CreateActor, Keep…, Append(actor-start)}     an actor, also the child of one that waits for it
    {Take, Keep…, Append(wasm-call)}              a message is taken
    {Append(host), steps of what the call did}    a host call and its effect
    {Append(intent)}                              before an effect outside the journal
    {OpenWait, Enqueue}                           before a host call that waits
    {CloseWait, Append(host)}                     its answer
    {SetTimer | CancelTimer, Append(host)}        a timer that a call set or cancelled
    {FireTimer, Enqueue}                          a timer was due
    {Append(wasm-result), OpenChannel, GiveAnswer, Enqueue, Settle}   a channel is accepted
    {CloseChannel, Append(host | end), Enqueue…}  a channel is closed, by a call or by an end
    {RegisterName | ReleaseName, Append(host)}    a name that a call took or gave up
    {Append(wasm-result | wasm-error), Keep(state), Answer, Settle}   the end of a call
    {Append(wasm-error), Settle, SetSupervision…}   the end of one that failed, and what is decided

A backend applies steps in order and keeps their net effect; only chains and content keep history.
Adding a kind of step is compatible; changing the meaning of one is not.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from theater.chain.event import Event
from theater.chain.tip import EMPTY, Ref, Tip

UnhandledState = Literal["dead", "aside"]
"""A dead letter, or set aside: in quarantine."""

MessageState = Literal["waiting", "taken", "outstanding", "dead", "aside"]
OriginKind = Literal["actor", "client", "host"]
ActorStatus = Literal["starting", "running", "paused", "stopping", "stopped", "failed"]


class Message(msgspec.Struct, frozen=True, gc=False):
    """A message and where it stands.

    `position` orders a mailbox: the lowest is the oldest. `subject` is what the kind is about (a
    channel, a timer, a child), None for `send` and `request`. `deadline_us` is absolute,
    microseconds since the epoch, None where nobody waits. `wait` is the id of the wait of the
    actor that asked, None for clients. `key` is a client's idempotency key. `cause` is seq and
    hash of the sender's event that came before. `reason` says why it is dead or set aside.
    """

    id: str
    receiver: str
    kind: str
    origin: OriginKind
    sender: str
    body: bytes
    position: int
    state: MessageState = "waiting"
    attempt: int = 0
    subject: str | None = None
    deadline_us: int | None = None
    trace: str | None = None
    cause: tuple[int, bytes] | None = None
    wait: str | None = None
    key: str | None = None
    reason: str | None = None


TimerKind = Literal["after", "every", "cron"]


class Timer(msgspec.Struct, frozen=True, gc=False):
    """A timer of an actor. `due_us` is absolute, microseconds since the epoch.

    `span_us` is the delay of an `after` and the period of an `every`, `cron` the expression of the
    third kind; the other one is 0 or empty. `fired` counts how often it was due already.
    """

    id: str
    actor: str
    kind: TimerKind
    due_us: int
    payload: bytes
    span_us: int = 0
    cron: str = ""
    fired: int = 0


class Channel(msgspec.Struct, frozen=True, gc=False):
    """An open channel. `opener` and `acceptor` are actors' ids; None is a client of this process."""

    id: str
    opener: str | None
    acceptor: str


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What came of a request. `body` is the answer, or the UTF-8 text of the error.

    `event` is seq and hash of the callee's event that answered, None if no call did.
    """

    ok: bool
    body: bytes
    event: tuple[int, bytes] | None = None


class ActorRow(msgspec.Struct, frozen=True, gc=False):
    """What a node knows of an actor without reading its chain.

    `manifest`, `grants` are content; `component` is the plain SHA-256 of the component.
    `outcome` is what it ended with. `deaths` counts process deaths in the open call that made no
    progress. `engine` is the digest of the engine's facts that its chain recorded last.
    `shutdown` is set once the actor asked to end: its result follows in `outcome`. `stopped_by` is
    who had it stop, None for one that was never stopped, or by an earlier version.
    """

    id: str
    name: str
    parent: str | None
    number: int
    status: ActorStatus
    component: bytes
    manifest: Ref
    grants: Ref
    manifest_path: str
    started_at: int
    tip: Tip = EMPTY
    deaths: int = 0
    engine: bytes = b""
    shutdown: bool = False
    outcome: Answer | None = None
    stopped_by: str | None = None


class Failure(msgspec.Struct, frozen=True, gc=False):
    """A child's end that counts against its supervisor: when, microseconds, and with which message."""

    at_us: int
    message: str | None


PlannedStep = Literal["restart", "init", "stop", "fail"]


class Planned(msgspec.Struct, frozen=True, gc=False):
    """What a supervisor decided for a child, and has not been done yet.

    `init`: it was restarted from its initial state, and its `init` has not returned yet.
    """

    actor: str
    step: PlannedStep
    why: str


# Steps


class CreateActor(msgspec.Struct, frozen=True, gc=False):
    row: ActorRow


class SetActor(msgspec.Struct, frozen=True, gc=False):
    """Change those of an actor's columns that are not None."""

    actor: str
    status: ActorStatus | None = None
    deaths: int | None = None
    engine: bytes | None = None
    shutdown: bool | None = None
    outcome: Answer | None = None
    component: bytes | None = None
    stopped_by: str | None = None


class Append(msgspec.Struct, frozen=True, gc=False):
    """Add an event to an actor's chain. `event.parent` must be the chain's head; `tip` is after it."""

    actor: str
    event: Event
    tip: Tip


class Keep(msgspec.Struct, frozen=True, gc=False):
    """Keep content. `salt` is None for content that is named by its plain SHA-256."""

    digest: bytes
    salt: bytes | None
    data: bytes


class Enqueue(msgspec.Struct, frozen=True, gc=False):
    """Put a message into its receiver's mailbox."""

    message: Message


class Take(msgspec.Struct, frozen=True, gc=False):
    """The receiver has the message in hand."""

    message: str


class Settle(msgspec.Struct, frozen=True, gc=False):
    """What became of a message: `done` forgets it, the others keep it under that state.

    `front` puts it back to the front of its mailbox, at the position that it had, with `attempt`.
    `at_us` is when it became a dead letter or was set aside, microseconds since the epoch.
    """

    message: str
    fate: Literal["done", "outstanding", "dead", "aside", "front"]
    reason: str | None = None
    attempt: int | None = None
    at_us: int | None = None


class CountDropped(msgspec.Struct, frozen=True, gc=False):
    """So many messages of that state were dropped: the only trace that is left of them."""

    state: UnhandledState
    count: int


class OpenWait(msgspec.Struct, frozen=True, gc=False):
    """A host call waits. `id` is derived from its place; `due_us` is absolute.

    `meant` is the actor that a registered name stood for, None where an id was given.
    """

    id: str
    actor: str
    call: int
    number: int
    due_us: int
    input_digest: bytes
    meant: str | None = None


class GiveAnswer(msgspec.Struct, frozen=True, gc=False):
    """The answer to a wait. Nothing if the wait is closed or answered already: the first one counts."""

    wait: str
    answer: Answer


class CloseWait(msgspec.Struct, frozen=True, gc=False):
    """The wait is over; it and its answer are forgotten."""

    id: str


class OpenKey(msgspec.Struct, frozen=True, gc=False):
    """A client's idempotency key is in use: `message` is what it stands for."""

    key: str
    message: str
    at_us: int


class AnswerKey(msgspec.Struct, frozen=True, gc=False):
    """What came of the message under a client's key."""

    key: str
    answer: Answer


class ForgetKeys(msgspec.Struct, frozen=True, gc=False):
    """Keys opened before a time, microseconds since the epoch, are forgotten with their answers."""

    before_us: int


class SetTimer(msgspec.Struct, frozen=True, gc=False):
    timer: Timer


class FireTimer(msgspec.Struct, frozen=True, gc=False):
    """A timer was due; its message is in the same record. `due_us` is when it is due again.

    None: it was the last time, and the timer is forgotten.
    """

    timer: str
    due_us: int | None


class CancelTimer(msgspec.Struct, frozen=True, gc=False):
    """The timer is forgotten."""

    timer: str


class OpenChannel(msgspec.Struct, frozen=True, gc=False):
    channel: Channel


class CloseChannel(msgspec.Struct, frozen=True, gc=False):
    """The channel is forgotten; what tells its participants is in the same record."""

    channel: str


class RegisterName(msgspec.Struct, frozen=True, gc=False):
    """An actor holds a name from now on; whoever held it before has given it up."""

    name: str
    actor: str


class ReleaseName(msgspec.Struct, frozen=True, gc=False):
    """Nobody holds the name any more."""

    name: str


class NewStore(msgspec.Struct, frozen=True, gc=False):
    store: str
    owner: str


class PutContent(msgspec.Struct, frozen=True, gc=False):
    """A guest's store holds this content from now on. The bytes come by `Keep` without salt."""

    store: str
    digest: bytes
    length: int


class SetSupervision(msgspec.Struct, frozen=True, gc=False):
    """All that a supervisor remembers of its children's ends; forgotten when there is nothing.

    `supervisor` is an actor's id, or for what the node remembers of an actor that it supervises
    itself, `node:` and that actor's id. `asides` counts, by child, messages set aside in a row.
    """

    supervisor: str
    failures: tuple[Failure, ...] = ()
    asides: tuple[tuple[str, int], ...] = ()
    plan: tuple[Planned, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remember."""
        return not (self.failures or self.asides or self.plan)


class SetLabel(msgspec.Struct, frozen=True, gc=False):
    """All references of a label, oldest first; none removes the label."""

    store: str
    label: str
    digests: tuple[bytes, ...]


Step = (
    CreateActor
    | SetActor
    | Append
    | Keep
    | Enqueue
    | Take
    | Settle
    | CountDropped
    | OpenWait
    | GiveAnswer
    | CloseWait
    | OpenKey
    | AnswerKey
    | ForgetKeys
    | SetTimer
    | FireTimer
    | CancelTimer
    | OpenChannel
    | CloseChannel
    | RegisterName
    | ReleaseName
    | NewStore
    | PutContent
    | SetLabel
    | SetSupervision
)

Record = tuple[Step, ...]
