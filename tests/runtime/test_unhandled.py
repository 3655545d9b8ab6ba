"""Dead letters and messages set aside: each with its reason, delivered again once, never too many."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw
import pytest
from msgspec.structs import replace

from tests.runtime.actors import GUESTS, WAIT_S, Theater, guest, manifest, theater, until
from tests.runtime.test_router_waits import HOUR_S, Ahead
from theater import limits
from theater.chain import shapes
from theater.clock import SystemClock
from theater.engine import wat
from theater.errors import (
    ActorFailed,
    ComponentError,
    IntegrityError,
    NotFound,
    TheaterError,
    TimedOut,
    TooLarge,
)
from theater.handlers.port import Places
from theater.journal.memory import MemoryJournal
from theater.journal.port import Unhandled
from theater.journal.records import Enqueue, Message, Settle, UnhandledState
from theater.journal.sqlite import SqliteJournal
from theater.manifest.model import Errors
from theater.runtime import recovery
from theater.runtime.info import ActorInfo
from theater.runtime.node import Node
from theater.runtime.settings import NodeSettings
from theater.runtime.unhandled import attempts

TAKES_MESSAGES = '  (instance (export "theater:simple/message-server-client")'


def letter(id_: str, receiver: str, **other: Any) -> Message:
    return Message(id_, receiver, "send", "client", "outside", b"", 1, **other)


def dead(stage: Theater, actor: ActorInfo | None = None) -> list[Unhandled]:
    return list(stage.node.dead_letters(None if actor is None else actor.id).messages)


def aside(stage: Theater, actor: ActorInfo | None = None) -> list[Unhandled]:
    return list(stage.node.quarantine(None if actor is None else actor.id).messages)


def reasons(found: list[Unhandled]) -> list[str | None]:
    return [each.message.reason for each in found]


def set_aside(stage: Theater, actor: ActorInfo, body: bytes = b"trap") -> str:
    """Have a message set aside; returns its id."""
    before = len(aside(stage))
    sent = stage.tell(actor, body)
    until(lambda: len(aside(stage)) == before + 1, stage.node)
    return sent


# What is listed, and why


def test_a_message_that_trapped_twice_is_listed_with_what_it_was(stage: Theater) -> None:
    counter = stage.start("counter")
    before_us = stage.settings.clock.wall_us()
    sent = set_aside(stage, counter)
    (found,) = aside(stage, counter)
    message = found.message
    assert (message.id, message.receiver, message.state) == (sent, counter.id, "aside")
    assert (message.kind, message.origin, message.sender) == ("send", "client", "outside")
    assert (message.reason, attempts(message)) == ("trap", 2)
    assert (found.bytes, message.body) == (4, b"trap")
    assert found.at_us is not None
    assert before_us <= found.at_us <= stage.settings.clock.wall_us()
    assert dead(stage) == []
    assert stage.node.unhandled(sent).body == b"trap"


def test_messages_of_an_actor_that_ended_are_listed_and_its_askers_are_told(
    stage: Theater,
) -> None:
    busy = stage.start("loop", manifest("loop", deadline_ms=30_000))
    stage.node.send(busy.id, b"go")
    until(lambda: stage.types(busy)[-1] == "wasm-call", stage.node)
    waiting = stage.node.request(busy.id, b"?")
    stage.tell(busy, b"late")
    stage.node.stop(busy.id, force=True).result(WAIT_S)
    with pytest.raises(ActorFailed):
        waiting.result(WAIT_S)
    found = dead(stage, busy)
    told = {(each.message.body, each.message.reason, attempts(each.message)) for each in found}
    assert told == {(b"go", "killed", 1), (b"?", "actor.ended", 0), (b"late", "actor.ended", 0)}
    other = stage.start("counter")
    assert dead(stage, other) == []


def test_a_message_whose_receiver_ended_with_the_node_is_listed(
    tmp_path: Path, cache_dir: Path
) -> None:
    settings = NodeSettings(cache_dir=cache_dir)
    with theater(tmp_path / "data", settings) as stage:
        counter = stage.start("counter")
        stage.node.stop(counter.id).result(WAIT_S)
        stage.node.close()
        journal = SqliteJournal.open(tmp_path / "data")
        journal.append((Enqueue(letter("msg_late", counter.id)),))
        journal.close()
        stage.reopen()
        until(lambda: reasons(dead(stage)) == ["actor.ended"], stage.node)


class Impatient:
    """A sender that takes a place or none."""

    def has_place(self, places: Places, size: int) -> bool:
        return places.reserve(size)

    def await_place(self, _places: Places, _size: int, _timeout_s: float) -> bool:
        return False


def test_a_message_that_comes_while_its_receiver_ends_is_listed(stage: Theater) -> None:
    counter = stage.start("counter")
    router = stage.node._router
    put = router.admit(letter("msg_between", counter.id), 0, Impatient())
    stage.node.journal.append((Enqueue(letter("msg_between", counter.id)),))
    stage.node.stop(counter.id).result(WAIT_S)
    put()
    assert reasons(dead(stage)) == ["actor.stopped"]


def test_a_message_that_no_export_handles_is_listed(stage: Theater) -> None:
    text = (GUESTS / "counter.wat").read_text()
    actor = stage.start(wat(text.partition(TAKES_MESSAGES)[0] + ")"))
    # Before its component is loaded nobody knows what it exports.
    stage.reopen()
    stage.tell(actor, b"?")
    until(lambda: reasons(dead(stage)) == ["actor.no_handler"], stage.node)
    (found,) = dead(stage)
    with pytest.raises(NotFound) as refused:
        stage.node.deliver(found.message.id)
    assert refused.value.code == "actor.no_handler"
    assert len(dead(stage)) == 1


@pytest.mark.parametrize(
    ("name", "bounds", "reason"),
    [
        ("counter", {}, "trap"),
        ("grow", {"memory": 8 * 1024 * 1024}, "trap"),
        ("recurse", {"deadline_ms": 5000}, "stack"),
        ("loop", {"deadline_ms": 100}, "deadline"),
        ("loop", {"fuel": 100_000}, "fuel"),
    ],
)
def test_a_call_that_ends_badly_twice_gives_its_end_as_the_reason(
    stage: Theater, name: str, bounds: dict[str, int], reason: str
) -> None:
    actor = stage.start(name, manifest(name, **bounds))
    set_aside(stage, actor)
    (found,) = aside(stage)
    assert (found.message.reason, attempts(found.message)) == (reason, 2)


@pytest.mark.parametrize(
    ("name", "asked", "bounds", "reason"),
    [
        ("busy", b"l1000", {"events_per_call": 10}, "events"),
        ("counter", b"more", {"state_bytes": 1}, "state"),
        ("counter", b"fail", {}, "error"),
    ],
)
def test_a_request_with_which_a_call_ends_badly_twice_is_an_error_and_set_aside(
    stage: Theater, name: str, asked: bytes, bounds: dict[str, int], reason: str
) -> None:
    state = b"9" if name == "counter" else None
    strict = dataclasses.replace(manifest(name, **bounds), errors=Errors.FAIL)
    actor = stage.start(name, strict, state)
    with pytest.raises(ActorFailed):
        stage.ask(actor, asked)
    (found,) = aside(stage, actor)
    assert (found.message.reason, attempts(found.message)) == (reason, 2)
    stage.prove(actor)


def test_an_answer_that_comes_too_late_leaves_its_request_with_that_reason(
    tmp_path: Path, cache_dir: Path
) -> None:
    clock = Ahead()
    with theater(tmp_path / "data", NodeSettings(cache_dir=cache_dir, clock=clock)) as stage:
        patient = stage.start("defer")
        relay = stage.start("relay", state=patient.id.encode())
        answer = stage.node.request(relay.id, b"?", timeout_ms=limits.WAIT_MS_MAX)
        until(lambda: len(patient_has(stage, patient)) == 1, stage.node)
        clock.seconds += HOUR_S
        stage.tell(patient, b"too late")
        with pytest.raises(ActorFailed):
            answer.result(WAIT_S)
        (found,) = dead(stage, patient)
        assert (found.message.reason, found.message.sender) == ("answer.late", relay.id)
        assert attempts(found.message) == 0
        assert found.at_us is not None
        assert found.at_us > clock.wall_us() - HOUR_S * 1e6


def test_a_request_whose_requester_ended_is_left_with_that_reason(stage: Theater) -> None:
    patient = stage.start("defer")
    relay = stage.start("relay", state=patient.id.encode())
    stage.node.request(relay.id, b"?")
    until(lambda: len(patient_has(stage, patient)) == 1, stage.node)
    stage.node.stop(relay.id, force=True).result(WAIT_S)
    until(lambda: reasons(dead(stage, patient)) == ["request.abandoned"], stage.node)


def test_an_actor_that_can_not_be_loaded_leaves_its_message_with_the_code(
    stage: Theater, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = stage.start("counter")
    stage.reopen()

    def spoiled(*_: object) -> object:
        raise ComponentError("it is no component any more")

    monkeypatch.setattr(stage.node._programs, "program", spoiled)
    stage.tell(counter, b"?")
    until(lambda: reasons(dead(stage)) == ["component.invalid"], stage.node)
    assert stage.node.info(counter.id).status == "failed"


def test_a_message_whose_recovery_does_not_follow_is_set_aside_and_says_so(
    stage: Theater, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = stage.start("loop", manifest("loop", deadline_ms=60_000))
    stage.tell(busy, b"go")
    until(lambda: stage.types(busy)[-1] == shapes.WASM_CALL, stage.node)

    def unreadable(*_: object) -> object:
        raise IntegrityError("what was recorded can't be read")

    monkeypatch.setattr(recovery, "_run_again", unreadable)
    stage.reopen()
    until(lambda: reasons(aside(stage)) == ["diverged"], stage.node)
    (found,) = aside(stage, busy)
    assert attempts(found.message) == 1


# Delivering again


def test_a_message_that_is_delivered_again_is_a_new_one_of_the_same_sender(
    stage: Theater,
) -> None:
    counter = stage.start("counter")
    relay = stage.start("relay", state=counter.id.encode())
    with pytest.raises(ActorFailed):
        stage.ask(relay, b"trap")
    (found,) = aside(stage, counter)
    old = found.message
    assert (old.kind, old.origin, old.sender) == ("request", "actor", relay.id)
    patient = stage.start("defer")
    new = stage.node.deliver(old.id, to=patient.id).result(WAIT_S)
    until(lambda: patient_has(stage, patient) == [new], stage.node)
    kept = stage.node.journal.message(new)
    assert kept is not None
    assert (kept.origin, kept.sender, kept.cause) == ("actor", relay.id, old.cause)
    assert (kept.attempt, kept.wait, kept.key, kept.reason) == (0, None, None, None)
    assert kept.deadline_us is not None
    assert kept.body == b"trap"
    assert aside(stage) == dead(stage) == []
    assert stage.node.journal.message(old.id) is None
    # Nobody waits for the answer: it goes nowhere, and nothing is left of the request.
    stage.tell(patient, b"the answer")
    until(lambda: not stage.node.journal.messages(), stage.node)
    called = [e for e in stage.node.events(patient.id) if e.type == shapes.WASM_CALL]
    form = shapes.parse(called[1].type, called[1].data or b"")
    assert isinstance(form, shapes.Call)
    assert form.message is not None
    assert (form.message.id, form.message.sender, form.message.attempt) == (new, relay.id, 0)
    for actor in (counter, relay, patient):
        stage.prove(actor)


def patient_has(stage: Theater, patient: ActorInfo) -> list[str]:
    """What a deferring actor has outstanding."""
    messages = stage.node.journal.messages(patient.id)
    return [m.id for m in messages if m.state == "outstanding"]


def test_a_delivered_request_that_is_never_answered_is_a_dead_letter_at_its_deadline(
    tmp_path: Path, cache_dir: Path
) -> None:
    clock = Ahead()
    with theater(tmp_path / "data", NodeSettings(cache_dir=cache_dir, clock=clock)) as stage:
        counter, patient = stage.start("counter"), stage.start("defer")
        with pytest.raises(ActorFailed):
            stage.ask(counter, b"trap")
        new = stage.node.deliver(aside(stage)[0].message.id, to=patient.id).result(WAIT_S)
        until(lambda: patient_has(stage, patient) == [new], stage.node)
        clock.seconds += HOUR_S
        until(lambda: reasons(dead(stage)) == ["request.timed_out"], stage.node)
        assert [each.message.id for each in dead(stage, patient)] == [new]


def test_a_message_that_fails_again_twice_is_set_aside_again(stage: Theater) -> None:
    counter = stage.start("counter")
    sent = set_aside(stage, counter)
    new = stage.node.deliver(sent).result(WAIT_S)
    until(lambda: [each.message.id for each in aside(stage)] == [new], stage.node)
    (found,) = aside(stage)
    assert attempts(found.message) == 2
    assert stage.types(counter).count(shapes.WASM_ERROR) == 4
    assert stage.ask(counter, b"fine") == b"1"
    stage.prove(counter)


def test_what_can_not_be_delivered_stays_where_it_is(
    stage: Theater, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = stage.start("counter")
    full = stage.start("loop", manifest("loop", mailbox=1, deadline_ms=60_000))
    small = stage.start("counter", manifest("counter", message_bytes=3))
    sent = set_aside(stage, counter)
    stage.tell(full, b"in hand")
    until(lambda: stage.types(full)[-1] == shapes.WASM_CALL, stage.node)
    stage.tell(full, b"fills the mailbox")
    ended = stage.start("counter")
    stage.node.stop(ended.id).result(WAIT_S)
    for to, code, kind in (
        (full, "mailbox.full", TimedOut),
        (small, "message.too_large", TooLarge),
        (ended, "actor.ended", NotFound),
    ):
        with pytest.raises(kind) as refused:
            stage.node.deliver(sent, to=to.id)
        assert refused.value.code == code
        assert [each.message.id for each in aside(stage)] == [sent]
    stage.node.stop(full.id, force=True).result(WAIT_S)
    assert stage.node.deliver(sent).result(WAIT_S) != sent


def test_of_many_who_deliver_one_message_one_does(stage: Theater) -> None:
    counter, patient = stage.start("counter"), stage.start("defer")
    with pytest.raises(ActorFailed):
        stage.ask(counter, b"trap")
    (found,) = aside(stage)
    done: list[str] = []

    def deliver(key: str | None) -> None:
        try:
            sent = stage.node.deliver(found.message.id, to=patient.id, key=key)
            done.append(sent.result(WAIT_S))
        except NotFound as error:
            done.append(error.code)

    def drop() -> None:
        try:
            stage.node.drop(found.message.id).result(WAIT_S)
            done.append("dropped")
        except NotFound as error:
            done.append(error.code)

    threads = [threading.Thread(target=deliver, args=(None,)) for _ in range(8)]
    threads += [threading.Thread(target=drop) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert len(done) == 12
    assert done.count("message.not_found") == 11
    dropped = stage.node.quarantine().totals.dropped
    assert len(stage.node.journal.messages()) + dropped == 1
    assert dropped == done.count("dropped")


def test_with_a_key_a_message_is_delivered_once_also_after_reopening(stage: Theater) -> None:
    counter, patient = stage.start("counter"), stage.start("defer")
    with pytest.raises(ActorFailed):
        stage.ask(counter, b"trap")
    (found,) = aside(stage)
    new = stage.node.deliver(found.message.id, to=patient.id, key="k").result(WAIT_S)
    assert stage.node.deliver(found.message.id, to=patient.id, key="k").result(WAIT_S) == new
    stage.reopen()
    assert stage.node.deliver(found.message.id, to=patient.id, key="k").result(WAIT_S) == new
    until(lambda: patient_has(stage, patient) == [new], stage.node)
    with pytest.raises(NotFound) as gone:
        stage.node.deliver(found.message.id, to=patient.id)
    assert gone.value.code == "message.not_found"


def test_only_what_is_unhandled_can_be_shown_delivered_or_dropped(stage: Theater) -> None:
    patient = stage.start("defer")
    stage.node.request(patient.id, b"?")
    until(lambda: len(patient_has(stage, patient)) == 1, stage.node)
    (waiting,) = patient_has(stage, patient)
    for each in (waiting, "msg_none"):
        attempted: tuple[Callable[[str], object], ...] = (
            stage.node.unhandled,
            stage.node.deliver,
            stage.node.drop,
        )
        for act in attempted:
            with pytest.raises(NotFound) as refused:
                act(each)
            assert refused.value.code == "message.not_found"
    assert patient_has(stage, patient) == [waiting]


@pytest.mark.parametrize("keyed", [True, False])
def test_wherever_the_process_ends_a_message_is_delivered_again_once(
    cache_dir: Path, keyed: bool
) -> None:
    """The record that delivers is there as a whole or not at all; with a key asking again is safe."""
    for last in range(1, 6):
        _deliver_and_end(NodeSettings(cache_dir=cache_dir), "k" if keyed else None, last)


def _deliver_and_end(settings: NodeSettings, key: str | None, last: int) -> None:
    """Deliver on a node that ends at the record `last` from then on, and ask the next one again."""
    left: list[int] = []

    def failpoint(point: str, _number: int) -> None:
        if left and point == "written":
            left[0] -= 1
            if left[0] <= 0:
                raise OSError("the process ends here")

    journal = MemoryJournal(failpoint=failpoint, group_records_max=1)
    node = Node.over(journal, settings)
    component = node.add_component(guest("counter"))
    counter = node.start(manifest("counter"), component=component).result(WAIT_S).id
    heir = node.start(manifest("counter"), component=component).result(WAIT_S).id
    old = node.send(counter, b"trap").result(WAIT_S)
    until(lambda: len(node.quarantine().messages) == 1, node)
    left.append(last)
    acknowledged = None
    with suppress(TheaterError):
        acknowledged = node.deliver(old, to=heir, key=key).result(WAIT_S)
    again = Node.over(journal.reopened(), settings)
    try:
        try:
            new = again.deliver(old, to=heir, key=key).result(WAIT_S)
            assert acknowledged in (None, new)
        except NotFound:
            assert key is None
        until(lambda: len(again.quarantine(heir).messages) == 1, again)
        types = [event.type for event in again.events(heir)]
        assert types.count(shapes.WASM_ERROR) == 2
        assert not again.quarantine(counter).messages
    finally:
        again.close()
        node.close()


# How many, how long


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that keeps three messages of each kind, and looks through two at a time."""
    for name in ("DEAD_LETTERS_MAX", "QUARANTINE_MAX"):
        monkeypatch.setattr(limits, name, 3)
    monkeypatch.setattr(limits, "UNHANDLED_PAGE_MAX", 2)


def laid(
    stage: Theater, count: int, state: UnhandledState, at_us: int | None, body: bytes = b"12"
) -> None:
    """Have the journal keep dead letters, or messages set aside, that became so at a time."""
    for number in range(count):
        message = replace(letter(f"msg_{state}{number}", "gone"), body=body)
        settle = Settle(message.id, state, "trap", at_us=at_us)
        stage.node.journal.append((Enqueue(message), settle))
    stage.node.journal.wait(stage.node.journal.appended())


def ids(found: list[Unhandled]) -> list[str]:
    return [each.message.id for each in found]


def test_the_oldest_beyond_their_number_are_dropped_counted_and_named_in_the_log(
    stage: Theater, few: None, caplog: pytest.LogCaptureFixture
) -> None:
    now_us = stage.settings.clock.wall_us()
    laid(stage, 8, "dead", now_us)
    laid(stage, 3, "aside", None)
    until(lambda: stage.node.dead_letters().totals.dropped == 5, stage.node)
    assert ids(dead(stage)) == ["msg_dead5", "msg_dead6"]
    assert stage.node.dead_letters().totals.count == 3
    assert stage.node.quarantine().totals.dropped == 0
    assert stage.node.quarantine().totals.count == 3
    told = [r.getMessage() for r in caplog.records if "dropped" in r.getMessage()]
    assert len(told) == 1
    assert "5 dead letters" in told[0]
    assert "from msg_dead0 to msg_dead4" in told[0]
    stage.reopen()
    assert stage.node.dead_letters().totals.dropped == 5


def test_the_oldest_beyond_their_bytes_are_dropped(
    stage: Theater, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "QUARANTINE_BYTES_MAX", 250)
    laid(stage, 4, "aside", None, bytes(100))
    until(lambda: ids(aside(stage)) == ["msg_aside2", "msg_aside3"], stage.node)
    totals = stage.node.quarantine().totals
    assert (totals.count, totals.bytes, totals.dropped) == (2, 200, 2)


def test_what_is_too_old_is_dropped_and_what_has_no_time_is_not(stage: Theater) -> None:
    now_us = stage.settings.clock.wall_us()
    old_us = now_us - (limits.DEAD_LETTERS_KEPT_S + 60) * 1_000_000
    laid(stage, 2, "dead", old_us)
    laid(stage, 2, "aside", None)
    until(lambda: dead(stage) == [], stage.node)
    assert stage.node.dead_letters().totals.dropped == 2
    assert len(aside(stage)) == 2


def test_a_clock_that_is_set_forward_makes_no_message_old(tmp_path: Path, cache_dir: Path) -> None:
    clock = Forward()
    with theater(tmp_path / "data", NodeSettings(cache_dir=cache_dir, clock=clock)) as stage:
        laid(stage, 2, "dead", clock.wall_us())
        clock.years = 3
        stage.node._forget_keys()
        stage.node.journal.wait(stage.node.journal.appended())
        assert len(dead(stage)) == 2


class Forward(SystemClock):
    """A wall clock that is set forward, beside a monotonic one that isn't."""

    __slots__ = ("years",)

    def __init__(self) -> None:
        self.years = 0

    def wall_us(self) -> int:
        return super().wall_us() + self.years * 365 * 86_400 * 1_000_000


def test_opening_a_node_reads_none_of_its_dead_letters(
    tmp_path: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted in steps of SQLite's machine: a row that is looked at costs several."""
    settings = NodeSettings(cache_dir=cache_dir)
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += 1
        return False

    def opened() -> int:
        nonlocal steps
        steps = 0
        Node.open(tmp_path / "data", settings).close()
        return steps

    with theater(tmp_path / "data", settings) as stage:
        counter = stage.start("counter")
    monkeypatch.setattr(
        apsw, "connection_hooks", [lambda connection: connection.set_progress_handler(count, 1)]
    )
    before = opened()
    monkeypatch.setattr(apsw, "connection_hooks", [])
    database = apsw.Connection(str(tmp_path / "data" / "journal.db"))
    database.execute("BEGIN")
    database.execute(
        """WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
        INSERT INTO messages SELECT 'msg_' || i, ?, 'send', 'client', 'outside', x'00', i, 'dead',
        0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'actor.ended' FROM n""",
        (counter.id,),
    )
    database.execute(
        """INSERT INTO unhandled (message, receiver, state, bytes, at_us)
        SELECT id, receiver, state, 1, NULL FROM messages"""
    )
    database.execute("COMMIT")
    database.close()
    monkeypatch.setattr(
        apsw, "connection_hooks", [lambda connection: connection.set_progress_handler(count, 1)]
    )
    assert before > 100
    assert opened() < before * 1.5
    monkeypatch.setattr(apsw, "connection_hooks", [])
    with theater(tmp_path / "data", settings) as stage:
        assert stage.node.dead_letters().totals.count == 100_000
        page = stage.node.dead_letters(counter.id, limit=10)
        assert (len(page.messages), page.next) == (10, 10)
        assert stage.ask(counter, b"?") == b"1"
