"""What every journal keeps of messages that nobody handled: in order, in pages, with sums."""

from __future__ import annotations

from msgspec.structs import replace

from tests.contract.conftest import settled
from tests.journal.making import actor_row, message
from theater.journal.port import Journal, UnhandledTotals
from theater.journal.records import CountDropped, Enqueue, Settle, Take
from theater.limits import MESSAGE_START_BYTES


def left_unhandled(journal: Journal, count: int) -> None:
    """Messages of two receivers that became dead letters, the last one first, with their times."""
    for number in range(count):
        receiver = actor_row(number % 2).id
        journal.append((Enqueue(replace(message(number, receiver), body=bytes(70 + number))),))
    for number in reversed(range(count)):
        journal.append((Settle(f"message-{number}", "dead", f"for {number}", at_us=9 - number),))
    settled(journal)


def test_unhandled_messages_are_listed_in_the_order_in_which_they_came_to_be_so(
    journal: Journal,
) -> None:
    left_unhandled(journal, 5)
    journal.append((Enqueue(message(5)), Settle("message-5", "aside", reason="trap")))
    settled(journal)
    found = list(journal.unhandled("dead"))
    assert [each.message.id for each in found] == [f"message-{n}" for n in (4, 3, 2, 1, 0)]
    assert [each.at_us for each in found] == [5, 6, 7, 8, 9]
    assert [each.bytes for each in found] == [74, 73, 72, 71, 70]
    assert {len(each.message.body) for each in found} == {MESSAGE_START_BYTES}
    assert [each.message.reason for each in found] == [f"for {n}" for n in (4, 3, 2, 1, 0)]
    page = journal.unhandled("dead", limit=2)
    assert page == found[:2]
    assert list(journal.unhandled("dead", after=page[-1].number)) == found[2:]
    of_one = journal.unhandled("dead", actor_row(1).id)
    assert [each.message.id for each in of_one] == ["message-3", "message-1"]
    assert list(journal.unhandled("dead", actor_row(1).id, after=of_one[0].number)) == of_one[1:]
    (aside,) = journal.unhandled("aside")
    assert (aside.at_us, aside.message.body) == (None, b"body 5")
    whole = journal.message("message-4")
    assert whole is not None
    assert whole.body == bytes(74)
    assert journal.message("message-9") is None


def test_only_living_messages_are_read_as_such(journal: Journal) -> None:
    left_unhandled(journal, 2)
    for number in (5, 3, 4):
        journal.append((Enqueue(message(number)),))
    journal.append((Take("message-4"), Settle("message-5", "outstanding")))
    settled(journal)
    found = [(m.id, m.state) for m in journal.living_messages()]
    assert found == [("message-3", "waiting"), ("message-4", "taken"), ("message-5", "outstanding")]


def test_totals_follow_what_becomes_of_unhandled_messages(journal: Journal) -> None:
    assert journal.unhandled_totals("dead") == UnhandledTotals()
    left_unhandled(journal, 3)
    assert journal.unhandled_totals("dead") == UnhandledTotals(3, 213, 0)
    journal.append((Settle("message-0", "done"), CountDropped("dead", 1)))
    journal.append((Settle("message-1", "front"),))
    journal.append((Settle("message-2", "aside"), CountDropped("aside", 0)))
    journal.append((Settle("nothing", "dead"), CountDropped("dead", 2)))
    settled(journal)
    assert journal.unhandled_totals("dead") == UnhandledTotals(0, 0, 3)
    assert journal.unhandled_totals("aside") == UnhandledTotals(1, 72, 0)
    assert list(journal.unhandled("dead")) == []
    journal.append((Take("message-2"),))
    settled(journal)
    assert journal.unhandled_totals("aside") == UnhandledTotals()


def test_a_message_is_delivered_again_by_one_record(journal: Journal) -> None:
    left_unhandled(journal, 1)
    again = replace(message(7), id="again")
    journal.append((Settle("message-0", "done"), Enqueue(again)))
    settled(journal)
    assert list(journal.messages()) == list(journal.living_messages()) == [again]
    assert journal.unhandled_totals("dead") == UnhandledTotals()


def test_a_number_is_not_given_twice(journal: Journal) -> None:
    left_unhandled(journal, 2)
    last = journal.unhandled("dead")[-1]
    journal.append((Settle(last.message.id, "done"),))
    journal.append((Enqueue(message(8)), Settle("message-8", "dead")))
    settled(journal)
    assert [each.message.id for each in journal.unhandled("dead", after=last.number)] == [
        "message-8"
    ]
