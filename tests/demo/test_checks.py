"""The demo's claims: each of them fails when what it claims is not so."""

from __future__ import annotations

from typing import Any

from demo.checks import Check, judge, posts
from demo.ledger import Kind, Line

SEND = "theater:simple/http-client/send-request"


def chain(*keys: str, start: int = 0) -> list[dict[str, Any]]:
    """Two events a key: the intent at 10·n, the answer at 10·n + 5."""
    events: list[dict[str, Any]] = []
    for number, key in enumerate(keys):
        at = start + 10 * number
        events.append(
            {"seq": len(events), "at": at, "event_type": f"{SEND}!", "data": {"key": key}}
        )
        events.append({"seq": len(events), "at": at + 5, "event_type": SEND, "data": {}})
    return events


def line(at: int, kind: Kind, key: str) -> Line:
    return Line(at=at, kind=kind, key=key)


GOOD = [
    line(1, "asked", "a"),
    line(2, "answered", "a"),
    line(3, "delivered", "a"),
    line(11, "asked", "b"),
    line(12, "held", "b"),
    line(13, "lost", "b"),
    line(14, "repeated", "b"),
]


def failing(checks: list[Check]) -> list[str]:
    return [check.claim for check in checks if not check.ok]


def test_a_run_as_it_should_be_passes() -> None:
    assert failing(judge(GOOD, chain("a", "b"), questions=2, in_flight="b")) == []


def test_a_question_that_was_asked_under_two_keys_is_found() -> None:
    log = [*GOOD, line(15, "asked", "c")]
    assert failing(judge(log, chain("a", "b"), questions=2, in_flight="b")) == [
        "as many distinct keys as questions",
        "the gate and the chain name the same keys",
    ]


def test_a_key_that_the_gate_never_saw_is_found() -> None:
    checks = judge(GOOD, chain("a", "b", "c"), questions=2, in_flight="b")
    assert failing(checks) == ["the gate and the chain name the same keys"]


def test_an_intent_without_its_answer_is_found() -> None:
    checks = judge(GOOD, chain("a", "b")[:-1], questions=2, in_flight="b")
    assert failing(checks) == ["the gate and the chain name the same keys"]


def test_a_repeated_key_that_was_not_in_flight_is_found() -> None:
    log = [*GOOD, line(4, "repeated", "a")]
    assert failing(judge(log, chain("a", "b"), questions=2, in_flight="b")) == [
        "only the key in flight was repeated, once"
    ]


def test_a_kill_in_flight_after_which_nothing_was_repeated_is_found() -> None:
    assert failing(judge(GOOD[:-1], chain("a", "b"), questions=2, in_flight="b")) == [
        "only the key in flight was repeated, once"
    ]


def test_a_key_that_came_back_although_its_answer_was_recorded_is_found() -> None:
    log = [*GOOD[:-1], line(16, "repeated", "b")]
    assert failing(judge(log, chain("a", "b"), questions=2, in_flight="b")) == [
        "no key whose answer is in the chain came back"
    ]


def test_a_request_that_the_gate_refused_is_found() -> None:
    log = [*GOOD, line(17, "refused", "")]
    assert failing(judge(log, chain("a", "b"), questions=2, in_flight="b")) == [
        "as many distinct keys as questions"
    ]


def test_an_answer_belongs_to_the_intent_before_it_whatever_stands_between() -> None:
    events = chain("a")
    events.insert(1, {"seq": 9, "at": 1, "event_type": "actor-recover", "data": {}})
    assert [(post.key, post.answer_at) for post in posts(events)] == [("a", 5)]
