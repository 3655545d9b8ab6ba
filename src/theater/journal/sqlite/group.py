"""The net effect of the records that are committed together.

A message that is enqueued, taken and settled in one group is never written, of an actor's tips only
the last is, and so on: most of what actors say to each other is over before the disk is asked. Pure;
the writer turns what is left into statements, deletions first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from theater.chain.event import Event
from theater.chain.tip import Tip
from theater.journal.image import UNHANDLED, changed
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
    MessageState,
    NewStore,
    OpenChannel,
    OpenKey,
    OpenWait,
    PutContent,
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
)


class Fate(NamedTuple):
    """What a group makes of a message that is kept. `reason` counts only if `settled`."""

    state: MessageState
    settled: bool = False
    reason: str | None = None
    attempt: int | None = None


_TAKEN: Final = Fate("taken")


class Group:
    """What a group of records changes, table by table. `open_waits` are those before the group.

    `timers_fired` are timers from before it: when each is due again, and how often it was due.
    `names` are those that were taken, with their holders, or given up, with None.
    """

    def __init__(self, open_waits: set[str]) -> None:
        self.created: dict[str, ActorRow] = {}
        self.changed: dict[str, SetActor] = {}
        self.events: dict[str, list[Event]] = {}
        self.tips: dict[str, Tip] = {}
        self.contents: dict[bytes, Keep] = {}
        self.messages: dict[str, Message] = {}
        self.messages_gone: set[str] = set()
        self.fates: dict[str, Fate] = {}
        self.unhandled: dict[str, int | None] = {}
        self.dropped: dict[str, int] = {}
        self.waits: dict[str, OpenWait] = {}
        self.waits_gone: set[str] = set()
        self.answers: dict[str, Answer] = {}
        self.keys: dict[str, OpenKey] = {}
        self.key_answers: dict[str, Answer] = {}
        self.keys_gone: set[str] = set()
        self.keys_before_us: int | None = None
        self.timers: dict[str, Timer] = {}
        self.timers_gone: set[str] = set()
        self.timers_fired: dict[str, tuple[int, int]] = {}
        self.channels: dict[str, Channel] = {}
        self.channels_gone: set[str] = set()
        self.names: dict[str, str | None] = {}
        self.stores: dict[str, str] = {}
        self.store_contents: dict[tuple[str, bytes], int] = {}
        self.labels: dict[tuple[str, str], tuple[bytes, ...]] = {}
        self.supervision: dict[str, SetSupervision] = {}
        self._open_before = open_waits

    def add_event(self, step: Append) -> None:
        """Take in an event that follows its chain."""
        actor = step.actor
        if (events := self.events.get(actor)) is None:
            self.events[actor] = [step.event]
        else:
            events.append(step.event)
        self.tips[actor] = step.tip

    def written_messages(self) -> list[Message]:
        """The messages to write, as the group leaves them."""
        return [
            message if (fate := self.fates.get(message.id)) is None else _with_fate(message, fate)
            for message in self.messages.values()
        ]

    def fates_elsewhere(self) -> dict[Fate, list[str]]:
        """Ids of messages from before the group, by what becomes of them."""
        by_fate: dict[Fate, list[str]] = {}
        for message, fate in self.fates.items():
            if message not in self.messages:
                by_fate.setdefault(fate, []).append(message)
        return by_fate

    def add(self, step: Step) -> None:
        """Take in any step."""
        _TAKE_IN[type(step)](self, step)

    def _keep(self, step: Keep) -> None:
        self.contents.setdefault(step.digest, step)

    def _enqueue(self, step: Enqueue) -> None:
        message = step.message
        self.messages[message.id] = message
        self.fates.pop(message.id, None)
        self.unhandled.pop(message.id, None)
        if message.state in UNHANDLED:
            self.unhandled[message.id] = None

    def _open_wait(self, step: OpenWait) -> None:
        if step.id not in self._open_before or step.id in self.waits_gone:
            self.waits.setdefault(step.id, step)

    def _give_answer(self, step: GiveAnswer) -> None:
        if step.wait in self.waits or (
            step.wait in self._open_before and step.wait not in self.waits_gone
        ):
            self.answers.setdefault(step.wait, step.answer)

    def _close_wait(self, step: CloseWait) -> None:
        self.waits.pop(step.id, None)
        self.answers.pop(step.id, None)
        if step.id in self._open_before:
            self.waits_gone.add(step.id)

    def _create_actor(self, step: CreateActor) -> None:
        self.created[step.row.id] = step.row
        self.changed.pop(step.row.id, None)
        self.tips[step.row.id] = step.row.tip

    def _open_key(self, step: OpenKey) -> None:
        self.keys[step.key] = step
        self.key_answers.pop(step.key, None)

    def _answer_key(self, step: AnswerKey) -> None:
        self.key_answers.setdefault(step.key, step.answer)

    def _set_timer(self, step: SetTimer) -> None:
        self.timers[step.timer.id] = step.timer
        self.timers_fired.pop(step.timer.id, None)

    def _fire_timer(self, step: FireTimer) -> None:
        id_, due_us = step.timer, step.due_us
        if due_us is None:
            self._forget_timer(id_)
        elif (timer := self.timers.get(id_)) is not None:
            self.timers[id_] = replace(timer, due_us=due_us, fired=timer.fired + 1)
        elif id_ not in self.timers_gone:
            self.timers_fired[id_] = (due_us, self.timers_fired.get(id_, (0, 0))[1] + 1)

    def _cancel_timer(self, step: CancelTimer) -> None:
        self._forget_timer(step.timer)

    def _forget_timer(self, id_: str) -> None:
        self.timers.pop(id_, None)
        self.timers_fired.pop(id_, None)
        self.timers_gone.add(id_)

    def _open_channel(self, step: OpenChannel) -> None:
        self.channels[step.channel.id] = step.channel

    def _close_channel(self, step: CloseChannel) -> None:
        self.channels.pop(step.channel, None)
        self.channels_gone.add(step.channel)

    def _register_name(self, step: RegisterName) -> None:
        self.names[step.name] = step.actor

    def _release_name(self, step: ReleaseName) -> None:
        self.names[step.name] = None

    def _new_store(self, step: NewStore) -> None:
        self.stores.setdefault(step.store, step.owner)

    def _put_content(self, step: PutContent) -> None:
        self.store_contents.setdefault((step.store, step.digest), step.length)

    def _set_label(self, step: SetLabel) -> None:
        self.labels[step.store, step.label] = step.digests

    def _set_supervision(self, step: SetSupervision) -> None:
        self.supervision[step.supervisor] = step

    def _take(self, step: Take) -> None:
        message = step.message
        if message in self.messages_gone and message not in self.messages:
            return
        self.unhandled.pop(message, None)
        before = self.fates.get(message)
        self.fates[message] = _TAKEN if before is None else before._replace(state="taken")

    def _settle(self, step: Settle) -> None:
        gone = step.message in self.messages_gone and step.message not in self.messages
        self.unhandled.pop(step.message, None)
        if step.fate == "done":
            self.fates.pop(step.message, None)
            if self.messages.pop(step.message, None) is None:
                self.messages_gone.add(step.message)
        elif not gone:
            before = self.fates.get(step.message)
            self.fates[step.message] = Fate(
                "waiting" if step.fate == "front" else step.fate,
                True,
                step.reason,
                step.attempt if step.attempt is not None or before is None else before.attempt,
            )
            if step.fate in UNHANDLED:
                self.unhandled[step.message] = step.at_us

    def _count_dropped(self, step: CountDropped) -> None:
        self.dropped[step.state] = self.dropped.get(step.state, 0) + step.count

    def _set_actor(self, step: SetActor) -> None:
        created = self.created.get(step.actor)
        if created is not None:
            self.created[step.actor] = changed(created, step)
        elif (before := self.changed.get(step.actor)) is None:
            self.changed[step.actor] = step
        else:
            self.changed[step.actor] = SetActor(
                step.actor,
                before.status if step.status is None else step.status,
                before.deaths if step.deaths is None else step.deaths,
                before.engine if step.engine is None else step.engine,
                before.shutdown if step.shutdown is None else step.shutdown,
                before.outcome if step.outcome is None else step.outcome,
                before.component if step.component is None else step.component,
                before.stopped_by if step.stopped_by is None else step.stopped_by,
            )

    def _forget_keys(self, step: ForgetKeys) -> None:
        before_us = step.before_us
        self.keys_before_us = max(before_us, self.keys_before_us or before_us)
        for key in [key for key, step in self.keys.items() if step.at_us < before_us]:
            del self.keys[key]
            self.key_answers.pop(key, None)
            self.keys_gone.add(key)


_TAKE_IN: Final[dict[type[Step], Callable[[Group, Any], None]]] = {
    Append: Group.add_event,
    Keep: Group._keep,
    Enqueue: Group._enqueue,
    Take: Group._take,
    Settle: Group._settle,
    CountDropped: Group._count_dropped,
    OpenWait: Group._open_wait,
    GiveAnswer: Group._give_answer,
    CloseWait: Group._close_wait,
    CreateActor: Group._create_actor,
    SetActor: Group._set_actor,
    OpenKey: Group._open_key,
    AnswerKey: Group._answer_key,
    ForgetKeys: Group._forget_keys,
    SetTimer: Group._set_timer,
    FireTimer: Group._fire_timer,
    CancelTimer: Group._cancel_timer,
    OpenChannel: Group._open_channel,
    CloseChannel: Group._close_channel,
    RegisterName: Group._register_name,
    ReleaseName: Group._release_name,
    NewStore: Group._new_store,
    PutContent: Group._put_content,
    SetLabel: Group._set_label,
    SetSupervision: Group._set_supervision,
}
"""How each kind of step is taken in; the conformance suite of journals misses none of them."""


def _with_fate(message: Message, fate: Fate) -> Message:
    return replace(
        message,
        state=fate.state,
        reason=fate.reason if fate.settled else message.reason,
        attempt=message.attempt if fate.attempt is None else fate.attempt,
    )
