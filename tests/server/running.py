"""Real servers on free ports of the loopback, over real nodes, and raw connections to them."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from theater.client import Client
from theater.engine import wat
from theater.protocol.actors import ActorView
from theater.runtime.node import Node
from theater.runtime.settings import NodeSettings
from theater.server.daemon import TheaterServer
from theater.server.settings import ServerSettings

GUESTS = Path(__file__).parents[2] / "guests" / "wat"
MANIFEST = 'name = "counter"\ncomponent = "counter.wasm"\n[[handler]]\ntype = "message-server"\n'
WAIT_S = 20.0


@cache
def guest(name: str) -> bytes:
    return wat((GUESTS / f"{name}.wat").read_text())


@dataclass(frozen=True)
class Running:
    """A server that answers, its node, and where it is."""

    server: TheaterServer
    node: Node
    data_dir: Path

    @property
    def address(self) -> str:
        return self.server.address

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def client(self) -> Client:
        return Client(self.address, self.server.token)

    def start(self, name: str = "counter", wasm: str = "counter", limits: str = "") -> ActorView:
        text = MANIFEST.replace('name = "counter"', f'name = "{name}"') + limits
        with self.client() as client:
            component = client.add_component(guest(wasm))
            return client.start(text, path="/somewhere/manifest.toml", component=component)

    def start_named(self, name: str) -> ActorView:
        """Start an actor whose `init` registers a name."""
        text = MANIFEST.replace("counter", "named") + '[[handler]]\ntype = "registry"\n'
        with self.client() as client:
            component = client.add_component(guest("named"))
            return client.start(text, path="/m.toml", component=component, state=name.encode())

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        token: bool = True,
    ) -> tuple[int, Any]:
        """Status and decoded JSON (raw bytes if it is none) of one request."""
        given = dict(headers or {})
        if token and self.server.token is not None:
            given.setdefault("Authorization", f"Bearer {self.server.token}")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            connection.request(method, path, body, given)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        try:
            return response.status, json.loads(content)
        except ValueError:
            return response.status, content

    def raw(self, data: bytes) -> bytes:
        """All that the server answers to these bytes until it closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S) as connection:
            connection.sendall(data)
            return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    pieces = []
    while True:
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            break
        if not piece:
            break
        pieces.append(piece)
    return b"".join(pieces)


@contextmanager
def running(
    data_dir: Path, cache_dir: Path, settings: ServerSettings | None = None
) -> Iterator[Running]:
    node = Node.open(data_dir, NodeSettings(cache_dir=cache_dir))
    try:
        server = TheaterServer(node, data_dir, settings or ServerSettings(port=0))
        ready = threading.Event()
        thread = threading.Thread(target=server.run, args=(ready.set,), daemon=True)
        thread.start()
        assert ready.wait(WAIT_S)
        try:
            yield Running(server, node, data_dir)
        finally:
            server.stop()
            thread.join(WAIT_S)
            assert not thread.is_alive()
    finally:
        node.close()
