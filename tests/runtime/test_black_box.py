"""Whose call the end of a process came in, as the next process knows it."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest

from tests.runtime.actors import WAIT_S, guest, manifest, theater, until
from theater import limits
from theater.chain import shapes
from theater.errors import JournalFailed
from theater.journal.sqlite import SqliteJournal
from theater.runtime.black_box import FILE, SLOTS, SUSPECTS_MAX, BlackBox
from theater.runtime.dispatcher import Dispatcher
from theater.runtime.settings import NodeSettings


def suspects(data_dir: Path, *names: bytes) -> list[bytes]:
    box = BlackBox.open(data_dir)
    return [name for name in names if box.suspects(name)]


def test_who_ran_when_the_process_ended_is_suspected_until_that_is_said(tmp_path: Path) -> None:
    BlackBox.open(tmp_path).enter(b"a")
    for _ in range(2):
        assert suspects(tmp_path, b"a", b"b") == [b"a"]
    BlackBox.open(tmp_path).acquit(b"a")
    assert suspects(tmp_path, b"a", b"b") == []


def test_a_death_that_is_on_disk_is_not_counted_again_by_the_next_process(tmp_path: Path) -> None:
    BlackBox.open(tmp_path).enter(b"a")
    assert BlackBox.open(tmp_path).counts(b"a", 0) == 1
    box = BlackBox.open(tmp_path)
    assert box.counts(b"a", 1) == 1  # it ended before it could acquit
    assert box.counts(b"a", 0) == 1  # or before the count was on disk
    box.acquit(b"a")
    box.enter(b"a")
    assert BlackBox.open(tmp_path).counts(b"a", 1) == 2


def test_who_has_left_or_waits_for_another_is_not_suspected(tmp_path: Path) -> None:
    box = BlackBox.open(tmp_path)
    before = box.enter(b"asks")
    assert box.enter(b"asked") == b"asks"
    assert suspects(tmp_path, b"asks", b"asked") == [b"asked"]
    box = BlackBox.open(tmp_path)
    before = box.enter(b"asks")
    box.leave(box.enter(b"asked"))
    assert suspects(tmp_path, b"asks") == [b"asks"]
    BlackBox.open(tmp_path).acquit(b"asks")
    box = BlackBox.open(tmp_path)
    before = box.enter(b"asks")
    box.leave(before)
    assert suspects(tmp_path, b"asks") == []


def test_who_waits_is_not_suspected_and_is_again_when_it_goes_on(tmp_path: Path) -> None:
    box = BlackBox.open(tmp_path)
    dispatcher = Dispatcher(1, 1, box)
    box.enter(b"sleeps")
    with dispatcher.blocking(), dispatcher.blocking():
        assert suspects(tmp_path, b"sleeps") == []
        box = BlackBox.open(tmp_path)
    box = BlackBox.open(tmp_path)
    dispatcher = Dispatcher(1, 1, box)
    box.enter(b"slept")
    with dispatcher.blocking():
        pass
    assert suspects(tmp_path, b"slept") == [b"slept"]


def test_an_orderly_end_leaves_no_suspects(tmp_path: Path) -> None:
    box = BlackBox.open(tmp_path)
    box.enter(b"a")
    box.close()
    box.enter(b"b")
    assert suspects(tmp_path, b"a", b"b") == []


def test_suspects_run_one_at_a_time_and_not_while_one_waits(tmp_path: Path) -> None:
    BlackBox.open(tmp_path).enter(b"a")
    box = BlackBox.open(tmp_path)
    dispatcher = Dispatcher(2, 2, box)
    entered, go_on, runs = threading.Event(), threading.Event(), threading.Event()

    def other() -> None:
        entered.set()
        box.be_alone(b"other")
        before = box.enter(b"other")
        runs.set()
        go_on.wait(WAIT_S)
        box.leave(before)

    box.be_alone(b"a")
    before = box.enter(b"a")
    thread = threading.Thread(target=other)
    thread.start()
    assert entered.wait(WAIT_S)
    assert not runs.wait(0.1)
    with dispatcher.blocking():
        assert runs.wait(WAIT_S)
        go_on.set()
    box.leave(before)
    thread.join(WAIT_S)
    assert box._alone.acquire(timeout=0)


def test_who_computes_without_end_keeps_no_suspect_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SUSPECT_WAIT_S", 0.01)
    box = BlackBox.open(tmp_path)
    box.be_alone(b"computes")
    box.enter(b"computes")

    def other() -> None:
        box.be_alone(b"other")
        box.leave(box.enter(b"other"))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join(WAIT_S)
    assert not thread.is_alive()


def test_more_threads_than_there_is_room_for_go_on_without(tmp_path: Path) -> None:
    box = BlackBox.open(tmp_path)
    box._free[:] = box._free[:1]
    both = threading.Barrier(2)

    def run(name: bytes) -> None:
        before = box.enter(name)
        both.wait(WAIT_S)
        box.leave(before)

    threads = [threading.Thread(target=run, args=(name,)) for name in (b"a", b"b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert len(box._free) == 1
    assert suspects(tmp_path, b"a", b"b") == []


@pytest.mark.parametrize("size", [0, 100, 10_000_000])
def test_a_file_of_whatever_length_and_content_is_taken(tmp_path: Path, size: int) -> None:
    (tmp_path / FILE).write_bytes(b"\xff" * size)
    box = BlackBox.open(tmp_path)
    box.enter(b"a")
    assert suspects(tmp_path, b"a", b"b") == [b"a"]


def test_no_more_suspects_are_remembered_than_their_bound(tmp_path: Path) -> None:
    for number in range(SUSPECTS_MAX + 10):
        BlackBox.open(tmp_path).enter(b"%d" % number)
    box = BlackBox.open(tmp_path)
    assert sum(box.suspects(b"%d" % number) for number in range(SLOTS)) == SUSPECTS_MAX
    assert box.suspects(b"%d" % (SUSPECTS_MAX + 9))


def test_a_place_that_can_not_be_written_is_gone_without(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    box = BlackBox.open(tmp_path)
    box.leave(box.enter(b"a"))
    assert not box.suspects(b"a")


def test_a_full_disk_is_no_death_of_the_call_in_hand(tmp_path: Path, cache_dir: Path) -> None:
    full = threading.Event()

    def failpoint(point: str, _number: int) -> None:
        if point == "written" and full.is_set():
            raise OSError(errno.ENOSPC, "No space left on device")

    settings = NodeSettings(cache_dir=cache_dir, failpoint=failpoint)
    with theater(tmp_path, settings) as stage:
        actor = stage.start("loop", manifest("loop", deadline_ms=60_000))
        stage.tell(actor, b"go")
        until(lambda: stage.types(actor)[-1] == shapes.WASM_CALL, stage.node)
        full.set()
        with pytest.raises(JournalFailed):
            stage.node.add_component(guest("counter"))
        assert not any((tmp_path / FILE).read_bytes())
    journal = SqliteJournal.open(tmp_path)
    try:
        assert [row.deaths for row in journal.actors()] == [0]
    finally:
        journal.close()
