"""Subscriptions over the server: many at once, slow ones, broken ones, across restarts."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.server.running import MANIFEST, WAIT_S, Running, guest, read_all, running
from theater.client import AsyncClient, Client
from theater.errors import Unavailable
from theater.limits import EVENT_LINE_BYTES_MAX, SUBSCRIPTION_BYTES
from theater.server import dispatch
from theater.server.connection import BoundedConnection
from theater.server.credentials import read_token
from theater.server.settings import ServerSettings

pytestmark = pytest.mark.slow

SSE = {"Accept": "text/event-stream"}


def head(served: Running, path: str, *fields: str) -> bytes:
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{served.port}",
        f"Authorization: Bearer {served.server.token}",
        *fields,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def stalled(served: Running, path: str, *fields: str) -> socket.socket:
    """A subscriber that asked, and takes nothing."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(WAIT_S)
    connection.connect(("127.0.0.1", served.port))
    connection.sendall(head(served, path, *fields))
    return connection


def sse(content: bytes) -> list[dict[str, str]]:
    """The events of a stream of Server-Sent Events, comments left out."""
    found = []
    for block in content.decode().split("\n\n"):
        fields = [line.split(": ", 1) for line in block.splitlines() if not line.startswith(":")]
        if fields:
            found.append(dict(fields))
    return found


def followed(
    served: Running, path: str, headers: dict[str, str]
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=WAIT_S)
    token = {"Authorization": f"Bearer {served.server.token}"}
    connection.request("GET", path, headers={**token, **headers})
    return connection, connection.getresponse()


def chain(served: Running, actor: str, start: int = 0) -> list[tuple[int, str]]:
    return [(event.seq, event.hash.hex()) for event in served.node.events(actor, start)]


def load(served: Running, actor: str, count: int, size: int = 1) -> None:
    """Have an actor handle messages; returns when all are answered."""
    answers = [served.node.request(actor, b"x" * size) for _ in range(count)]
    for answer in answers:
        answer.result(WAIT_S)


def buffered(served: Running) -> list[int]:
    """What the server has in hand for each of its connections, in bytes."""
    server = served.server._server
    assert server is not None
    connections = [c for c in server.server_state.connections if isinstance(c, BoundedConnection)]
    return [c.transport.get_write_buffer_size() for c in connections]


def test_a_stream_of_an_actor_that_ended_says_that_it_is_whole(served: Running) -> None:
    actor = served.start("whole")
    served.node.stop(actor.id).result(WAIT_S)
    connection, response = followed(served, f"/api/v1/actors/{actor.id}/events", SSE)
    events = sse(response.read())
    connection.close()
    assert events[-1]["event"] == "end"
    assert [int(event["id"]) for event in events[:-1]] == [
        seq for seq, _ in chain(served, actor.id)
    ]


def test_several_actors_are_followed_at_once_and_resumed(served: Running) -> None:
    actors = [served.start(f"several-{n}") for n in range(3)]
    query = "&".join(f"actor={actor.name}" for actor in actors)
    path = f"/api/v1/events?{query}"
    connection, response = followed(served, path, SSE)
    first: list[dict[str, Any]] = []
    while len(first) < 4:
        line = response.readline()
        if line.startswith(b"data: "):
            first.append(json.loads(line[6:]))
    connection.close()
    for actor in actors:
        load(served, actor.id, 20)
        served.node.stop(actor.id).result(WAIT_S)
    resumed = {**SSE, "Last-Event-ID": first[-1]["cursor"]}
    connection, response = followed(served, path, resumed)
    rest = [json.loads(e["data"]) for e in sse(response.read()) if "id" in e]
    connection.close()
    for actor in actors:
        seen = [
            (each["event"]["seq"], each["event"]["hash"])
            for each in (*first, *rest)
            if each["actor"] == actor.id
        ]
        assert seen == chain(served, actor.id)


def test_all_are_followed_and_new_ones_from_their_first_event_on(
    tmp_path: Path, cache_dir: Path
) -> None:
    with running(tmp_path, cache_dir) as served, served.client() as client:
        early = served.start("early")
        seen: dict[str, list[tuple[int, str]]] = {}
        stream = client.subscribe()
        late = None
        for each in stream:
            seen.setdefault(each.actor, []).append((each.event.seq, each.event.hash))
            if late is None:
                late = served.start("late")
                load(served, late.id, 5)
                served.node.stop(late.id).result(WAIT_S)
                served.node.stop(early.id).result(WAIT_S)
            if sum(map(len, seen.values())) == sum(
                len(chain(served, actor.id)) for actor in (early, late)
            ):
                break
        assert seen == {actor.id: chain(served, actor.id) for actor in (early, late)}
        beginning = served.ask("GET", "/api/v1/events?type=actor-start")[1]
        found = [json.loads(line)["actor"] for line in beginning.splitlines()]
        assert found == [early.id, late.id]
        assert served.ask("GET", "/api/v1/events?from=now") == (200, b"")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("from=x", 400, "query.invalid"),
        ("from=1&cursor=1", 400, "query.invalid"),
        ("cursor=1.2", 400, "subscription.cursor"),
        ("cursor=99999999999999999999", 400, "subscription.cursor"),
        ("actor=nobody", 404, "actor.not_found"),
        ("actor=ffffffff-ffff-4fff-8fff-ffffffffffff&follow=true", 404, "actor.not_found"),
        ("type=" + "x" * 300, 400, "subscription.type"),
        ("&".join("actor=a" for _ in range(200)), 400, "query.invalid"),
    ],
)
def test_a_subscription_that_makes_no_sense_is_refused_before_it_begins(
    served: Running, query: str, status: int, code: str
) -> None:
    found, told = served.ask("GET", f"/api/v1/events?{query}")
    assert (found, told["code"]) == (status, code)


def test_a_cursor_of_a_browser_that_makes_no_sense_is_refused(served: Running) -> None:
    headers = {**SSE, "Last-Event-ID": "x"}
    status, told = served.ask("GET", "/api/v1/events", headers=headers)
    assert (status, told["code"]) == (400, "subscription.cursor")


def test_who_reads_nothing_costs_the_server_a_bounded_piece_and_others_nothing(
    tmp_path: Path, cache_dir: Path
) -> None:
    with running(tmp_path, cache_dir) as served, ExitStack() as stack:
        actor = served.start()
        path = f"/api/v1/actors/{actor.id}/events?follow=true"
        load(served, actor.id, 300, 3000)
        lazy = [
            stack.enter_context(stalled(served, path, "Accept: text/event-stream"))
            for _ in range(12)
        ]
        with ThreadPoolExecutor(1) as threads, served.client() as client:
            keen = threads.submit(list, client.events(actor.id, follow=True))
            for connection in lazy[:6]:
                assert connection.recv(1)
            load(served, actor.id, 300, 3000)
            for connection in lazy[:6]:
                assert connection.recv(1)
            assert served.node.request(actor.id, b"x").result(WAIT_S) == b"601"
            piece = 4 * SUBSCRIPTION_BYTES + EVENT_LINE_BYTES_MAX
            assert all(size <= piece for size in buffered(served))
            served.node.stop(actor.id).result(WAIT_S)
            events = [(each.seq, each.hash) for each in keen.result(WAIT_S)]
            assert events == chain(served, actor.id)
        # Who was slow lost nothing: the rest comes at its pace.
        late = sse(_body(lazy[-1]))
        assert [int(event["id"]) for event in late if "id" in event] == [seq for seq, _ in events]


def test_who_takes_nothing_for_too_long_is_told_so_and_let_go(
    tmp_path: Path, cache_dir: Path
) -> None:
    settings = ServerSettings(port=0, stall_s=0.5, subscriptions=1)
    with running(tmp_path, cache_dir, settings) as served:
        actor = served.start()
        load(served, actor.id, 500, 3000)
        path = f"/api/v1/actors/{actor.id}/events?follow=true"
        with stalled(served, path, "Accept: text/event-stream") as lazy:
            # Its place is free again once it was let go.
            while True:
                status, told = served.ask("GET", f"{path}&limit=1")
                if status == 200:
                    break
                assert told["code"] == "subscriptions.full"
            read_all(lazy)
        with served.client() as client:
            assert client.request(actor.id, b"x") == b"501"


def test_who_reads_again_just_in_time_is_told_why_it_was_let_go(
    tmp_path: Path, cache_dir: Path
) -> None:
    settings = ServerSettings(port=0, stall_s=2.0, subscriptions=1)
    with running(tmp_path, cache_dir, settings) as served:
        actor = served.start()
        load(served, actor.id, 500, 3000)
        path = f"/api/v1/actors/{actor.id}/events?follow=true"
        with stalled(served, path, "Accept: text/event-stream") as lazy:
            while served.ask("GET", f"{path}&limit=1")[0] != 200:
                pass
            events = sse(_body(lazy))
        assert json.loads(events[-1]["data"])["error"]["code"] == "subscription.slow"
        seqs = [int(event["id"]) for event in events[:-1]]
        assert seqs == list(range(len(seqs)))


def _body(connection: socket.socket) -> bytes:
    """The body of a chunked answer that is read to its end."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response.read()


def test_fifty_subscribers_with_stalls_and_breaks_all_see_every_event_once(
    tmp_path: Path, cache_dir: Path
) -> None:
    with running(tmp_path, cache_dir, ServerSettings(port=0)) as served:
        actor = served.start()
        ended = threading.Event()

        async def one(client: AsyncClient, seed: int) -> None:
            pace = random.Random(seed)
            start = pace.choice([0, 0, 5, 40])
            at = start
            seen: list[tuple[int, str]] = []
            while not (ended.is_set() and at > served.node.info(actor.id).events - 1):
                left = pace.randrange(1, 200)
                async for each in client.events(actor.id, start=at, follow=True):
                    seen.append((each.seq, each.hash))
                    at = each.seq + 1
                    if pace.random() < 0.01:
                        await asyncio.sleep(pace.random() / 20)
                    if (left := left - 1) == 0:
                        break
            assert seen == chain(served, actor.id, start)

        def feed() -> None:
            for n in range(12):
                load(served, actor.id, 10)
                if n % 4 == 0:
                    served.node.passivate(actor.id)
            served.node.stop(actor.id).result(WAIT_S)
            ended.set()

        async def main() -> None:
            loading = asyncio.get_running_loop().run_in_executor(None, feed)
            async with AsyncClient(served.address, served.server.token) as client:
                await asyncio.gather(*(one(client, seed) for seed in range(50)))
            await loading

        asyncio.run(main())


def _process(data_dir: Path, cache_dir: Path, port: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache_dir), "XDG_CONFIG_HOME": str(data_dir)}
    command = "from theater.cli import main; main()"
    started = subprocess.Popen(
        [
            *(sys.executable, "-c", command, "server"),
            *("--port", str(port), "--data-dir", str(data_dir)),
        ],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    assert started.stdout.readline().startswith("http://")
    return started


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port: int = unused.getsockname()[1]
        return port


def _browse(port: int, token: str | None, actor: str, seed: int) -> list[tuple[int, str]]:
    """Follow as a browser does, with Last-Event-ID, leaving now and then, until the stream ends."""
    pace = random.Random(seed)
    seen: list[tuple[int, str]] = []
    tries = 0
    while tries < 400:
        headers = {**SSE, "Authorization": f"Bearer {token}"}
        if seen:
            headers["Last-Event-ID"] = str(seen[-1][0])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
        left = pace.randrange(1, 60)
        try:
            connection.request("GET", f"/api/v1/actors/{actor}/events", headers=headers)
            response = connection.getresponse()
            while left and (line := response.readline()):
                if line == b"event: end\n":
                    return seen
                if line.startswith(b"data: ") and b'"error"' not in line[:16]:
                    event = json.loads(line[6:])
                    seen.append((event["seq"], event["hash"]))
                    left -= 1
        except (OSError, http.client.HTTPException):
            threading.Event().wait(0.05)
        finally:
            connection.close()
        tries += 1
    raise AssertionError("the stream did not come to its end")


@pytest.mark.parametrize(("how", "rounds"), [(signal.SIGKILL, 3), (signal.SIGTERM, 1)])
def test_clients_go_on_by_themselves_when_the_server_is_started_again(
    tmp_path: Path, cache_dir: Path, free_port: int, how: signal.Signals, rounds: int
) -> None:
    server = _process(tmp_path, cache_dir, free_port)
    address = f"http://127.0.0.1:{free_port}"
    try:
        token = read_token(tmp_path)
        with Client(address, token) as client, ThreadPoolExecutor(8) as threads:
            component = client.add_component(guest("counter"))
            actor = client.start(MANIFEST, path="m", component=component).id
            other = client.start(MANIFEST, path="m", component=component).id

            async def follow() -> list[Any]:
                async with AsyncClient(address, token) as each:
                    return [event async for event in each.events(actor, follow=True)]

            following = [
                threads.submit(lambda: list(client.events(actor, follow=True))),
                threads.submit(lambda: asyncio.run(follow())),
                threads.submit(lambda: list(client.subscribe([actor, other]))),
            ]
            browsing = [threads.submit(_browse, free_port, token, actor, seed) for seed in range(5)]
            for round_ in range(rounds):
                for n in range(20):
                    client.send(actor, b"x", key=f"{round_}-{n}")
                    client.send(other, b"x", key=f"{round_}-{n}-other")
                server.send_signal(how)
                server.wait(WAIT_S)
                server.communicate()
                server = _process(tmp_path, cache_dir, free_port)
            assert client.request(actor, b"x") == b"%d" % (20 * rounds + 1)
            client.stop(actor)
            client.stop(other)
            whole = [(event.seq, event.hash) for event in client.events(actor)]
            elsewhere = [(event.seq, event.hash) for event in client.events(other)]
            for follower in following[:2]:
                seen = [(event.seq, event.hash) for event in follower.result(WAIT_S)]
                assert seen == whole
            for browser in browsing:
                assert browser.result(WAIT_S) == whole
            several = following[2].result(WAIT_S)
            for id_, expected in ((actor, whole), (other, elsewhere)):
                its = [(e.event.seq, e.event.hash) for e in several if e.actor == id_]
                assert its == expected
    finally:
        server.kill()
        server.communicate()


def test_signs_of_life_come_while_nothing_happens(
    served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "SUBSCRIPTION_BEAT_S", 0.05)
    actor = served.start("quiet")
    path = f"/api/v1/actors/{actor.id}/events?from=1000&follow=true"
    for headers, beat in ((SSE, b": alive\n"), ({}, b"\n")):
        connection, response = followed(served, path, headers)
        assert [line for line in (response.readline() for _ in range(5)) if line != b"\n"] == (
            [] if beat == b"\n" else [beat] * 3
        )
        connection.close()


def test_the_place_of_who_left_is_free_again(tmp_path: Path, cache_dir: Path) -> None:
    with running(tmp_path, cache_dir, ServerSettings(port=0, subscriptions=1)) as served:
        served.start()
        for _ in range(5):
            connection, response = followed(served, "/api/v1/events?follow=true", SSE)
            while response.status == 503:
                # The server notices a moment after the connection was closed.
                connection.close()
                connection, response = followed(served, "/api/v1/events?follow=true", SSE)
            assert response.readline().startswith(b"id: ")
            connection.close()


def test_a_client_without_retries_is_told_when_the_stream_breaks(
    tmp_path: Path, cache_dir: Path
) -> None:
    with running(tmp_path, cache_dir) as served:
        actor = served.start()
        with Client(served.address, served.server.token, retries=0) as client:
            stream = client.events(actor.id, follow=True)
            next(stream)
            served.server.stop()
            with pytest.raises(Unavailable) as caught:
                list(stream)
        assert caught.value.code == "server.stopping"
