"""Dead letters and the quarantine over HTTP: lists in pages, bodies, delivering again, dropping."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.server.running import Running


def poisoned(served: Running, name: str, count: int = 1, body: bytes = b"trap") -> str:
    """An actor that trapped on so many messages; its id."""
    actor = served.start(name)
    for _ in range(count):
        assert served.ask("POST", f"/api/v1/actors/{actor.id}/request", body)[0] == 422
    return actor.id


def listed(served: Running, path: str) -> Any:
    status, found = served.ask("GET", f"/api/v1/{path}")
    assert status == 200, found
    return found


def test_messages_in_quarantine_are_listed_in_pages(served: Running) -> None:
    actor = poisoned(served, "pages", 3)
    seen: list[str] = []
    after: int | None = 0
    while after is not None:
        page = listed(served, f"quarantine?actor={actor}&limit=2&after={after}")
        assert len(page["messages"]) <= 2
        seen += [each["id"] for each in page["messages"]]
        after = page["next"]
    assert len(seen) == len(set(seen)) == 3
    first = listed(served, "quarantine?actor=pages&limit=1")["messages"][0]
    assert first["id"] == seen[0]
    told = {key: first[key] for key in ("state", "receiver", "kind", "origin", "sender", "reason")}
    assert told == {
        "state": "aside",
        "receiver": actor,
        "kind": "request",
        "origin": "client",
        "sender": "outside",
        "reason": "trap",
    }
    assert (first["attempts"], first["size"], first["text"]) == (2, 4, "trap")
    assert base64.b64decode(first["start"]) == b"trap"
    assert first["at"] > 1_600_000_000_000_000


def test_the_body_of_a_message_is_given_as_it_is(served: Running) -> None:
    body = b"trap"
    actor = poisoned(served, "body", body=body)
    (found,) = listed(served, f"quarantine?actor={actor}")["messages"]
    assert served.ask("GET", f"/api/v1/messages/{found['id']}") == (200, body)


def test_a_message_is_delivered_again_once_for_a_key(served: Running) -> None:
    actor = poisoned(served, "again")
    other = served.start("other", wasm="defer")
    (found,) = listed(served, f"quarantine?actor={actor}")["messages"]
    path = f"/api/v1/messages/{found['id']}/deliver"
    key = {"Idempotency-Key": "deliver-once"}
    body = json.dumps({"to": "other"}).encode()
    first = served.ask("POST", path, body, key)
    assert first[0] == 202
    assert served.ask("POST", path, body, key) == first
    assert first[1]["message"] != found["id"]
    assert listed(served, f"quarantine?actor={actor}")["messages"] == []
    assert served.ask("POST", path, body)[1]["code"] == "message.not_found"
    kept = served.node.journal.message(first[1]["message"])
    assert kept is not None
    assert (kept.receiver, kept.kind, kept.sender) == (other.id, "request", "outside")


def test_a_message_whose_receiver_has_ended_is_refused_and_stays(served: Running) -> None:
    actor = poisoned(served, "over")
    served.ask("POST", f"/api/v1/actors/{actor}/stop", b"{}")
    (found,) = listed(served, f"quarantine?actor={actor}")["messages"]
    status, told = served.ask("POST", f"/api/v1/messages/{found['id']}/deliver", b"{}")
    assert (status, told["code"]) == (404, "actor.ended")
    assert listed(served, f"quarantine?actor={actor}")["messages"] == [found]


def test_a_message_that_is_dropped_is_gone_and_counted(served: Running) -> None:
    actor = poisoned(served, "dropped")
    before = listed(served, f"quarantine?actor={actor}")
    (found,) = before["messages"]
    path = f"/api/v1/messages/{found['id']}"
    assert served.ask("DELETE", path)[0] == 204
    assert served.ask("DELETE", path)[1]["code"] == "message.not_found"
    after = listed(served, f"quarantine?actor={actor}")
    assert after["messages"] == []
    assert after["dropped"] == before["dropped"] + 1
    assert after["kept"] == before["kept"] - 1
    assert after["kept_bytes"] == before["kept_bytes"] - found["size"]


def test_what_makes_no_sense_is_refused(served: Running) -> None:
    for path in ("limit=0", "limit=1001", "limit=x", "after=-1", "state=dead"):
        status, told = served.ask("GET", f"/api/v1/dead-letters?{path}")
        assert (status, told["code"]) == (400, "query.invalid"), path
    beyond = listed(served, f"quarantine?after={10**19 - 1}")
    assert (beyond["messages"], beyond["next"]) == ([], None)
    for odd in ("%ff", "%00", "%ed%a0%80", "msg_" + "0" * 5000):
        for verb, path in (("GET", ""), ("DELETE", ""), ("POST", "/deliver")):
            status, told = served.ask(verb, f"/api/v1/messages/{odd}{path}")
            assert (status, told["code"]) == (404, "message.not_found"), (verb, odd)
    assert served.ask("GET", "/api/v1/quarantine?actor=nobody")[1]["code"] == "actor.not_found"
    assert served.ask("GET", "/api/v1/messages/msg_none")[1]["code"] == "message.not_found"
    told = served.ask("POST", "/api/v1/messages/msg_none/deliver", b'{"too": 1}')[1]
    assert told["code"] == "body.invalid"
