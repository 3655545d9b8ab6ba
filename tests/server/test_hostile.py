"""Requests that nobody means well: each is refused, and the server goes on answering."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.running import WAIT_S, Running, read_all, running
from theater.limits import HEADER_BYTES_MAX
from theater.protocol.actors import ActorView
from theater.server.settings import ServerSettings

pytestmark = pytest.mark.slow

MESSAGE_BYTES = 1000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[Running]:
    """A server with tight bounds."""
    settings = ServerSettings(port=0, message_bytes=MESSAGE_BYTES, body_grace_s=0.5, connections=40)
    with running(tmp_path_factory.mktemp("data"), cache_dir, settings) as opened:
        yield opened


@pytest.fixture(autouse=True)
def goes_on(served: Running) -> Iterator[None]:
    yield
    assert served.ask("GET", "/healthz") == (200, {"status": "ok"})


def head(served: Running, line: str, *headers: str, host: str | None = None) -> bytes:
    token = f"Authorization: Bearer {served.server.token}"
    name = host or f"127.0.0.1:{served.port}"
    return "\r\n".join([f"{line} HTTP/1.1", f"Host: {name}", token, *headers, "", ""]).encode()


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    "path", ["/api/v1", "/api/v1/actors", "/api/v1/actors/x/send", "/api/v1/openapi.json", "/nope"]
)
def test_nothing_but_health_is_told_without_the_token(served: Running, path: str) -> None:
    status, told = served.ask("POST" if path.endswith("send") else "GET", path, token=False)
    assert (status, told["code"]) == (401, "token.missing")


@pytest.mark.parametrize("given", ["Bearer wrong", "Bearer ", "Basic eDp5", "", "Bearer \xff"])
def test_another_token_is_refused(served: Running, given: str) -> None:
    status, told = served.ask("GET", "/api/v1/actors", headers={"Authorization": given})
    assert (status, told["code"]) == (401, "token.wrong")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1:1", "", "10.0.0.1:{port}"]
)
def test_another_host_is_refused_even_with_the_token(served: Running, host: str) -> None:
    name = host.replace("{port}", str(served.port))
    status, told = served.ask("GET", "/api/v1/actors", headers={"Host": name})
    assert (status, told["code"]) == (403, "host.unknown")
    assert served.ask("GET", "/healthz", headers={"Host": name})[0] == 403


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "[::1]", "127.0.0.1"])
def test_the_names_of_this_machine_are_let_in(served: Running, host: str) -> None:
    assert served.ask("GET", "/api/v1", headers={"Host": f"{host}:{served.port}"})[0] == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://localhost:{port}"]
)
def test_another_origin_is_refused_even_with_the_token(served: Running, origin: str) -> None:
    given = {"Origin": origin.replace("{port}", str(served.port))}
    status, told = served.ask("GET", "/api/v1/actors", headers=given)
    assert (status, told["code"]) == (403, "origin.unknown")


def test_the_servers_own_origin_is_let_in(served: Running) -> None:
    given = {"Origin": f"http://127.0.0.1:{served.port}"}
    assert served.ask("GET", "/api/v1/actors", headers=given)[0] == 200


def test_a_second_host_is_refused(served: Running) -> None:
    request = head(served, "GET /api/v1", "Host: evil.example", "Connection: close")
    assert status_of(served.raw(request)) in (400, 403)


def test_a_body_that_announces_too_much_is_refused_before_it_is_sent(served: Running) -> None:
    request = head(served, "POST /api/v1/actors/x/send", "Content-Length: 99999999999")
    answer = served.raw(request)
    assert status_of(answer) == 413
    assert b'"body.too_large"' in answer


def test_a_body_that_does_not_announce_its_size_is_cut_off_at_the_bound(served: Running) -> None:
    actor = served.start("chunked")
    line = f"POST /api/v1/actors/{actor.id}/send"
    piece = b"%x\r\n%b\r\n" % (700, b"x" * 700)
    request = head(served, line, "Transfer-Encoding: chunked") + piece * 50
    answer = served.raw(request)
    assert status_of(answer) == 413


def test_a_body_at_the_bound_is_taken(served: Running) -> None:
    actor = served.start("bound")
    path = f"/api/v1/actors/{actor.id}/send"
    assert served.ask("POST", path, b"x" * MESSAGE_BYTES)[0] == 202
    assert served.ask("POST", path, b"x" * (MESSAGE_BYTES + 1))[0] == 413


def test_a_message_above_the_actors_bound_is_refused(served: Running) -> None:
    actor = served.start("narrow", limits="[limits]\nmessage_bytes = 10\n")
    status, told = served.ask("POST", f"/api/v1/actors/{actor.id}/send", b"x" * 11)
    assert (status, told["code"]) == (413, "message.too_large")


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"\r\n",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    ],
)
def test_a_request_that_never_gets_whole_is_dropped(served: Running, begun: bytes) -> None:
    began = time.monotonic()
    served.raw(begun)
    assert time.monotonic() - began < WAIT_S


def test_a_body_that_drips_is_dropped(served: Running, counter: ActorView) -> None:
    line = f"POST /api/v1/actors/{counter.id}/send"
    with socket.create_connection(("127.0.0.1", served.port), timeout=WAIT_S) as connection:
        connection.sendall(head(served, line, f"Content-Length: {MESSAGE_BYTES}") + b"x")
        assert status_of(read_all(connection)) == 408
    assert served.node.info(counter.id).mailbox == 0


def test_a_head_that_is_too_long_is_refused(served: Running) -> None:
    request = head(served, "GET /healthz", "X-Long: " + "x" * HEADER_BYTES_MAX)
    assert status_of(served.raw(request)) == 431
    many = [f"X-{number}: {'y' * 100}" for number in range(HEADER_BYTES_MAX // 100)]
    assert status_of(served.raw(head(served, "GET /healthz", *many))) == 431
    assert status_of(served.raw(head(served, "GET /" + "a" * HEADER_BYTES_MAX))) == 431


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"x"', b"\xff", b'{"manifest": 1}', b"", b'{"a":' * 100_000]
)
def test_a_start_that_is_not_one_is_refused(served: Running, body: bytes) -> None:
    status, told = served.ask("POST", "/api/v1/actors", body)
    assert status == 400
    assert told["code"] in ("encoding.json", "body.invalid")


def test_unknown_fields_are_refused(served: Running) -> None:
    body = {"manifest": "", "path": "", "component": "", "surprise": 1}
    status, told = served.ask("POST", "/api/v1/actors", json.dumps(body).encode())
    assert (status, told["code"]) == (400, "body.invalid")
    assert "surprise" in told["message"]
    status, told = served.ask("GET", "/api/v1/actors?end=true")
    assert (status, told["code"]) == (400, "query.invalid")


@pytest.mark.parametrize(
    "query",
    [
        "from=-1",
        "from=x",
        "from=1e3",
        "limit=",
        "follow=yes",
        "from=" + "9" * 30,
        "type=a&type=b&x=1",
    ],
)
def test_a_query_that_makes_no_sense_is_refused(
    served: Running, counter: ActorView, query: str
) -> None:
    status, told = served.ask("GET", f"/api/v1/actors/{counter.id}/events?{query}")
    assert (status, told["code"]) == (400, "query.invalid")


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "\xe9"])
def test_an_idempotency_key_that_is_none_is_refused(
    served: Running, counter: ActorView, key: str
) -> None:
    path = f"/api/v1/actors/{counter.id}/send"
    status, told = served.ask("POST", path, b"x", {"Idempotency-Key": key})
    assert (status, told["code"]) == (400, "idempotency_key.invalid")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/actors/../../etc/passwd",
        "/api/v1/actors/..%2f..%2ftoken/state",
        "/api/v1/components/..%2f..%2ftoken",
        "/api/v1/components/%00",
        "//api/v1/actors",
        "/api/v1/actors/%ff/state",
        "/api/v1/actors/x;y/state",
    ],
)
def test_tricks_with_paths_lead_nowhere(served: Running, path: str) -> None:
    status, told = served.ask("GET", path)
    assert status in (400, 404, 405)
    assert isinstance(told, dict)


def test_what_is_not_http_is_refused(served: Running) -> None:
    assert status_of(served.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")) == 400


def test_an_answer_can_not_be_taken_for_a_page(served: Running, counter: ActorView) -> None:
    answer = served.raw(
        head(
            served,
            f"POST /api/v1/actors/{counter.id}/request",
            "Content-Length: 1",
            "Connection: close",
        )
        + b"x"
    ).lower()
    assert b"content-type: application/octet-stream\r\n" in answer
    assert b"x-content-type-options: nosniff\r\n" in answer
    assert b"content-security-policy: default-src 'none'" in answer


def test_connections_are_bounded_and_given_back(served: Running) -> None:
    held = [socket.create_connection(("127.0.0.1", served.port), timeout=WAIT_S) for _ in range(60)]
    refused = [connection for connection in held if status_at_once(connection) == 503]
    assert len(refused) >= 20
    for connection in held:
        connection.close()
    until = time.monotonic() + WAIT_S
    while served.raw(head(served, "GET /healthz", "Connection: close"))[9:12] != b"200":
        assert time.monotonic() < until


def status_at_once(connection: socket.socket) -> int | None:
    """The status of an answer that came without any request, None if the server waits or closed."""
    answer = read_all(connection)
    return status_of(answer) if answer else None
