"""What waits is bounded and has one owner: mailboxes, answers, clients' futures, workers."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runtime.actors import WAIT_S, guest, manifest, theater
from theater import limits
from theater.errors import ActorFailed, Unavailable
from theater.journal.memory import MemoryJournal
from theater.journal.records import Answer, Message
from theater.runtime.answers import actor_error, bounded, clipped, refusal
from theater.runtime.clients import Clients
from theater.runtime.dispatcher import Dispatcher
from theater.runtime.mailbox import Budget, Mailbox, size_of
from theater.runtime.settings import NodeSettings


def letter(size: int = 0, number: int = 1) -> Message:
    return Message(str(number), "b", "send", "actor", "a", bytes(size), number)


OVERHEAD = size_of(letter())


# Mailboxes


@given(st.lists(st.tuples(st.sampled_from("rflpbuc"), st.integers(0, 3), st.integers(0, 1))))
def test_mailboxes_count_what_they_hold_whatever_happens(
    steps: list[tuple[str, int, int]],
) -> None:
    budget = Budget(7 * OVERHEAD)
    boxes = [Mailbox(4, budget, 5 * OVERHEAD) for _ in range(2)]
    reserved: list[list[Message]] = [[], []]
    forced = 0
    for step, size, which in steps:
        box, places = boxes[which], reserved[which]
        message = letter(size * OVERHEAD // 2)
        match step:
            case "r":
                if box.reserve(size_of(message)):
                    places.append(message)
                    assert budget.used <= budget.bytes_max + forced
            case "f" if places:
                assert box.fill(places.pop()) is not box.closed
            case "l" if places:
                box.release(size_of(places.pop()))
            case "p":
                box.pop()
            case "b":
                box.push_front(message)
                forced += size_of(message)
            case "u":
                box.restore(message)
                forced += size_of(message)
            case "c":
                box.close()
        held = sum(box.bytes for box in boxes)
        assert held == budget.used
    for box, places in zip(boxes, reserved, strict=True):
        for message in places:
            box.release(size_of(message))
        box.close()
        assert box.bytes == 0
    assert budget.used == 0


def test_a_mailbox_refuses_what_is_above_its_bytes_or_those_of_all() -> None:
    budget = Budget(3 * OVERHEAD)
    box, other = Mailbox(100, budget, 2 * OVERHEAD), Mailbox(100, budget, 2 * OVERHEAD)
    assert box.reserve(2 * OVERHEAD)
    assert not box.reserve(1)
    assert not other.reserve(2 * OVERHEAD)
    assert other.reserve(OVERHEAD)
    box.release(2 * OVERHEAD)
    assert other.reserve(OVERHEAD)


@pytest.mark.parametrize("shared", [False, True], ids=["a place", "bytes of all mailboxes"])
def test_those_that_wait_for_a_place_get_it_in_turn(shared: bool) -> None:
    budget = Budget(OVERHEAD if shared else 100 * OVERHEAD)
    box = Mailbox(10 if shared else 1, budget)
    full = Mailbox(10, budget) if shared else box
    assert full.reserve(OVERHEAD)
    full.fill(letter())
    taken: list[bool] = []

    def send() -> None:
        taken.append(box.reserve(OVERHEAD, WAIT_S))
        box.fill(letter())
        box.pop()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    full.pop()
    for thread in threads:
        thread.join(WAIT_S)
    assert taken == [True] * 8
    assert budget.used == 0


def test_bytes_given_back_while_a_wait_for_them_begins_are_not_missed() -> None:
    budget = Budget(OVERHEAD)
    box, full = Mailbox(10, budget), Mailbox(10, budget)
    assert full.reserve(OVERHEAD)
    full.fill(letter())

    def meanwhile(_cancel: Callable[[], None]) -> Callable[[], None]:
        assert full.pop() is not None
        return lambda: None

    taken: list[bool] = []
    waiter = threading.Thread(
        target=lambda: taken.append(box.reserve(OVERHEAD, 2 * WAIT_S, meanwhile)), daemon=True
    )
    waiter.start()
    waiter.join(WAIT_S / 3)
    assert taken == [True]


def test_a_wait_for_a_place_ends_when_it_is_cancelled_and_when_the_mailbox_closes() -> None:
    box = Mailbox(1, Budget())
    assert box.reserve(OVERHEAD)
    undone = threading.Event()

    def at_once(cancel: Callable[[], None]) -> Callable[[], None]:
        cancel()
        return undone.set

    assert not box.reserve(OVERHEAD, WAIT_S, at_once)
    assert undone.is_set()

    def close(_cancel: Callable[[], None]) -> Callable[[], None]:
        box.close()
        return undone.clear

    assert not box.reserve(OVERHEAD, WAIT_S, close)
    assert not undone.is_set()


def test_a_full_node_refuses_messages_and_takes_them_again_later(
    tmp_path: Path, cache_dir: Path
) -> None:
    with theater(tmp_path / "data", NodeSettings(cache_dir=cache_dir)) as stage:
        counter = stage.start("counter")
        budget = stage.node._router.mailboxes
        rest = budget.bytes_max - budget.used
        budget.force(rest)
        with pytest.raises(Unavailable) as full:
            stage.node.send(counter.id, b"no room")
        assert full.value.code == "mailbox.full"
        budget.give(rest)
        assert stage.ask(counter, b"room") == b"1"
        assert budget.used == 0


# Answers


@given(st.text(min_size=1000, max_size=3000))
def test_errors_are_clipped_between_characters(text: str) -> None:
    short = clipped(text.encode())
    assert len(short) <= limits.ERROR_MESSAGE_BYTES_MAX
    assert text.startswith(short.decode())
    assert len(short) > limits.ERROR_MESSAGE_BYTES_MAX - 4 or short.decode() == text


def test_answers_are_bounded_by_who_gets_them() -> None:
    event = (3, bytes(32))
    answer = Answer(True, bytes(10), event)
    assert bounded(answer) == bounded(answer, 10) == answer
    refused = bounded(answer, 9)
    assert not refused.ok
    assert refused.event == event
    assert actor_error(refused).code == "answer.too_large"
    long = bounded(Answer(False, b"x" * 100_000, event), 9)
    assert len(long.body) == limits.ERROR_MESSAGE_BYTES_MAX
    assert len(refusal("actor.failed", "x" * 100_000).body) == limits.ERROR_MESSAGE_BYTES_MAX


# Clients


def test_a_client_is_told_once_and_forgotten() -> None:
    journal = MemoryJournal()
    clients = Clients(journal)
    first, second, other = Future[bytes](), Future[bytes](), Future[bytes]()
    for future in (first, second):
        clients.expect("m", future)
    clients.expect("n", other)
    assert clients.forget("m", first)
    assert not clients.forget("m", first)
    clients.tell("m", Answer(True, b"answer"), journal.appended())
    assert not clients.forget("m", second)
    assert second.result(WAIT_S) == b"answer"
    assert not first.done()
    assert clients.forget("n", other)
    assert len(clients) == 0
    journal.close()


def test_a_cancelled_future_does_not_keep_the_answer_from_the_others() -> None:
    journal = MemoryJournal()
    clients = Clients(journal)
    futures = [Future[bytes]() for _ in range(3)]
    for future in futures:
        clients.expect("m", future)
    futures[0].cancel()
    clients.tell("m", refusal("actor.ended", "it has ended"), journal.appended())
    for future in futures[1:]:
        assert isinstance(future.exception(WAIT_S), ActorFailed)
    journal.close()


def test_nobody_waits_for_a_node_that_has_closed() -> None:
    journal = MemoryJournal()
    clients = Clients(journal)
    before = Future[bytes]()
    clients.expect("m", before)
    closing = Unavailable("closing", code="node.closing")
    clients.close(closing)
    assert before.exception(WAIT_S) is closing
    with pytest.raises(Unavailable):
        clients.expect("m", Future())
    journal.close()


def test_every_start_that_a_closing_node_did_not_get_to_is_told(
    tmp_path: Path, cache_dir: Path
) -> None:
    held, gate = threading.Event(), threading.Event()

    def draw(length: int) -> bytes:
        if held.is_set():
            assert gate.wait(WAIT_S)
        return os.urandom(length)

    settings = NodeSettings(cache_dir=cache_dir, random=draw)
    with theater(tmp_path / "data", settings) as stage:
        digest = stage.node.add_component(guest("counter"))
        held.set()  # every start comes to need randomness, and none gets further
        starts = [stage.node.start(manifest("counter"), component=digest) for _ in range(400)]
        closing = threading.Thread(target=stage.node.close)
        closing.start()
        last = starts[-1].exception(WAIT_S)
        gate.set()
        closing.join(WAIT_S)
        told = [start.exception(WAIT_S) for start in starts]
    assert isinstance(last, Unavailable)
    assert all(error is None or isinstance(error, Unavailable) for error in told)


# Storage


def test_a_component_is_acknowledged_once_it_is_on_disk(tmp_path: Path, cache_dir: Path) -> None:
    disk = threading.Event()
    disk.set()

    def failpoint(point: str, _number: int) -> None:
        if point == "written":
            assert disk.wait(WAIT_S)

    settings = NodeSettings(cache_dir=cache_dir, failpoint=failpoint)
    with theater(tmp_path / "data", settings) as stage:
        disk.clear()
        told = threading.Event()

        def add() -> None:
            stage.node.add_component(b"whatever it is")
            told.set()

        threads = [threading.Thread(target=add) for _ in range(2)]  # the second finds it queued
        for thread in threads:
            thread.start()
        try:
            assert not told.wait(0.2)
        finally:
            disk.set()
        for thread in threads:
            thread.join(WAIT_S)
        assert told.is_set()


# Workers


class Job:
    crowded = False

    def __init__(self, run: Callable[[], None]) -> None:
        self._run = run

    def run_batch(self) -> bool:
        self._run()
        return False


def test_no_work_is_left_while_a_worker_may_be_added() -> None:
    for _ in range(50):
        dispatcher = Dispatcher(2, 2)
        idle = threading.Event()
        dispatcher.schedule(Job(idle.set))
        assert idle.wait(WAIT_S)
        while not dispatcher.statistics().idle:
            pass
        met = threading.Barrier(2)
        done = threading.Semaphore(0)

        def meet(met: threading.Barrier = met, done: threading.Semaphore = done) -> None:
            met.wait(WAIT_S)
            done.release()

        # The worker is notified of the first and, being slow to wake, of the second as well.
        dispatcher.schedule(Job(meet))
        dispatcher.schedule(Job(meet))
        for _each in range(2):
            assert done.acquire(timeout=20)
        assert dispatcher.close(WAIT_S)
