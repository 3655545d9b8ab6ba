from __future__ import annotations

from tests.chain.sample import Builder, every_type
from theater.chain.cursor import Cursor
from theater.chain.event import Event
from theater.chain.shapes import is_course


def test_the_course_is_read_in_order_and_notes_are_passed_over() -> None:
    events = every_type()
    cursor = Cursor(events)
    taken: list[Event] = []
    while (ahead := cursor.peek()) is not None:
        assert cursor.peek() is ahead
        assert cursor.next() is ahead
        taken.append(ahead)
    assert taken == [event for event in events if is_course(event.type)]
    assert cursor.next() is None
    assert cursor.peek() is None


def test_each_note_is_told_once_before_the_event_behind_it() -> None:
    chain = Builder()
    chain.start()
    chain.call()
    chain.note("actor-pause")
    chain.note("actor-resume")
    chain.host()
    told: list[str] = []
    cursor = Cursor(iter(chain.events), on_note=lambda event: told.append(event.type))
    assert cursor.next() == chain.events[1]
    assert told == ["actor-start"]
    assert cursor.peek() == cursor.peek() == chain.events[4]
    assert told == ["actor-start", "actor-pause", "actor-resume"]


def test_the_last_event_passed_is_known() -> None:
    chain = Builder()
    chain.start()
    chain.call()
    chain.note("actor-pause")
    cursor = Cursor(chain.events)
    passed = [cursor.passed]
    while cursor.next() is not None:
        passed.append(cursor.passed)
    assert [*passed, cursor.passed] == [None, chain.events[1], chain.events[2]]
