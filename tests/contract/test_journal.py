"""What every journal must do, whatever it stands on."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tests.contract.conftest import WAIT_S, A, Open, settled, with_chain
from tests.journal.making import Maker, actor_row, answer, kept, message, supervision
from theater.chain.event import Event, make_event
from theater.errors import IntegrityError, JournalFailed, TimedOut
from theater.journal.port import Journal
from theater.journal.records import (
    AnswerKey,
    Append,
    CancelTimer,
    Channel,
    CloseChannel,
    CreateActor,
    Enqueue,
    FireTimer,
    Keep,
    NewStore,
    OpenChannel,
    OpenKey,
    PutContent,
    SetActor,
    SetLabel,
    SetSupervision,
    SetTimer,
    Settle,
    Take,
    Timer,
)


def test_records_are_numbered_from_one_in_the_order_of_appending(journal: Journal) -> None:
    assert journal.appended() == 0
    assert [journal.append((CreateActor(actor_row(n)),)) for n in range(3)] == [1, 2, 3]
    assert journal.appended() == 3
    settled(journal)
    assert journal.durable() == 3


def test_a_chain_is_read_back_as_it_was_appended(journal: Journal) -> None:
    maker = Maker()
    journal.append((maker.actor(0),))
    events = []
    for n in range(700):
        step = maker.event(A, bytes([n % 256]) * (n % 90), f"type-{n % 7}")
        events.append(step.event)
        journal.append((step,))
    settled(journal)
    assert list(journal.events(A)) == events
    assert list(journal.events(A, 431)) == events[431:]
    assert list(journal.events(A, 250, 20)) == events[250:270]
    assert list(journal.events(A, 699, 5)) == events[699:]
    assert list(journal.events(A, 700)) == []
    assert list(journal.events("nobody")) == []


def test_events_as_large_as_allowed_are_read_back(journal: Journal) -> None:
    maker = Maker()
    journal.append((maker.actor(0),))
    steps = [maker.event(A, bytes([n]) * 65_536, "t" * 255) for n in range(9)]
    journal.append(tuple(steps))
    settled(journal)
    assert [event.data for event in journal.events(A)] == [bytes([n]) * 65_536 for n in range(9)]


def test_an_event_whose_data_is_gone_is_read_with_its_digest(journal: Journal) -> None:
    maker = Maker()
    journal.append((maker.actor(0),))
    step = maker.event(A)
    event = step.event
    gone = Event(event.seq, event.at, event.parent, event.type, None, event.data_digest, event.hash)
    journal.append((replace(step, event=gone),))
    settled(journal)
    assert list(journal.events(A)) == [gone]


def test_the_tip_is_that_of_the_last_event(journal: Journal) -> None:
    maker = with_chain(journal, 5)
    row = journal.actor(A)
    assert row is not None
    assert row.tip == maker.tips[A]


@pytest.mark.parametrize("fault", ["seq", "parent", "tip", "actor", "twice"])
def test_an_event_that_does_not_follow_its_chain_fails_the_journal(
    journal: Journal, fault: str
) -> None:
    maker = with_chain(journal, 2)
    good = maker.event(A)
    event = good.event
    bad = {
        "seq": Append(A, make_event(7, 9, event.parent, "x", b""), good.tip),
        "parent": Append(A, make_event(2, 9, bytes(32), "x", b""), good.tip),
        "tip": Append(A, event, replace(good.tip, hash=bytes(32))),
        "actor": Append("nobody", event, good.tip),
        "twice": CreateActor(actor_row(0)),
    }[fault]
    told: list[BaseException] = []
    all_told = threading.Event()
    journal.on_failure(told.append)
    journal.on_failure(lambda _: all_told.set())
    before = journal.append((CreateActor(actor_row(9)),))
    number = journal.append((SetActor(A, deaths=3), bad))
    with pytest.raises(JournalFailed):
        journal.wait(number, WAIT_S)
    assert journal.durable() == before
    with pytest.raises(JournalFailed):
        journal.append(())
    row = journal.actor(A)
    assert row is not None
    assert (row.deaths, row.tip.seq) == (0, 1)
    assert journal.actor(actor_row(9).id) is not None
    assert all_told.wait(WAIT_S)
    assert [type(error) for error in told] == [JournalFailed]


def test_what_is_not_durable_is_not_read_except_content_and_keys(opening: Open) -> None:
    reached, go = threading.Event(), threading.Event()

    def failpoint(point: str, number: int) -> None:
        if (point, number) == ("written", 1):
            reached.set()
            assert go.wait(WAIT_S)

    journal = opening(failpoint=failpoint)
    keep = kept(1, 1, large=False)
    record = (
        *(CreateActor(actor_row(0)), keep, Enqueue(message(0))),
        *(OpenKey("k", "m", 5), AnswerKey("k", answer(1))),
    )
    appender = threading.Thread(target=journal.append, args=(record,))
    appender.start()
    assert reached.wait(WAIT_S)
    try:
        assert journal.appended() == 1
        assert journal.durable() == 0
        assert journal.content(keep.digest) == (keep.salt, keep.data)
        assert journal.has_content(keep.digest)
        key = journal.key("k")
        assert key is not None
        assert key.answer == answer(1)
        assert journal.actor(A) is None
        assert list(journal.messages()) == []
    finally:
        go.set()
        appender.join(WAIT_S)
    settled(journal)
    assert journal.actor(A) is not None
    assert len(journal.messages()) == 1
    assert journal.content(keep.digest) == (keep.salt, keep.data)


@pytest.mark.parametrize("large", [False, True])
def test_content_is_read_back_with_its_salt(journal: Journal, large: bool) -> None:
    salted, plain = kept(2, 3, large=large), kept(2, 2, large=large)
    journal.append((salted, plain, salted))
    journal.append((plain,))
    settled(journal)
    assert journal.content(salted.digest) == (salted.salt, salted.data)
    assert journal.content(plain.digest) == (None, plain.data)
    assert journal.content(bytes(32)) is None
    assert not journal.has_content(bytes(32))


def test_content_under_another_digest_is_refused_on_reading(journal: Journal) -> None:
    journal.append((Keep(bytes(32), None, b"other"),))
    settled(journal)
    with pytest.raises(IntegrityError):
        journal.content(bytes(32))


def test_a_mailbox_is_read_in_the_order_of_positions(journal: Journal) -> None:
    for position in (5, 3, 4):
        journal.append((Enqueue(replace(message(position), position=position)),))
    journal.append((Enqueue(message(1, "actor_0001")),))
    journal.append((Take("message-4"),))
    journal.append((Settle("message-3", "dead", reason="gone"),))
    settled(journal)
    found = journal.messages(A)
    assert [(m.position, m.state, m.reason) for m in found] == [
        (3, "dead", "gone"),
        (4, "taken", None),
        (5, "waiting", None),
    ]
    assert [m.position for m in journal.messages()] == [1, 3, 4, 5]
    assert [m.position for m in journal.messages(limit=2)] == [1, 3]


def test_a_message_keeps_all_that_it_was_enqueued_with(journal: Journal) -> None:
    full = replace(
        message(0),
        attempt=2,
        subject="s",
        deadline_us=9,
        trace="t",
        cause=(3, b"h" * 32),
        wait="w",
        key="k",
        reason="r",
    )
    journal.append((Enqueue(full),))
    settled(journal)
    assert list(journal.messages()) == [full]


def test_a_message_put_to_the_front_has_its_place_and_its_attempts(journal: Journal) -> None:
    journal.append((Enqueue(message(0)), Enqueue(message(1))))
    settled(journal)
    journal.append((Take("message-0"),))
    journal.append((Settle("message-0", "front", attempt=1),))
    settled(journal)
    assert [(m.id, m.state, m.attempt) for m in journal.messages()] == [
        ("message-0", "waiting", 1),
        ("message-1", "waiting", 0),
    ]


def test_a_timer_is_due_again_until_the_last_time(journal: Journal) -> None:
    first, second = Timer("t1", A, "every", 20, b"p", span_us=5), Timer("t2", A, "after", 10, b"q")
    journal.append((SetTimer(first),))
    journal.append((SetTimer(second),))
    settled(journal)
    assert list(journal.timers()) == [second, first]
    assert list(journal.timers("nobody")) == []
    journal.append((FireTimer("t1", 25), Enqueue(message(0))))
    journal.append((FireTimer("t1", 30), Enqueue(message(1))))
    journal.append((FireTimer("t2", None), Enqueue(message(2))))
    settled(journal)
    assert list(journal.timers(A)) == [replace(first, due_us=30, fired=2)]
    assert len(journal.messages()) == 3
    journal.append((CancelTimer("t1"),))
    journal.append((FireTimer("t1", 35), FireTimer("nothing", 5), CancelTimer("nothing")))
    settled(journal)
    assert list(journal.timers()) == []


def test_a_channel_is_open_until_it_is_closed(journal: Journal) -> None:
    ours, clients = Channel("ch_2", A, "b"), Channel("ch_1", None, A)
    journal.append((OpenChannel(ours), Enqueue(message(0))))
    journal.append((OpenChannel(clients),))
    journal.append((OpenChannel(Channel("ch_3", A, "b")), CloseChannel("ch_3")))
    settled(journal)
    assert list(journal.channels()) == [clients, ours]
    journal.append((CloseChannel("ch_2"), CloseChannel("nothing"), Enqueue(message(1))))
    settled(journal)
    assert list(journal.channels()) == [clients]


def test_keys_are_forgotten_by_their_age(journal: Journal) -> None:
    journal.append((OpenKey("old", "m1", 10), OpenKey("new", "m2", 20)))
    journal.append((AnswerKey("new", answer(3)),))
    journal.append((AnswerKey("new", answer(4)),))
    journal.forget_keys(20)
    settled(journal)
    assert journal.key("old") is None
    found = journal.key("new")
    assert found is not None
    assert (found.message, found.at_us, found.answer) == ("m2", 20, answer(3))


def test_a_store_is_read_as_of_everything_appended(journal: Journal) -> None:
    one, two = bytes([1]) * 32, bytes([2]) * 32
    journal.append((NewStore("s", A), PutContent("s", one, 5), SetLabel("s", "l", (two, one))))
    journal.append((SetLabel("s", "empty", (one,)),))
    journal.append((SetLabel("s", "empty", ()), PutContent("s", two, 7)))
    image = journal.store_image("s")
    assert image is not None
    assert (image.owner, image.contents) == (A, {one: 5, two: 7})
    assert image.labels == {"l": (two, one)}
    assert list(journal.stores_of(A)) == ["s"]
    assert journal.store_image("t") is None


def test_what_a_supervisor_remembers_is_that_of_the_last_step(journal: Journal) -> None:
    first, last, other = supervision(1, 5), supervision(1, 1), supervision(2, 3)
    assert first.supervisor == last.supervisor != other.supervisor
    for step in (first, last, other):
        journal.append((step,))
    settled(journal)
    assert list(journal.supervision()) == [last, other]
    journal.append((SetSupervision(last.supervisor),))
    settled(journal)
    assert list(journal.supervision()) == [other]


def test_actors_are_listed_by_number_and_found_by_id_or_name(journal: Journal) -> None:
    for number in range(5):
        journal.append((CreateActor(actor_row(number, f"name-{number % 2}")),))
    journal.append((SetActor(actor_row(1).id, status="stopped", outcome=answer(1)),))
    settled(journal)
    assert [row.number for row in journal.actors()] == [0, 2, 3, 4]
    assert [row.number for row in journal.actors(ended=True)] == [0, 1, 2, 3, 4]
    assert [row.number for row in journal.actors(after=2, limit=1)] == [3]
    assert [row.number for row in journal.find_actors("name-1")] == [3, 1]
    assert [row.number for row in journal.find_actors("actor_0002")] == [2]
    assert [row.number for row in journal.find_actors("actor_")] == [0, 2, 3, 4, 1]
    assert [row.number for row in journal.find_actors("actor_", 2)] == [0, 2]
    assert list(journal.find_actors("ctor")) == []
    assert journal.next_number() == 5
    stopped = journal.actor(actor_row(1).id)
    assert stopped is not None
    assert (stopped.status, stopped.outcome) == ("stopped", answer(1))


def test_children_are_found_by_their_parent_the_last_first(journal: Journal) -> None:
    for number in range(5):
        parent = actor_row(0).id if number in (1, 3, 4) else None
        journal.append((CreateActor(replace(actor_row(number), parent=parent)),))
    journal.append((SetActor(actor_row(3).id, status="stopped"),))
    settled(journal)
    assert [row.number for row in journal.children(A)] == [4, 3, 1]
    assert [row.number for row in journal.children(A, limit=1)] == [4]
    assert [row.number for row in journal.children(A, before=4)] == [3, 1]
    assert list(journal.children(actor_row(1).id)) == []


def test_columns_that_a_change_does_not_name_stay(journal: Journal) -> None:
    journal.append((CreateActor(actor_row(0)),))
    settled(journal)
    journal.append((SetActor(A, deaths=2),))
    journal.append((SetActor(A, shutdown=True),))
    journal.append((SetActor(A, stopped_by="parent"),))
    settled(journal)
    journal.append((SetActor(A, engine=b"engine"),))
    settled(journal)
    row = journal.actor(A)
    expected = replace(actor_row(0), deaths=2, shutdown=True, stopped_by="parent", engine=b"engine")
    assert row == expected
    journal.append((SetActor(A, component=bytes(32)), SetActor(A, engine=b"e")))
    settled(journal)
    row = journal.actor(A)
    assert row == replace(expected, component=bytes(32), engine=b"e")


def test_who_waits_is_told_in_order_once_it_is_durable(journal: Journal) -> None:
    told: list[int] = []
    over = threading.Event()
    for number in range(1, 21):
        journal.append((Enqueue(message(number)),))
        journal.when_durable(
            number, lambda error, n=number: told.append(n if error is None else -n)
        )
    journal.when_durable(20, lambda _: over.set())
    assert over.wait(WAIT_S)
    assert told == sorted(told)
    assert set(told) == set(range(1, 21))


class Commits:
    """A listener that remembers the last event of each chain; who waits for a picture gets it."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}
        self._changed = threading.Condition()

    def __call__(self, grown: dict[str, int]) -> None:
        with self._changed:
            self.seen.update(grown)
            self._changed.notify_all()

    def reached(self, expected: dict[str, int]) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.seen == expected, WAIT_S)


def test_commits_are_told_with_the_last_event_of_each_chain(journal: Journal) -> None:
    first, second = Commits(), Commits()
    off = journal.on_commit(first)
    journal.on_commit(second)
    maker = with_chain(journal, 6)
    assert first.reached({A: 5})
    assert second.reached({A: 5})
    off()
    journal.append((maker.event(A),))
    assert second.reached({A: 6})
    assert first.seen == {A: 5}


def test_a_listener_that_raises_stops_nobody(journal: Journal) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("broken")

    commits = Commits()
    journal.on_commit(broken)
    journal.on_commit(commits)
    journal.when_durable(2, broken)
    with_chain(journal, 2)
    assert commits.reached({A: 1})
    assert journal.append(()) == 4


def test_waiting_for_a_record_that_never_comes_times_out(journal: Journal) -> None:
    with pytest.raises(TimedOut):
        journal.wait(1, 0.01)


def test_closing_writes_what_is_queued_and_refuses_more(opening: Open) -> None:
    journal = opening()
    for number in range(50):
        journal.append((Enqueue(message(number)),))
    told: list[BaseException | None] = []
    journal.when_durable(50, told.append)
    journal.when_durable(51, told.append)
    journal.close()
    journal.close()
    assert journal.durable() == 50
    assert [type(error) for error in told] == [type(None), JournalFailed]
    with pytest.raises(JournalFailed) as failure:
        journal.append(())
    assert failure.value.code == "journal.closed"


def test_concurrent_appenders_lose_nothing_and_keep_their_own_order(journal: Journal) -> None:
    makers = {number: Maker() for number in range(4)}
    for number in makers:
        journal.append((CreateActor(actor_row(number)),))

    def run(number: int) -> None:
        maker = Maker()
        actor = actor_row(number)
        maker.tips[actor.id] = actor.tip
        for _ in range(200):
            journal.append((maker.event(actor.id),))
        makers[number] = maker

    threads = [threading.Thread(target=run, args=(number,)) for number in makers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    settled(journal)
    for number, maker in makers.items():
        events = list(journal.events(actor_row(number).id))
        assert len(events) == 200
        assert events[-1].hash == maker.tips[actor_row(number).id].hash


def test_a_chain_is_read_while_it_grows(journal: Journal) -> None:
    maker = with_chain(journal, 600)
    begun = journal.events(A)
    read: list[Event] = [next(begun)]
    stop = threading.Event()

    def grow() -> None:
        while not stop.is_set():
            journal.append((maker.event(A),))

    growing = threading.Thread(target=grow)
    growing.start()
    try:
        read.extend(begun)
        later = list(journal.events(A, 590, 10))
    finally:
        stop.set()
        growing.join(WAIT_S)
    assert [event.seq for event in read[:600]] == list(range(600))
    assert [event.seq for event in later] == list(range(590, 600))


@pytest.mark.parametrize("bound", ["records", "bytes"])
def test_appending_waits_for_room(opening: Open, bound: str) -> None:
    go = threading.Event()

    def failpoint(point: str, number: int) -> None:
        if point == "written":
            assert go.wait(WAIT_S)

    journal = (
        opening(failpoint=failpoint, queue_records_max=3, group_records_max=1)
        if bound == "records"
        else opening(failpoint=failpoint, queue_bytes_max=3_000, group_records_max=1)
    )
    appended: list[int] = []

    def run() -> None:
        for number in range(8):
            record = (Enqueue(replace(message(number), body=bytes(700))),)
            appended.append(journal.append(record))

    appenders = [threading.Thread(target=run) for _ in range(2)]
    for appender in appenders:
        appender.start()
    highest = 0
    while not any(not appender.is_alive() for appender in appenders):
        waiting = journal.appended() - journal.durable()
        highest = max(highest, waiting)
        if waiting >= 2:
            go.set()
    for appender in appenders:
        appender.join(WAIT_S)
    settled(journal)
    assert highest <= 3
    assert journal.durable() == 16
    assert journal.statistics().queued_bytes == 0


def test_a_callback_may_append_even_when_there_is_no_room(opening: Open) -> None:
    journal = opening(queue_records_max=1, group_records_max=1)
    over = threading.Event()

    def again(error: BaseException | None) -> None:
        assert error is None
        journal.append((Enqueue(message(1)),))
        journal.append((Enqueue(message(2)),))
        journal.append((Enqueue(message(3)),))
        journal.when_durable(4, lambda _: over.set())

    journal.when_durable(1, again)
    journal.append((Enqueue(message(0)),))
    assert over.wait(WAIT_S)
    assert len(journal.messages()) == 4


@pytest.mark.parametrize("point", ["before", "queued", "written", "committed"])
def test_each_point_of_each_record_is_passed_in_order(opening: Open, point: str) -> None:
    passed: list[int] = []

    def failpoint(at: str, number: int) -> None:
        if at == point:
            passed.append(number)

    journal = opening(failpoint=failpoint, group_records_max=1)
    for number in range(10):
        journal.append((Enqueue(message(number)),))
    settled(journal)
    assert passed == list(range(1, 11))
    assert journal.statistics().groups == 10


@pytest.mark.parametrize("point", ["written", "committed"])
def test_a_failure_before_and_after_the_commit_tells_everyone(opening: Open, point: str) -> None:
    def failpoint(at: str, number: int) -> None:
        if (at, number) == (point, 3):
            raise OSError("no more disk")

    journal = opening(failpoint=failpoint, group_records_max=1)
    told: list[BaseException] = []
    heard = threading.Event()

    def listener(error: BaseException) -> None:
        told.append(error)
        heard.set()

    journal.on_failure(listener)
    waiting: list[BaseException | None] = []
    journal.when_durable(9, waiting.append)
    failures: list[Callable[[], object]] = []
    for number in range(3):
        journal.append((Enqueue(message(number)),))
    with pytest.raises(JournalFailed):
        journal.wait(3, WAIT_S)
    failures.append(lambda: journal.append(()))
    failures.append(lambda: journal.wait(4, WAIT_S))
    for fails in failures:
        with pytest.raises(JournalFailed):
            fails()
    assert journal.durable() == 2
    assert heard.wait(WAIT_S)  # listeners hear of it behind those who wait
    assert len(told) == 1
    assert [type(error) for error in waiting] == [JournalFailed]
    late: list[BaseException] = []
    journal.on_failure(late.append)
    assert len(late) == 1
