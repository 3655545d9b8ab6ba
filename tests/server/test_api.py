"""The API as a stranger meets it: real server, real HTTP, a real actor."""

from __future__ import annotations

import base64
import http.client
import json
from hashlib import sha256
from pathlib import Path

import pytest

from tests.runtime.variants import COUNTS_ALIKE, COUNTS_BY_TWO
from tests.server.running import MANIFEST, WAIT_S, Running, guest, running
from theater.chain import jsonl, shapes
from theater.chain.verify import Verifier
from theater.protocol.actors import ActorView
from theater.server.settings import ServerSettings

CALL = shapes.WASM_CALL


def lines(content: object) -> list[dict[str, object]]:
    assert isinstance(content, bytes)
    return [json.loads(line) for line in content.splitlines() if line]


def test_health_is_told_without_a_token(served: Running) -> None:
    assert served.ask("GET", "/healthz", token=False) == (200, {"status": "ok"})


def test_readiness_needs_the_token(served: Running) -> None:
    assert served.ask("GET", "/readyz", token=False)[0] == 401
    assert served.ask("GET", "/readyz") == (200, {"status": "ok"})


def test_it_says_who_answers(served: Running) -> None:
    status, told = served.ask("GET", "/api/v1")
    assert (status, told["name"], told["api"]) == (200, "theater", 1)


def test_a_component_is_known_once_it_was_uploaded(tmp_path: Path, cache_dir: Path) -> None:
    wasm = guest("counter")
    path = f"/api/v1/components/{sha256(wasm).hexdigest()}"
    with running(tmp_path, cache_dir) as served:
        assert served.ask("HEAD", path)[0] == 404
        assert served.ask("PUT", path, wasm)[0] == 200
        assert served.ask("HEAD", path)[0] == 200
        assert served.ask("PUT", path, wasm)[0] == 200


def test_a_component_under_another_hash_is_refused(served: Running) -> None:
    status, told = served.ask("PUT", f"/api/v1/components/{'0' * 64}", b"other bytes")
    assert (status, told["code"]) == (400, "component.hash")


def test_an_actor_is_started_listed_and_shown(served: Running) -> None:
    component = served.node.add_component(guest("counter"))
    body = {"manifest": MANIFEST, "path": "/a/manifest.toml", "component": component, "name": "ann"}
    status, actor = served.ask("POST", "/api/v1/actors", json.dumps(body).encode())
    assert status == 201
    assert (actor["name"], actor["status"], actor["component"]) == ("ann", "running", component)
    assert served.ask("GET", "/api/v1/actors/ann")[1]["id"] == actor["id"]
    assert served.ask("GET", f"/api/v1/actors/{actor['id'][:13]}")[1]["name"] == "ann"
    listed = served.ask("GET", "/api/v1/actors")[1]["actors"]
    assert actor["id"] in [each["id"] for each in listed]


def test_an_actor_starts_with_the_state_that_was_sent(served: Running) -> None:
    component = served.node.add_component(guest("counter"))
    state = base64.b64encode(b"41").decode()
    body = {"manifest": MANIFEST, "path": "m", "component": component, "state": state}
    _, actor = served.ask("POST", "/api/v1/actors", json.dumps(body).encode())
    path = f"/api/v1/actors/{actor['id']}"
    assert served.ask("POST", f"{path}/request", b"x") == (200, 42)


def test_a_trace_in_the_head_goes_with_the_message_unless_it_can_not_be_read(
    served: Running,
) -> None:
    actor = served.start().id
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    for verb in ("send", "request"):
        for head in (trace, "00-rubbish", None):
            headers = {} if head is None else {"traceparent": head}
            status, _ = served.ask("POST", f"/api/v1/actors/{actor}/{verb}", b"x", headers)
            assert status in (200, 202)
    served.node.request(actor, b"").result(WAIT_S)
    calls = [shapes.parse(e.type, e.data) for e in served.node.events(actor) if e.type == CALL]
    traces = [c.message.trace for c in calls if isinstance(c, shapes.Call) and c.message]
    assert traces == [trace, None, None, trace, None, None, None]


def test_a_start_under_a_known_key_is_the_same_actor(served: Running) -> None:
    component = served.node.add_component(guest("counter"))
    body = json.dumps({"manifest": MANIFEST, "path": "m", "component": component}).encode()
    key = {"Idempotency-Key": "start-once"}
    first = served.ask("POST", "/api/v1/actors", body, key)[1]
    again = served.ask("POST", "/api/v1/actors", body, key)[1]
    assert first["id"] == again["id"]


def test_a_manifest_with_problems_comes_back_with_each_of_them(served: Running) -> None:
    component = served.node.add_component(guest("counter"))
    body = {"manifest": 'nam = "x"\n', "path": "m", "component": component}
    status, told = served.ask("POST", "/api/v1/actors", json.dumps(body).encode())
    assert (status, told["code"]) == (400, "manifest.invalid")
    assert all({"line", "column", "message", "hint"} == p.keys() for p in told["facts"]["problems"])


def test_a_state_file_of_the_servers_machine_can_not_be_named(served: Running) -> None:
    component = served.node.add_component(guest("counter"))
    body = {
        "manifest": 'initial_state = "passwd"\n' + MANIFEST,
        "path": "/etc/manifest.toml",
        "component": component,
    }
    status, told = served.ask("POST", "/api/v1/actors", json.dumps(body).encode())
    assert (status, told["code"]) == (400, "state.missing")


def test_an_unknown_component_is_not_found(served: Running) -> None:
    body = {"manifest": MANIFEST, "path": "m", "component": "ab" * 32}
    status, told = served.ask("POST", "/api/v1/actors", json.dumps(body).encode())
    assert (status, told["code"]) == (404, "component.not_found")


def test_a_message_is_accepted_and_a_request_answered(served: Running) -> None:
    actor = served.start("messages")
    path = f"/api/v1/actors/{actor.id}"
    status, receipt = served.ask("POST", f"{path}/send", b"one")
    assert status == 202
    assert receipt["message"].startswith("msg_")
    assert served.ask("POST", f"{path}/request", b"two") == (200, 2)
    assert served.ask("GET", f"{path}/state") == (200, 2)


def test_the_guests_error_is_422_with_its_words(served: Running, counter: ActorView) -> None:
    status, told = served.ask("POST", f"/api/v1/actors/{counter.id}/request", b"fail")
    assert status == 422
    assert told["code"] == "actor.error"
    assert told["message"] == "failed as it was asked to"


def test_a_request_under_a_known_key_is_answered_alike_and_handled_once(served: Running) -> None:
    actor = served.start("once")
    path = f"/api/v1/actors/{actor.id}/request"
    key = {"Idempotency-Key": "ask-once"}
    assert served.ask("POST", path, b"x", key) == served.ask("POST", path, b"x", key) == (200, 1)
    assert served.ask("POST", path, b"y") == (200, 2)


def test_a_request_to_a_name_under_a_known_key_is_never_handled_by_its_next_holder(
    served: Running,
) -> None:
    first = served.start_named("desk")
    ask, key = "/api/v1/actors/desk/request", {"idempotency-key": "once-for-the-desk"}
    assert served.ask("POST", ask, b"hello", key) == (200, b"hello")
    assert served.ask("POST", ask, b"hello", key) == (200, b"hello")
    served.ask("POST", "/api/v1/actors/desk/stop", b"{}")
    second = served.start_named("desk")
    status, told = served.ask("POST", ask, b"hello", key)
    assert (status, told["code"]) == (409, "key.used")
    calls = [
        [event.type for event in served.node.events(each.id)].count("wasm-call")
        for each in (first, second)
    ]
    assert calls == [2, 1]


def test_a_request_that_takes_too_long_is_504(served: Running) -> None:
    actor = served.start("slow", "loop")
    path = f"/api/v1/actors/{actor.id}"
    served.ask("POST", f"{path}/send", b"never ends")
    status, told = served.ask("POST", f"{path}/request?timeout_ms=100", b"x")
    assert (status, told["code"]) == (504, "request.timed_out")
    assert served.ask("POST", f"{path}/stop", b'{"force": true}')[0] == 200


def test_the_events_are_the_lines_of_an_exported_chain_and_verify(
    served: Running, counter: ActorView
) -> None:
    status, content = served.ask("GET", f"/api/v1/actors/{counter.id}/events")
    assert status == 200
    verifier = Verifier()
    for event in jsonl.read(content.splitlines()):
        assert verifier.feed(event) is None
    assert verifier.finish().events == served.node.info(counter.id).events


def test_events_can_be_chosen_by_place_number_and_type(served: Running) -> None:
    actor = served.start("chosen")
    path = f"/api/v1/actors/{actor.id}/events"
    for body in (b"a", b"b", b"c"):
        served.ask("POST", f"/api/v1/actors/{actor.id}/request", body)
    everything = lines(served.ask("GET", path)[1])
    tail = served.ask("GET", f"{path}?from=2")[1]
    assert [e["seq"] for e in lines(tail)] == [e["seq"] for e in everything[2:]]
    calls = lines(served.ask("GET", f"{path}?type=wasm-*&limit=3")[1])
    assert [e["event_type"] for e in calls] == ["wasm-call", "wasm-result", "wasm-call"]
    past_the_end = served.ask("GET", f"{path}?from={len(everything)}")
    assert past_the_end == (200, b"")


def test_the_log_is_read_from_the_chain(served: Running) -> None:
    actor = served.start("logging")
    served.ask("POST", f"/api/v1/actors/{actor.id}/request", b"hello there")
    content = served.ask("GET", f"/api/v1/actors/{actor.id}/logs?from=3")[1]
    assert (content["source"], content["text"]) == ("log", "hello there")


def test_the_state_can_be_read_as_it_was(served: Running) -> None:
    actor = served.start("past")
    path = f"/api/v1/actors/{actor.id}"
    for _ in range(3):
        served.ask("POST", f"{path}/request", b"x")
    results = [e["seq"] for e in lines(served.ask("GET", f"{path}/events?type=wasm-result")[1])]
    assert [served.ask("GET", f"{path}/state?at={seq}")[1] for seq in results[1:]] == [1, 2, 3]
    assert served.ask("GET", f"{path}/state?at=9999")[1]["code"] == "event.not_found"


def test_an_actor_without_a_state_has_no_content(served: Running) -> None:
    actor = served.start("stateless")
    assert served.ask("GET", f"/api/v1/actors/{actor.id}/state?at=0") == (204, b"")


def test_verify_and_replay_report(served: Running) -> None:
    actor = served.start("proven")
    path = f"/api/v1/actors/{actor.id}"
    served.ask("POST", f"{path}/request", b"x")
    status, report = served.ask("POST", f"{path}/verify")
    head = served.ask("GET", path)[1]["head"]
    assert (status, report["ok"], report["head"], report["against"]) == (200, True, head, "head")
    status, report = served.ask("POST", f"{path}/replay")
    assert (status, report["equal"], report["head"]) == (200, True, head)
    assert served.ask("POST", f"{path}/replay", b'{"until": 3}')[1]["events"] == 4


def test_stopping_twice_is_no_error_and_waiting_tells_of_the_end(served: Running) -> None:
    actor = served.start("ending")
    path = f"/api/v1/actors/{actor.id}"
    status, told = served.ask("GET", f"{path}/wait?timeout_ms=1")
    assert (status, told["code"]) == (504, "wait.timed_out")
    assert served.ask("POST", f"{path}/stop")[1]["status"] == "stopped"
    assert served.ask("POST", f"{path}/stop")[1]["status"] == "stopped"
    assert served.ask("GET", f"{path}/wait")[1]["status"] == "stopped"
    status, told = served.ask("POST", f"{path}/send", b"x")
    assert (status, told["code"]) == (404, "actor.not_found")


def test_an_actor_is_paused_resumed_and_restarted_once_for_a_key(served: Running) -> None:
    actor = served.start("rested")
    path = f"/api/v1/actors/{actor.id}"
    for _ in range(2):
        assert served.ask("POST", f"{path}/pause")[1]["status"] == "paused"
    assert served.ask("POST", f"{path}/send", b"x")[0] == 202
    shown = served.ask("GET", path)[1]
    assert (shown["status"], shown["mailbox"]) == ("paused", 1)
    assert served.ask("POST", f"{path}/resume")[1]["status"] == "running"
    assert served.ask("POST", f"{path}/request", b"x") == (200, 2)
    for _ in range(2):
        status, told = served.ask("POST", f"{path}/restart", b"", {"Idempotency-Key": "again"})
        assert (status, told["status"]) == (200, "running")
        served.ask("POST", f"{path}/request", b"x")
    assert served.ask("POST", f"{path}/restart", b'{"keep_state": true}')[0] == 200
    assert served.ask("POST", f"{path}/request", b"x") == (200, 3)
    assert served.ask("POST", f"{path}/restart", b'{"keep": 1}')[0] == 400
    served.ask("POST", f"{path}/stop")
    for verb in ("pause", "resume", "restart"):
        status, told = served.ask("POST", f"{path}/{verb}")
        assert (status, told["code"]) == (409, "actor.ended")


def test_an_actor_is_updated_once_for_a_key_or_told_the_difference(served: Running) -> None:
    actor = served.start("updated")
    path = f"/api/v1/actors/{actor.id}"
    assert served.ask("POST", f"{path}/send", b"x")[0] == 202
    same, other = (
        served.ask("PUT", f"/api/v1/components/{sha256(wasm).hexdigest()}", wasm)[1]["sha256"]
        for wasm in (COUNTS_ALIKE, COUNTS_BY_TWO)
    )
    body = json.dumps({"component": same}).encode()
    for _ in range(2):
        status, told = served.ask("POST", f"{path}/update", body, {"Idempotency-Key": "update"})
        assert (status, told["component"], told["status"]) == (200, same, "running")
    assert served.ask("POST", f"{path}/send", b"x")[0] == 202
    assert served.ask("POST", f"{path}/request", b"x") == (200, 3)
    wanted = json.dumps({"component": other}).encode()
    status, told = served.ask("POST", f"{path}/update", wanted, {"Idempotency-Key": "update"})
    assert (status, told["code"]) == (409, "key.used")
    status, told = served.ask("POST", f"{path}/update", wanted)
    assert (status, told["code"]) == (409, "update.diverged")
    assert told["facts"].keys() == {"actor", "call", "function", "seq", "expected", "actual"}
    forced = json.dumps({"component": other, "force": True}).encode()
    assert served.ask("POST", f"{path}/update", forced)[1]["component"] == other
    for bad, code in (
        (b"{}", "body.invalid"),
        (b'{"component": "x"}', "component.name"),
        (json.dumps({"component": same, "forced": True}).encode(), "body.invalid"),
    ):
        status, told = served.ask("POST", f"{path}/update", bad)
        assert (status, told["code"]) == (400, code)
    unknown = json.dumps({"component": "0" * 64}).encode()
    status, told = served.ask("POST", f"{path}/update", unknown)
    assert (status, told["code"]) == (404, "component.not_found")
    served.ask("POST", f"{path}/stop")
    status, told = served.ask("POST", f"{path}/update", body)
    assert (status, told["code"]) == (409, "actor.ended")


def test_ended_actors_are_listed_when_asked_for(served: Running) -> None:
    actor = served.start("ended")
    served.ask("POST", f"/api/v1/actors/{actor.id}/stop")
    ids = [each["id"] for each in served.ask("GET", "/api/v1/actors")[1]["actors"]]
    assert actor.id not in ids
    ids = [each["id"] for each in served.ask("GET", "/api/v1/actors?ended=true")[1]["actors"]]
    assert actor.id in ids


def test_a_name_that_two_actors_have_is_a_conflict(served: Running) -> None:
    served.start("twin")
    served.start("twin")
    status, told = served.ask("GET", "/api/v1/actors/twin")
    assert (status, told["code"]) == (409, "actor.ambiguous")


def stream(
    served: Running, path: str, headers: dict[str, str]
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=WAIT_S)
    connection.request(
        "GET", path, headers={"Authorization": f"Bearer {served.server.token}", **headers}
    )
    return connection, connection.getresponse()


def test_following_gives_history_and_live_events_without_gap_or_double(served: Running) -> None:
    actor = served.start("followed")
    path = f"/api/v1/actors/{actor.id}"
    connection, response = stream(served, f"{path}/events?follow=true", {})
    seen = [json.loads(response.readline())["seq"]]
    for _ in range(50):
        served.ask("POST", f"{path}/send", b"x")
    served.ask("POST", f"{path}/stop")
    seen += [json.loads(line)["seq"] for line in response if line.strip()]
    connection.close()
    assert seen == list(range(served.node.info(actor.id).events))


def test_server_sent_events_resume_behind_the_last_one_seen(served: Running) -> None:
    actor = served.start("sse")
    path = f"/api/v1/actors/{actor.id}"
    accept = {"Accept": "text/event-stream"}
    connection, response = stream(served, f"{path}/events", accept)
    assert response.getheader("content-type", "").startswith("text/event-stream")
    assert response.readline() == b"id: 0\n"
    connection.close()
    served.ask("POST", f"{path}/stop")
    connection, response = stream(served, f"{path}/events", {**accept, "Last-Event-ID": "1"})
    ids = [line for line in response.read().split(b"\n") if line.startswith(b"id: ")]
    connection.close()
    last = served.node.info(actor.id).events
    assert ids == [b"id: %d" % seq for seq in range(2, last)]


def test_subscriptions_are_bounded_and_given_back(tmp_path: Path, cache_dir: Path) -> None:
    settings = ServerSettings(port=0, subscriptions=1)
    with running(tmp_path, cache_dir, settings) as served:
        actor = served.start()
        path = f"/api/v1/actors/{actor.id}/events?follow=true"
        connection, response = stream(served, path, {})
        assert response.readline()
        status, told = served.ask("GET", path)
        assert (status, told["code"]) == (503, "subscriptions.full")
        served.ask("POST", f"/api/v1/actors/{actor.id}/stop")
        response.read()
        connection.close()
        assert len(lines(served.ask("GET", path)[1])) == served.node.info(actor.id).events


def test_everything_served_is_in_the_openapi_document(served: Running) -> None:
    status, document = served.ask("GET", "/api/v1/openapi.json")
    assert status == 200
    for path, methods in document["paths"].items():
        concrete = path.replace("{actor}", "nobody").replace("{sha256}", "0" * 64)
        for method in methods:
            code = served.ask(method.upper(), concrete)[1]
            assert not isinstance(code, dict) or code.get("code") not in (
                "http.path",
                "http.method",
            )


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/v1/nothing", "/api/v1/actors/", "/api/v1/actors/a/b/c"]
)
def test_what_is_not_there_is_not_found(served: Running, path: str) -> None:
    status, told = served.ask("GET", path)
    assert (status, told["code"]) == (404, "http.path")


def test_a_wrong_method_says_which_are_allowed(served: Running) -> None:
    status, told = served.ask("DELETE", "/api/v1/actors/x")
    assert (status, told["code"]) == (405, "http.method")
    assert "GET" in told["message"]


def test_children_are_listed_by_their_parent(served: Running) -> None:
    actor = served.start("childless")
    assert served.ask("GET", f"/api/v1/actors?parent={actor.id}")[1]["actors"] == []
    status, told = served.ask("GET", "/api/v1/actors?parent=nobody")[:2]
    assert (status, told["code"]) == (404, "actor.not_found")
