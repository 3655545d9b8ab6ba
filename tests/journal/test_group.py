"""What never reaches the disk because it is over within one commit."""

from __future__ import annotations

from tests.journal.making import Maker, actor_row, answer, channel, message, timer
from theater.journal.records import (
    Append,
    CloseChannel,
    CloseWait,
    Enqueue,
    FireTimer,
    GiveAnswer,
    OpenChannel,
    OpenWait,
    SetTimer,
    Settle,
    Step,
    Take,
)
from theater.journal.sqlite.group import Group


def group_of(*steps: Step, open_waits: frozenset[str] = frozenset()) -> Group:
    group = Group(set(open_waits))
    for step in steps:
        group.add(step)
    return group


def test_a_message_that_is_over_is_not_written() -> None:
    group = group_of(Enqueue(message(1)), Take("message-1"), Settle("message-1", "done"))
    assert group.written_messages() == []
    assert group.messages_gone == set()
    assert group.fates_elsewhere() == {}


def test_a_message_is_written_as_the_group_leaves_it() -> None:
    group = group_of(
        Enqueue(message(1)), Take("message-1"), Settle("message-1", "front", attempt=1)
    )
    assert [(m.state, m.attempt) for m in group.written_messages()] == [("waiting", 1)]
    assert group.fates_elsewhere() == {}


def test_a_wait_that_is_over_is_not_written() -> None:
    wait = OpenWait("w", "a", 1, 1, 1, bytes(32))
    group = group_of(wait, GiveAnswer("w", answer(1)), CloseWait("w"))
    assert (group.waits, group.answers, group.waits_gone) == ({}, {}, set())


def test_a_wait_from_before_is_deleted_when_it_is_over() -> None:
    group = group_of(GiveAnswer("w", answer(1)), CloseWait("w"), open_waits=frozenset({"w"}))
    assert (group.answers, group.waits_gone) == ({}, {"w"})


def test_a_channel_that_is_over_is_not_written() -> None:
    group = group_of(OpenChannel(channel(1, 2)), CloseChannel("channel-1"))
    assert (group.channels, group.channels_gone) == ({}, {"channel-1"})


def test_a_timer_that_is_over_is_not_written() -> None:
    group = group_of(SetTimer(timer(1, 2)), FireTimer("timer-1", 5), FireTimer("timer-1", None))
    assert (group.timers, group.timers_fired) == ({}, {})


def test_a_timer_from_before_is_written_once_however_often_it_was_due() -> None:
    group = group_of(FireTimer("timer-1", 5), FireTimer("timer-1", 9))
    assert group.timers_fired == {"timer-1": (9, 2)}
    assert (group.timers, group.timers_gone) == ({}, set())


def test_only_the_last_tip_of_an_actor_is_written() -> None:
    maker = Maker()
    created = maker.actor(0)
    events: list[Append] = [maker.event(actor_row(0).id) for _ in range(3)]
    group = group_of(created, *events)
    assert group.tips == {created.row.id: events[-1].tip}
    assert group.events == {created.row.id: [step.event for step in events]}
