"""The gate: each key is answered once, whatever becomes of its client."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from tests.demo.conftest import Door


def content(body: bytes) -> str:
    return str(json.loads(body)["choices"][0]["message"]["content"])


def open_post(door: Door, key: str, body: bytes) -> socket.socket:
    """A client that has sent its request and waits; to close it is what its death looks like."""
    address = urlsplit(door.address)
    client = socket.create_connection((address.hostname or "", address.port or 0), timeout=30)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: gate\r\nidempotency-key: {key}\r\n"
    client.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    return client


def test_a_repeated_key_gets_the_stored_answer_and_not_a_new_one(door: Door) -> None:
    first, other, again = door.ask("why?", "a"), door.ask("why?", "b"), door.ask("why?", "a")
    assert first == again
    assert content(first[1]) != content(other[1])
    assert [line for line in door.log() if line[0] in {"asked", "repeated"}] == [
        ("asked", "a"),
        ("asked", "b"),
        ("repeated", "a"),
    ]
    statistics = door.statistics(delivered=3, seconds=30)
    assert (statistics["asked"], statistics["repeated"]) == (2, 1)


def test_a_key_with_another_body_is_refused(door: Door) -> None:
    assert door.ask("why?", "a")[0] == 200
    assert door.ask("why not?", "a")[0] == 422
    assert ("refused", "a") in door.log()


def test_a_request_without_a_key_is_refused(door: Door) -> None:
    assert door.ask("why?", None)[0] == 400
    assert door.statistics()["asked"] == 0


def test_requests_with_one_key_at_the_same_time_reach_the_model_once(door: Door) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(lambda _: door.ask("why?", "a"), range(8)))
    assert len(answers) == 1
    assert [kind for kind, _ in door.log()].count("answered") == 1


def test_an_answer_is_held_back_until_it_is_let_go(door: Door) -> None:
    door.post("/gate/hold")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(door.ask, "why?", "a")
        statistics = door.statistics(holding=1, seconds=30)
        assert (statistics["holding"], statistics["delivered"]) == (1, 0)
        assert not waiting.done()
        door.post("/gate/release")
        assert waiting.result(30)[0] == 200
    assert door.ask("and?", "b")[0] == 200, "only the next answer was to be held"


def test_an_answer_whose_client_died_while_it_was_held_is_kept_for_the_next_try(door: Door) -> None:
    door.post("/gate/hold")
    client = open_post(door, "a", body := json.dumps({"messages": [{"content": "why?"}]}).encode())
    assert door.statistics(holding=1, seconds=30)["holding"] == 1
    client.close()
    door.post("/gate/release")
    status, answer = door.post("/v1/chat/completions", body, "a")
    assert (status, door.statistics(delivered=1, seconds=30)["lost"]) == (200, 1)
    assert content(answer)
    assert sorted(door.log()) == sorted(
        (kind, "a") for kind in ("asked", "answered", "held", "lost", "repeated", "delivered")
    )


def test_a_client_that_dies_while_it_sends_has_asked_nothing(door: Door) -> None:
    address = urlsplit(door.address)
    with socket.create_connection(
        (address.hostname or "", address.port or 0), timeout=30
    ) as client:
        client.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nidempotency-key: a\r\ncontent-length: 99\r\n\r\n{"
        )
    assert door.ask("why?", "b")[0] == 200
    assert [key for _, key in door.log()] == ["b"] * len(door.log())


def test_a_key_whose_answer_failed_may_be_asked_again(door: Door) -> None:
    door.model.kill()
    assert door.ask("why?", "a")[0] == 502
    assert door.ask("why?", "a")[0] == 502
    assert door.log() == [("asked", "a"), ("repeated", "a")]
    assert door.statistics()["asked"] == 1


def test_the_log_is_in_order_and_outlives_the_gate(door: Door) -> None:
    for number in range(3):
        door.ask("why?", f"key-{number}")
    door.gate.kill()
    times = [line.at for line in door.lines()]
    assert times == sorted(times)
    assert [key for kind, key in door.log() if kind == "answered"] == ["key-0", "key-1", "key-2"]


def test_the_gate_ends_when_whoever_started_it_is_gone(door: Door) -> None:
    door.gate.close_input()
    assert door.gate.wait() == 0
