"""How the server ends: in order, at once, and when its journal fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server.running import MANIFEST, WAIT_S, guest, running
from theater.client import Client
from theater.errors import TheaterError, Unavailable
from theater.server.credentials import read_running, read_token

pytestmark = pytest.mark.slow

FAILING = """
import sys
from pathlib import Path
from theater.runtime.node import Node
from theater.runtime.settings import NodeSettings
from theater.server.daemon import TheaterServer
from theater.server.settings import ServerSettings

folder = Path(sys.argv[1])
broken = folder / "broken"

def failpoint(point, number):
    if point == "written" and broken.exists():
        raise OSError("no space left on device")

node = Node.open(folder / "data", NodeSettings(cache_dir=Path(sys.argv[2]), failpoint=failpoint))
server = TheaterServer(node, folder / "data", ServerSettings(port=0))
server.run(ready=lambda: print(server.address, flush=True))
"""


@contextmanager
def process(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


@contextmanager
def theater_server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Client]]:
    command = "from theater.cli import main; main()"
    home = {
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "THEATER_DATA_DIR": str(tmp_path / "data"),
    }
    with process("-c", command, "server", "--port", "0", **home) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        with Client(address, read_token(tmp_path / "data"), retries=0) as client:
            yield server, client


def start(client: Client, wasm: str) -> str:
    component = client.add_component(guest(wasm))
    return client.start(MANIFEST, path="m", component=component).id


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_in_order(tmp_path: Path, number: signal.Signals) -> None:
    with theater_server(tmp_path) as (server, client):
        actor = start(client, "counter")
        assert client.request(actor, b"x") == b"1"
        running_now = read_running(tmp_path / "data")
        assert running_now is not None
        assert (running_now.address, running_now.pid) == (client.address, server.pid)
        server.send_signal(number)
        assert server.wait(WAIT_S) == 0
        assert read_running(tmp_path / "data") is None
    with theater_server(tmp_path) as (_, client):
        assert client.request(actor, b"x") == b"2"


def test_whoever_follows_or_waits_is_let_go_when_it_stops(tmp_path: Path) -> None:
    with theater_server(tmp_path) as (server, client), ThreadPoolExecutor(2) as threads:
        actor = start(client, "loop")
        client.send(actor, b"never ends")
        following = client.events(actor, follow=True)
        next(following)
        waiting = threads.submit(client.request, actor, b"x")
        ending = threads.submit(client.wait, actor)
        threading.Event().wait(0.3)
        server.send_signal(signal.SIGINT)
        with pytest.raises(Unavailable) as caught:
            list(following)
        assert caught.value.code == "server.stopping"
        for asked in (waiting, ending):
            error = asked.exception(WAIT_S)
            assert isinstance(error, Unavailable)
        assert server.wait(WAIT_S) == 0


def test_a_second_signal_stops_it_at_once(tmp_path: Path) -> None:
    with theater_server(tmp_path) as (server, client), ThreadPoolExecutor(1) as threads:
        actor = start(client, "loop")
        client.send(actor, b"never ends")
        waiting = threads.submit(client.request, actor, b"x")
        threading.Event().wait(0.3)
        server.send_signal(signal.SIGINT)
        threading.Event().wait(0.2)
        server.send_signal(signal.SIGINT)
        assert server.wait(WAIT_S) == 130
        assert isinstance(waiting.exception(WAIT_S), TheaterError)


def test_a_journal_that_fails_ends_the_process_and_nothing_more_is_answered(
    tmp_path: Path, cache_dir: Path
) -> None:
    with process("-c", FAILING, str(tmp_path), str(cache_dir)) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        address = server.stdout.readline().strip()
        with Client(address, read_token(tmp_path / "data"), retries=0) as client:
            actor = start(client, "counter")
            assert client.request(actor, b"x") == b"1"
            (tmp_path / "broken").touch()
            with pytest.raises(Unavailable) as caught:
                client.request(actor, b"x")
            assert caught.value.code == "server.unreachable"
        assert server.wait(WAIT_S) == 1
        assert "The server stops" in server.stderr.read()
    with running(tmp_path / "data", cache_dir) as served:
        assert served.node.request(actor, b"x").result(WAIT_S) == b"2"


def test_a_port_that_is_taken_is_told_with_what_to_do(tmp_path: Path, cache_dir: Path) -> None:
    with running(tmp_path / "one", cache_dir) as served:
        command = "from theater.cli import main; main()"
        data = str(tmp_path / "two")
        arguments = ("server", "--port", str(served.port), "--data-dir", data)
        with process("-c", command, *arguments) as second:
            _, said = second.communicate(timeout=WAIT_S)
            assert second.returncode == 1
            assert "--port" in said
            assert "Traceback" not in said
