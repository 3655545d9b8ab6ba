"""What a prefix of records amounts to: the fold that every backend must agree with.

This is the meaning of the steps, written as plainly as possible. The memory journal is made of it,
and the conformance suite holds the other backends against it. Steps about a message, a wait, a
timer, a channel or a key that is not there have no effect; an event that does not follow its chain is a Conflict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import assert_never

from msgspec.structs import replace

from theater.chain.content import content_digest, plain_digest
from theater.chain.event import Event, event_hash
from theater.errors import Conflict, IntegrityError
from theater.journal.port import KeptKey, StoreImage, Unhandled, UnhandledTotals
from theater.journal.records import (
    ActorRow,
    Answer,
    AnswerKey,
    Append,
    CancelTimer,
    Channel,
    CloseChannel,
    CloseWait,
    CountDropped,
    CreateActor,
    Enqueue,
    FireTimer,
    ForgetKeys,
    GiveAnswer,
    Keep,
    Message,
    NewStore,
    OpenChannel,
    OpenKey,
    OpenWait,
    PutContent,
    Record,
    RegisterName,
    ReleaseName,
    SetActor,
    SetLabel,
    SetSupervision,
    SetTimer,
    Settle,
    Step,
    Take,
    Timer,
    UnhandledState,
)
from theater.limits import MESSAGE_START_BYTES

ENDED = ("stopped", "failed")
UNHANDLED = ("dead", "aside")

HeadOf = Callable[[str], tuple[int, bytes] | None]
"""Seq and hash of a chain's last event, None for an unknown actor."""


class Image:
    """Everything that a journal holds, as plain tables. Not safe for several threads."""

    def __init__(self) -> None:
        self.actors: dict[str, ActorRow] = {}
        self.chains: dict[str, list[Event]] = {}
        self.order: list[tuple[str, int]] = []
        self.contents: dict[bytes, tuple[bytes | None, bytes]] = {}
        self.messages: dict[str, Message] = {}
        self.unhandled: dict[str, tuple[int, int | None]] = {}
        self.laid = 0
        self.dropped: dict[str, int] = {}
        self.waits: dict[str, tuple[OpenWait, Answer | None]] = {}
        self.keys: dict[str, KeptKey] = {}
        self.timers: dict[str, Timer] = {}
        self.channels: dict[str, Channel] = {}
        self.names: dict[str, str] = {}
        self.owners: dict[str, str] = {}
        self.store_contents: dict[str, dict[bytes, int]] = {}
        self.labels: dict[str, dict[str, tuple[bytes, ...]]] = {}
        self.supervision: dict[str, SetSupervision] = {}

    def copy(self) -> Image:
        """An image that changes on its own from now on."""
        other = Image()
        other.actors = dict(self.actors)
        other.chains = {actor: list(chain) for actor, chain in self.chains.items()}
        other.order = list(self.order)
        other.contents = dict(self.contents)
        other.messages = dict(self.messages)
        other.unhandled = dict(self.unhandled)
        other.laid = self.laid
        other.dropped = dict(self.dropped)
        other.waits = dict(self.waits)
        other.keys = dict(self.keys)
        other.timers = dict(self.timers)
        other.channels = dict(self.channels)
        other.names = dict(self.names)
        other.owners = dict(self.owners)
        other.store_contents = {store: dict(kept) for store, kept in self.store_contents.items()}
        other.labels = {store: dict(labels) for store, labels in self.labels.items()}
        other.supervision = dict(self.supervision)
        return other

    def apply(self, record: Record) -> None:
        """Apply a record, all of it or, if it is a Conflict, nothing."""
        check(record, self._head)
        for step in record:
            self._apply(step)

    def _head(self, actor: str) -> tuple[int, bytes] | None:
        row = self.actors.get(actor)
        return None if row is None else (row.tip.seq, row.tip.hash)

    def _apply(self, step: Step) -> None:
        match step:
            case Append():
                self.chains.setdefault(step.actor, []).append(step.event)
                self.order.append((step.actor, step.event.seq))
                self.actors[step.actor] = replace(self.actors[step.actor], tip=step.tip)
            case Keep():
                self.contents.setdefault(step.digest, (step.salt, step.data))
            case Enqueue():
                self._put(step.message, None)
            case Take():
                if (message := self.messages.get(step.message)) is not None:
                    self._put(replace(message, state="taken"), None)
            case Settle():
                self._settle(step)
            case CountDropped():
                self.dropped[step.state] = self.dropped.get(step.state, 0) + step.count
            case OpenWait():
                self.waits.setdefault(step.id, (step, None))
            case GiveAnswer():
                if (wait := self.waits.get(step.wait)) is not None and wait[1] is None:
                    self.waits[step.wait] = (wait[0], step.answer)
            case CloseWait():
                self.waits.pop(step.id, None)
            case CreateActor():
                self.actors[step.row.id] = step.row
            case SetActor():
                if (row := self.actors.get(step.actor)) is not None:
                    self.actors[row.id] = changed(row, step)
            case OpenKey():
                self.keys[step.key] = KeptKey(step.message, step.at_us, None)
            case AnswerKey():
                if (kept := self.keys.get(step.key)) is not None and kept.answer is None:
                    self.keys[step.key] = replace(kept, answer=step.answer)
            case ForgetKeys():
                self.keys = {
                    k: kept for k, kept in self.keys.items() if kept.at_us >= step.before_us
                }
            case SetTimer():
                self.timers[step.timer.id] = step.timer
            case FireTimer():
                if (timer := self.timers.get(step.timer)) is not None:
                    self._fire(timer, step.due_us)
            case CancelTimer():
                self.timers.pop(step.timer, None)
            case OpenChannel():
                self.channels[step.channel.id] = step.channel
            case CloseChannel():
                self.channels.pop(step.channel, None)
            case RegisterName():
                self.names[step.name] = step.actor
            case ReleaseName():
                self.names.pop(step.name, None)
            case NewStore():
                self.owners.setdefault(step.store, step.owner)
            case PutContent():
                self.store_contents.setdefault(step.store, {}).setdefault(step.digest, step.length)
            case SetLabel():
                labels = self.labels.setdefault(step.store, {})
                if step.digests:
                    labels[step.label] = step.digests
                else:
                    labels.pop(step.label, None)
            case SetSupervision():
                if step.is_empty:
                    self.supervision.pop(step.supervisor, None)
                else:
                    self.supervision[step.supervisor] = step
            case _:
                assert_never(step)

    def _settle(self, step: Settle) -> None:
        message = self.messages.get(step.message)
        if message is None:
            return
        if step.fate == "done":
            del self.messages[step.message]
            self.unhandled.pop(step.message, None)
            return
        settled = replace(
            message,
            state="waiting" if step.fate == "front" else step.fate,
            reason=step.reason,
            attempt=message.attempt if step.attempt is None else step.attempt,
        )
        self._put(settled, step.at_us)

    def _put(self, message: Message, at_us: int | None) -> None:
        self.messages[message.id] = message
        self.unhandled.pop(message.id, None)
        if message.state in UNHANDLED:
            self.laid += 1
            self.unhandled[message.id] = (self.laid, at_us)

    def unhandled_page(
        self, state: UnhandledState, receiver: str | None, after: int, limit: int
    ) -> list[Unhandled]:
        found: list[Unhandled] = []
        for id_, (number, at_us) in self.unhandled.items():
            message = self.messages[id_]
            if len(found) == limit:
                break
            if number > after and message.state == state and receiver in (None, message.receiver):
                start = replace(message, body=message.body[:MESSAGE_START_BYTES])
                found.append(Unhandled(number, at_us, len(message.body), start))
        return found

    def unhandled_totals(self, state: UnhandledState) -> UnhandledTotals:
        sizes = [
            len(message.body)
            for message in map(self.messages.__getitem__, self.unhandled)
            if message.state == state
        ]
        return UnhandledTotals(len(sizes), sum(sizes), self.dropped.get(state, 0))

    def _fire(self, timer: Timer, due_us: int | None) -> None:
        if due_us is None:
            del self.timers[timer.id]
        else:
            self.timers[timer.id] = replace(timer, due_us=due_us, fired=timer.fired + 1)

    def store(self, store: str) -> StoreImage | None:
        owner = self.owners.get(store)
        if owner is None:
            return None
        return StoreImage(
            owner, dict(self.store_contents.get(store, {})), dict(self.labels.get(store, {}))
        )


def check(record: Record, head: HeadOf) -> None:
    """Raise Conflict unless the record's events follow their chains and its actors are new."""
    ahead: dict[str, tuple[int, bytes]] = {}
    for step in record:
        if isinstance(step, Append):
            check_event(step, ahead.get(step.actor) or head(step.actor))
            ahead[step.actor] = (step.event.seq, step.event.hash)
        elif isinstance(step, CreateActor):
            if step.row.id in ahead or head(step.row.id) is not None:
                raise Conflict(f"actor {step.row.id} is there already", actor=step.row.id)
            ahead[step.row.id] = (step.row.tip.seq, step.row.tip.hash)


def check_event(step: Append, at: tuple[int, bytes] | None) -> None:
    """Raise Conflict unless an event follows a chain's end, None for an unknown actor."""
    event = step.event
    if at is None:
        raise Conflict(f"an event for the unknown actor {step.actor}", actor=step.actor)
    if event.parent != at[1] or event.seq != at[0] + 1:
        raise Conflict(
            f"event {event.seq} of actor {step.actor} does not follow event {at[0]}",
            actor=step.actor,
            seq=event.seq,
        )
    if step.tip.seq != event.seq or step.tip.hash != event.hash:
        raise Conflict(
            f"the tip behind event {event.seq} of actor {step.actor} is another event's",
            actor=step.actor,
            seq=event.seq,
        )


def changed(row: ActorRow, step: SetActor) -> ActorRow:
    """Return an actor's row with those columns set that a step names."""
    return replace(
        row,
        status=row.status if step.status is None else step.status,
        deaths=row.deaths if step.deaths is None else step.deaths,
        engine=row.engine if step.engine is None else step.engine,
        shutdown=row.shutdown if step.shutdown is None else step.shutdown,
        outcome=row.outcome if step.outcome is None else step.outcome,
        component=row.component if step.component is None else step.component,
        stopped_by=row.stopped_by if step.stopped_by is None else step.stopped_by,
    )


def checked_event(actor: str, event: Event, parent: bytes) -> Event:
    """Return an event that was read, recomputing its digest and hash; IntegrityError if they differ."""
    digest = event.data_digest if event.data is None else plain_digest(event.data)
    hash_ = event_hash(event.seq, event.at, parent, event.type.encode(), digest)
    if digest != event.data_digest or hash_ != event.hash or event.parent != parent:
        raise IntegrityError(
            f"event {event.seq} of actor {actor} is not the one that was recorded",
            actor=actor,
            seq=event.seq,
        )
    return event


def checked_content(digest: bytes, salt: bytes | None, data: bytes) -> tuple[bytes | None, bytes]:
    """Return salt and bytes of content that was read; IntegrityError if they are another's."""
    actual = plain_digest(data) if salt is None else content_digest(salt, data)
    if actual != digest:
        raise IntegrityError(f"content {digest.hex()} is not what was kept", digest=digest)
    return salt, data


def checked_chain(actor: str, chain: list[Event], start: int) -> Iterator[Event]:
    """Yield the events of a chain held in memory from `start` on, each checked."""
    parent = chain[start].parent if start < len(chain) else b""
    for event in chain[start:]:
        yield checked_event(actor, event, parent)
        parent = event.hash
