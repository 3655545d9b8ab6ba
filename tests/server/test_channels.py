"""Channels over HTTP, as any client sees them: lines or events, and what ends them."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest

from tests.runtime.actors import until
from tests.server.running import WAIT_S, Running
from theater.protocol.actors import ActorView


@pytest.fixture(scope="module")
def talker(served: Running) -> ActorView:
    return served.start("talker", "channels")


class Stream:
    """A channel as a plain HTTP client holds it."""

    def __init__(self, served: Running, actor: str, body: bytes, **headers: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=WAIT_S)
        given = {"Authorization": f"Bearer {served.server.token}", **headers}
        self.connection.request("POST", f"/api/v1/actors/{actor}/channel", body, given)
        self.response = self.connection.getresponse()

    def line(self) -> bytes:
        while not (line := self.response.readline().rstrip(b"\n")):
            pass
        return line

    def close(self) -> None:
        self.response.close()
        self.connection.close()


def test_a_channel_is_a_stream_of_lines_and_requests_the_other_way(
    served: Running, talker: ActorView
) -> None:
    stream = Stream(served, talker.id, b"y\xff")
    assert stream.response.status == 200
    assert stream.response.getheader("content-type") == "application/x-ndjson"
    opened: Any = json.loads(stream.line())
    channel = opened["channel"]
    assert stream.response.getheader("theater-channel") == channel
    assert json.loads(stream.line()) == {"body": "/w=="}
    path = f"/api/v1/channels/{channel}"
    status, sent = served.ask("POST", path, b"ehi", {"Idempotency-Key": "k"})
    assert (status, served.ask("POST", path, b"ehi", {"Idempotency-Key": "k"})) == (
        202,
        (202, sent),
    )
    assert json.loads(stream.line()) == {"body": "aGk=", "text": "hi"}
    assert served.ask("DELETE", path)[0] == 204
    assert json.loads(stream.line()) == {"closed": True}
    assert stream.response.readline() == b""
    for status, body in (served.ask("POST", path, b"more"), served.ask("DELETE", path)):
        assert (status, body["code"]) == (409, "channel.closed")
    stream.close()


def test_a_channel_can_be_read_as_server_sent_events(served: Running, talker: ActorView) -> None:
    stream = Stream(served, talker.id, b"yhi", Accept="text/event-stream")
    assert stream.response.getheader("content-type", "").startswith("text/event-stream")
    assert json.loads(stream.line().removeprefix(b"data: "))["channel"]
    assert json.loads(stream.line().removeprefix(b"data: "))["text"] == "hi"
    channel = stream.response.getheader("theater-channel")
    served.ask("POST", f"/api/v1/channels/{channel}", b"c")
    assert json.loads(stream.line().removeprefix(b"data: ")) == {"closed": True}
    assert stream.line() == b"event: end"
    stream.close()


@pytest.mark.parametrize(
    ("body", "query", "status", "code"),
    [
        (b"nno", "", 422, "channel.refused"),
        (b"", "?timeout_ms=0", 400, "query.invalid"),
        (b"", "?color=red", 400, "query.invalid"),
    ],
)
def test_what_can_not_be_opened_is_an_error_before_anything_is_streamed(
    served: Running, talker: ActorView, body: bytes, query: str, status: int, code: str
) -> None:
    path = f"/api/v1/actors/{talker.id}/channel{query}"
    found, error = served.ask("POST", path, body)
    assert (found, error["code"]) == (status, code)


def test_a_channel_that_nobody_has_is_the_same_error_whatever_it_is_called(
    served: Running, talker: ActorView
) -> None:
    for name in ("ch_0123456789abcdef", "x", "%00", "a%2Fb", ""):
        status, error = served.ask("POST", f"/api/v1/channels/{name}", b"?")
        assert (status, error["code"]) == (409, "channel.closed")


def test_a_connection_that_is_cut_closes_its_channel(served: Running) -> None:
    actor = served.start("cut", "channels")
    stream = Stream(served, actor.id, b"")
    channel = json.loads(stream.line())["channel"].encode()
    stream.close()

    def told() -> bool:
        return (served.node.state(actor.id) or b"").endswith(b"x" + channel + b"\n")

    until(told, served.node, WAIT_S)
