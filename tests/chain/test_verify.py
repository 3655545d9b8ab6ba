"""What verify promises, seen through the public names of its layer (chain)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chain.sample import (
    SEND,
    Builder,
    every_type,
    realistic,
    relinked,
    salt,
    state,
    with_hash,
    without_data,
)
from theater.chain import shapes
from theater.chain.event import ZERO_HASH, Event, make_event
from theater.chain.verify import Report, Verifier, verify
from theater.values.cbor import encode

replace = msgspec.structs.replace


def found(events: Sequence[Event], expected_head: bytes | None = None) -> tuple[int, str] | None:
    """Where the first problem is, and its reason."""
    problem = verify(events, expected_head=expected_head).problem
    return None if problem is None else (problem.seq, problem.reason)


def test_a_chain_with_every_type_of_event_is_verified_in_full() -> None:
    events = every_type()
    assert verify(events) == Report(
        events=len(events),
        head=events[-1].hash,
        full=len(events),
        digest_only=0,
        complete=True,
        problem=None,
        against="complete",
    )


def test_a_running_chain_says_that_it_was_held_against_nothing_or_against_a_head() -> None:
    events = realistic()
    report = verify(events)
    assert (report.problem, report.complete, report.against) == (None, False, "nothing")
    report = verify(events, expected_head=events[-1].hash)
    assert (report.problem, report.complete, report.against) == (None, False, "head")


def test_an_empty_chain_has_the_zero_hash_as_head() -> None:
    report = verify([])
    assert (report.events, report.head, report.problem) == (0, ZERO_HASH, None)
    assert found([], expected_head=b"h" * 32) == (0, "hash")


def test_a_chain_cut_off_or_grown_is_not_at_the_trusted_head() -> None:
    events = realistic()
    assert found(events[:-1], events[-1].hash) == (len(events) - 1, "hash")
    assert found(events, events[-2].hash) == (len(events), "hash")
    assert found(events[:-1]) is None


def test_a_recomputed_suffix_is_not_at_the_trusted_head() -> None:
    events = realistic()
    forged = list(events)
    forged[30] = with_hash(forged[30], at=forged[30].at + 1)
    forged = relinked(forged)
    assert found(forged) is None
    assert found(forged, events[-1].hash) == (len(events), "hash")


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda e: replace(e, hash=bytes(32)), "hash"),
        (lambda e: replace(e, data_digest=bytes(32)), "hash"),
        (lambda e: replace(e, data=(e.data or b"") + b"\x00"), "hash"),
        (lambda e: replace(e, data=b""), "hash"),
        (lambda e: replace(e, type=e.type + "x"), "hash"),
        (lambda e: replace(e, at=e.at + 1), "hash"),
        (lambda e: with_hash(e, parent=bytes(32)), "parent"),
        (lambda e: with_hash(e, seq=e.seq + 1), "seq"),
        (lambda e: with_hash(e, seq=e.seq - 1), "seq"),
        (lambda e: replace(e, seq=float(e.seq)), "seq"),
        (lambda e: with_hash(e, at=e.at - 8), "time"),
        (lambda e: replace(e, at=float(e.at)), "encoding"),
        (lambda e: replace(e, at=-1), "encoding"),
        (lambda e: replace(e, at=2**64), "encoding"),
        (lambda e: replace(e, type=""), "encoding"),
        (lambda e: replace(e, type="x" * 256), "encoding"),
        (lambda e: replace(e, type="é" * 128), "encoding"),
        (lambda e: replace(e, type="\ud800"), "encoding"),
        (lambda e: replace(e, data=None, data_digest=b"short"), "encoding"),
        (lambda e: replace(e, data=None, data_digest=e.data_digest + b"x"), "encoding"),
        (lambda e: replace(e, parent=e.parent[:-1]), "parent"),
        (lambda e: replace(e, hash=e.hash[:-1]), "hash"),
    ],
)
def test_a_changed_event_is_found_where_it_is(
    change: Callable[[Event], Event], reason: str, strict: bool
) -> None:
    events = realistic()
    events[17] = change(events[17])
    problem = verify(events, strict=strict).problem
    assert problem is not None
    assert (problem.seq, problem.hash, problem.reason) == (17, events[17].hash, reason)


def test_a_bool_is_no_number_although_its_hash_is_the_same() -> None:
    chain = Builder(at=1)
    chain.start()
    chain.call()
    first, second = chain.events
    assert with_hash(replace(second, seq=True)).hash == second.hash
    assert found([first, replace(second, seq=True)]) == (1, "seq")
    assert found([replace(first, at=True), second]) == (0, "encoding")


def test_the_longest_and_the_shortest_type_are_verified() -> None:
    chain = Builder()
    chain.start()
    chain.note("x" * 255)
    chain.note("x")
    assert found(chain.events) is None


def test_events_at_the_same_time_follow_each_other() -> None:
    chain = Builder()
    chain.start()
    events = chain.events
    events.append(
        make_event(1, events[0].at, events[0].hash, "actor-pause", shapes.note(salt(1), "a", "b"))
    )
    assert found(events) is None


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("wasm-call", b""),
        ("wasm-call", b"\xa0"),
        ("theater:simple/runtime/log", encode({"salt": salt(1), "input": 1})),
        ("theater:simple/runtime/log", encode({"salt": salt(1), "input": [b"x" * 5000]})),
        ("theater:simple/runtime/log", b"\x81" * 60_000 + b"\x00"),
        ("theater:simple/runtime/log", b"\xa0" + bytes(65_536)),
        ("/log", shapes.host(salt(1), encode([]))),
        ("theater:simple/runtime/", shapes.host(salt(1), encode([]))),
        ("theater:simple/runtime/!", shapes.intent(salt(1), encode([]), "key")),
        ("/!", shapes.intent(salt(1), encode([]), "key")),
        ("an-unknown-note", encode({"salt": salt(1), "by": "me"})),
        ("an-unknown-note", b"\xbf\xff"),
    ],
)
def test_data_of_another_form_is_found(type_: str, data: bytes) -> None:
    chain = Builder()
    chain.start()
    if "/" in type_:
        chain.call()
    chain.add(type_, data)
    assert found(chain.events) == (len(chain.events) - 1, "encoding")
    assert verify(chain.events, strict=False).problem is None


Course = Callable[[Builder], object]


def _start(chain: Builder) -> None:
    chain.start()


def _call(chain: Builder) -> None:
    chain.call()


def _host(chain: Builder) -> None:
    chain.host()


def _result(chain: Builder) -> None:
    chain.result()


def _error(chain: Builder) -> None:
    chain.add(shapes.WASM_ERROR, shapes.error(chain.salt, SEND, "killed"))


def _other_result(chain: Builder) -> None:
    chain.result(function="theater:simple/actor/init")


def _intent(chain: Builder) -> None:
    chain.add("a/post!", shapes.intent(chain.salt, encode([]), "key"))


def _done(chain: Builder) -> None:
    chain.add("a/post", shapes.host(chain.salt, None, encode(1)))


def _done_with_input(chain: Builder) -> None:
    chain.add("a/post", shapes.host(chain.salt, encode([]), encode(1)))


def _other_done(chain: Builder) -> None:
    chain.add("a/put", shapes.host(chain.salt, None, encode(1)))


def _trap(chain: Builder) -> None:
    chain.add("a/exit", shapes.host(chain.salt, encode([]), trap="exit"))


def _stop(chain: Builder) -> None:
    chain.note(shapes.ACTOR_STOP)


def _pause(chain: Builder) -> None:
    chain.note(shapes.ACTOR_PAUSE)


def _redact(chain: Builder) -> None:
    chain.add(shapes.CHAIN_REDACT, shapes.redact(chain.salt, "a", "b", [0]))


def _redact_to_come(chain: Builder) -> None:
    chain.add(shapes.CHAIN_REDACT, shapes.redact(chain.salt, "a", "b", [0, len(chain.events)]))


def _prune_to_come(chain: Builder) -> None:
    chain.add(shapes.CHAIN_PRUNE, shapes.prune(chain.salt, "a", "b", len(chain.events) + 1))


def _chain_sign(chain: Builder) -> None:
    chain.note("chain-sign")


ALLOWED: list[tuple[Course, ...]] = [
    (_start, _call, _host, _host, _result, _call, _error),
    (_start, _call, _intent, _done, _intent, _done, _result),
    (_start, _call, _intent, _pause, _done, _result),
    (_start, _call, _intent, _error),
    (_start, _call, _trap, _error, _call, _result),
    (_start, _call, _trap, _pause, _error),
    (_start, _pause, _call, _pause, _host, _pause, _result, _pause),
    (_start, _call, _host),
    (_start, _stop, _redact, _chain_sign),
]
FORBIDDEN: list[tuple[Course, ...]] = [
    (_call,),
    (_pause,),
    (_start, _start),
    (_start, _pause, _start),
    (_start, _host),
    (_start, _intent),
    (_start, _result),
    (_start, _error),
    (_start, _call, _call),
    (_start, _call, _host, _call),
    (_start, _call, _result, _result),
    (_start, _call, _result, _error),
    (_start, _call, _result, _host),
    (_start, _call, _error, _host),
    (_start, _call, _other_result),
    (_start, _call, _intent, _host),
    (_start, _call, _intent, _intent),
    (_start, _call, _intent, _other_done),
    (_start, _call, _intent, _done_with_input),
    (_start, _call, _intent, _result),
    (_start, _call, _intent, _call),
    (_start, _call, _done),
    (_start, _call, _intent, _done, _done),
    (_start, _call, _trap, _result),
    (_start, _call, _trap, _host),
    (_start, _call, _trap, _intent),
    (_start, _call, _stop),
    (_start, _stop, _stop),
    (_start, _stop, _pause),
    (_start, _stop, _call),
    (_start, _stop, _redact, _pause),
    (_start, _redact_to_come),
    (_start, _prune_to_come),
]


def _names(course: tuple[Course, ...]) -> str:
    return " ".join(step.__name__.strip("_") for step in course)


@pytest.mark.parametrize("course", ALLOWED, ids=_names)
def test_this_order_follows(course: tuple[Course, ...]) -> None:
    chain = Builder()
    for step in course:
        step(chain)
    assert found(chain.events) is None


@pytest.mark.parametrize("course", FORBIDDEN, ids=_names)
def test_this_order_does_not_follow_and_the_last_event_is_where(course: tuple[Course, ...]) -> None:
    chain = Builder()
    for step in course:
        step(chain)
    assert found(chain.events) == (len(chain.events) - 1, "order")
    assert verify(chain.events, strict=False).problem is None


@pytest.mark.parametrize("course", FORBIDDEN, ids=_names)
def test_an_order_that_does_not_follow_shows_also_without_data(course: tuple[Course, ...]) -> None:
    by_data = {_other_result, _done_with_input, _done, _trap, _redact_to_come, _prune_to_come}
    if by_data & set(course):
        return
    chain = Builder()
    for step in course:
        step(chain)
    gone = without_data(chain.events, range(len(chain.events)))
    assert found(gone) == (len(gone) - 1, "order")


def test_the_state_is_what_the_last_result_left() -> None:
    chain = Builder()
    chain.start(state(0))
    chain.call(state(0))
    chain.result(state(1))
    chain.call(state(1))
    _error(chain)
    chain.call(state(1))
    assert found(chain.events) is None
    chain.result(None)
    chain.call(state(1))
    assert found(chain.events) == (len(chain.events) - 1, "state")


@pytest.mark.parametrize(
    ("left", "given"),
    [(None, 0), (0, None), (0, 1)],
)
def test_a_call_with_another_state_than_the_start_gave_is_found(
    left: int | None, given: int | None
) -> None:
    chain = Builder()
    chain.start(None if left is None else state(left))
    chain.call(None if given is None else state(given))
    assert found(chain.events) == (1, "state")


@pytest.mark.parametrize(
    "type_", [shapes.ACTOR_RESTART, shapes.ACTOR_UPDATE, shapes.ACTOR_ENGINE, shapes.ACTOR_FORK]
)
def test_notes_that_change_the_start_change_the_state_if_they_carry_one(type_: str) -> None:
    fork: dict[str, object] = (
        {
            "actor": "b",
            "from": shapes.Peer("a", 1, b"h" * 32),
            "entropy": salt(1),
            "grants": state(5),
        }
        if type_ == shapes.ACTOR_FORK
        else {}
    )
    for left, fields in (
        (state(0), {}),
        (state(1), {"state": state(1)}),
        (None, {"state": None}),
    ):
        chain = Builder()
        chain.start(state(0))
        chain.note(type_, **fork, **fields)
        chain.call(left)
        assert found(chain.events) is None
        chain = Builder()
        chain.start(state(0))
        chain.note(type_, **fork, **fields)
        chain.call(state(9))
        assert found(chain.events) == (2, "state")


def test_a_state_in_any_other_note_changes_nothing() -> None:
    chain = Builder()
    chain.start(state(0))
    chain.note("actor-pause", state=state(1))
    chain.call(state(0))
    assert found(chain.events) is None


def test_data_that_is_gone_without_a_note_is_found() -> None:
    events = realistic()
    assert found(without_data(events, [5, 9])) == (5, "gone")
    report = verify(without_data(events, [5, 9]), strict=False)
    assert (report.problem, report.full, report.digest_only) == (None, len(events) - 2, 2)


def test_data_that_a_later_note_names_may_be_gone() -> None:
    chain = Builder()
    chain.events = realistic()
    chain.at = chain.events[-1].at
    chain.add(shapes.CHAIN_REDACT, shapes.redact(salt(1), "a", "b", [9, 5]))
    events = without_data(chain.events, [5, 9])
    report = verify(events)
    assert (report.problem, report.full, report.digest_only) == (None, len(events) - 2, 2)
    assert found(without_data(events, [6])) == (6, "gone")
    assert found(without_data(events, [len(events) - 1])) == (5, "gone")
    assert found(events[:-1]) == (5, "gone")


def test_data_before_a_pruning_may_be_gone() -> None:
    chain = Builder()
    chain.events = realistic()
    chain.at = chain.events[-1].at
    chain.add(shapes.CHAIN_PRUNE, shapes.prune(salt(1), "a", "b", 20))
    events = without_data(chain.events, range(20))
    assert found(events) is None
    assert verify(events).digest_only == 20
    assert found(without_data(events, [20])) == (20, "gone")


def test_a_redaction_does_not_excuse_what_is_lost_after_it() -> None:
    chain = Builder()
    chain.start()
    _redact(chain)
    _pause(chain)
    chain.add(shapes.CHAIN_REDACT, shapes.redact(chain.salt, "a", "b", [1]))
    assert found(without_data(chain.events, [0, 1])) == (0, "gone")
    assert found(without_data(chain.events, [1])) is None
    assert found(without_data(chain.events, [2])) == (2, "gone")


def test_the_state_is_checked_again_after_an_event_whose_data_is_gone() -> None:
    chain = Builder()
    chain.start()
    chain.call()
    chain.result(state(1))
    chain.call(state(2))
    chain.result(state(3))
    chain.call(state(4))
    chain.add(shapes.CHAIN_REDACT, shapes.redact(chain.salt, "a", "b", [2]))
    assert found(chain.events) == (3, "state")
    assert found(without_data(chain.events, [2])) == (5, "state")


def test_the_whole_chain_may_be_gone_but_for_the_note_that_says_so() -> None:
    chain = Builder()
    chain.events = every_type()[:-3]
    chain.at = chain.events[-1].at
    end = len(chain.events)
    chain.add(shapes.CHAIN_PRUNE, shapes.prune(salt(1), "a", "b", end))
    report = verify(without_data(chain.events, range(end)))
    assert (report.problem, report.full, report.digest_only) == (None, 1, end)


def test_after_the_first_problem_nothing_changes_any_more() -> None:
    events = realistic()
    events[5] = replace(events[5], hash=bytes(32))
    verifier = Verifier()
    said = [verifier.feed(event) for event in events]
    assert said[:5] == [None] * 5
    assert len(set(said[5:])) == 1
    report = verifier.finish()
    assert report.problem == said[-1]
    assert (report.events, report.head) == (5, events[4].hash)


@given(st.binary(max_size=200), st.text(max_size=20))
def test_no_data_and_no_type_breaks_the_verifier(data: bytes, type_: str) -> None:
    chain = Builder()
    chain.start()
    first = chain.events[0]
    event = replace(first, seq=1, parent=first.hash, type=type_, data=data)
    try:
        event = with_hash(event)
    except (UnicodeEncodeError, struct.error):
        assert found([first, event]) is not None
        return
    assert found([first, event]) in (None, (1, "encoding"), (1, "order"))
