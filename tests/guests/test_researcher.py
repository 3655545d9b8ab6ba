"""The researcher works its questions off, one message to itself for each."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.guests.components import Guests
from tests.guests.host import ACTOR, Host, error_of
from theater.engine import Returned
from theater.values.types import Err, Ok

pytestmark = pytest.mark.slow

QUESTIONS = ["What is one?", "What is two?"]
SEND_HTTP = "theater:simple/http-client/send-http"
STATE = {"questions": QUESTIONS, "base_url": "http://127.0.0.1:1/v1", "model": "small"}


def started(guests: Guests, answer: Callable[..., object]) -> Host:
    host = Host(guests.load("researcher"), {SEND_HTTP: answer})
    assert isinstance(host.init(STATE), Returned)
    return host


def run(host: Host) -> list[int]:
    """Deliver what it sends itself until it sends nothing; how many were done after each step."""
    done, delivered = [], 0
    while len(sent := host.asked_of("message-server-host/send")) > delivered:
        receiver, body = sent[delivered]
        assert receiver == ACTOR
        assert isinstance(body, bytes)
        assert isinstance(host.send(body), Returned)
        delivered += 1
        done.append(host.request(None)["done"])
    return done


def completion(request: dict[str, object]) -> Ok:
    body = request["body"]
    assert isinstance(body, bytes)
    text = json.loads(body)["messages"][-1]["content"]
    said = {"choices": [{"message": {"role": "assistant", "content": f" {text} Yes. "}}]}
    return Ok({"status": 200, "headers": [], "body": json.dumps(said).encode()})


def result(host: Host) -> object:
    ((body,),) = host.asked_of("runtime/shutdown")
    assert isinstance(body, bytes)
    return json.loads(body)


def test_it_asks_each_question_once_and_ends_with_the_answers(guests: Guests) -> None:
    host = started(guests, completion)
    assert run(host) == [1, 2]
    assert result(host) == {
        "model": "small",
        "findings": [{"question": q, "answer": f"{q} Yes.", "error": None} for q in QUESTIONS],
    }


def test_it_asks_in_the_form_of_chat_completions_without_a_seed(guests: Guests) -> None:
    host = started(guests, completion)
    run(host)
    asked = [given[0] for given in host.asked_of("http-client/send-http")]
    assert len(asked) == len(QUESTIONS)
    first = asked[0]
    assert isinstance(first, dict)
    assert first["method"] == "POST"
    assert first["uri"] == "http://127.0.0.1:1/v1/chat/completions"
    assert first["headers"] == [("Content-Type", "application/json")]
    body = json.loads(first["body"])
    assert body["messages"][-1] == {"role": "user", "content": QUESTIONS[0]}
    assert sorted(body) == ["max_tokens", "messages", "model", "temperature"]


def test_it_goes_on_where_it_was_in_another_instance(guests: Guests) -> None:
    host = started(guests, completion)
    host.send("step")
    host.renew()
    host.send("step")
    assert len(host.asked_of("http-client/send-http")) == 2
    assert len(host.asked_of("runtime/shutdown")) == 1


@pytest.mark.parametrize(
    "failure",
    [
        Err("permission.denied: not this host"),
        Ok({"status": 503, "headers": [], "body": b"busy"}),
        Ok({"status": 200, "headers": [], "body": b"not json"}),
        Ok({"status": 200, "headers": [], "body": b'{"choices": []}'}),
        Ok({"status": 200, "headers": [], "body": None}),
    ],
)
def test_a_question_that_fails_is_tried_three_times_and_kept_with_its_error(
    guests: Guests, failure: object
) -> None:
    host = started(guests, lambda _: failure)
    assert run(host) == [0, 0, 1, 1, 1, 2]
    found = result(host)
    assert isinstance(found, dict)
    assert [item["answer"] for item in found["findings"]] == [None, None]
    assert all(item["error"] for item in found["findings"])


def test_one_failure_does_not_lose_the_question(guests: Guests) -> None:
    answers = iter([Err("http.connect: refused"), None, None])
    host = started(guests, lambda request: next(answers) or completion(request))
    assert run(host) == [0, 1, 2]


def test_it_does_not_start_without_questions_to_ask(guests: Guests) -> None:
    host = Host(guests.load("researcher"))
    assert "needs a value for its field 'questions'" in error_of(host.init())
