"""Nodes and actors for benchmarks: real components, a real journal on a real disk."""

from __future__ import annotations

import fcntl
import functools
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Size
from theater.build import build
from theater.engine import wat
from theater.handlers.grant_types import GRANT_TYPES
from theater.manifest import parse
from theater.manifest.model import Manifest
from theater.runtime.info import ActorInfo
from theater.runtime.node import Node
from theater.runtime.settings import NodeSettings
from theater.server.daemon import TheaterServer
from theater.server.settings import ServerSettings

ROOT = Path(__file__).resolve().parent.parent
WAIT_S = 120.0


@functools.cache
def guest(name: str) -> bytes:
    """The component of a guest of guests/wat."""
    return wat((ROOT / "guests" / "wat" / f"{name}.wat").read_text())


def python_guest(size: Size) -> bytes:
    """The component of examples/counter, built once below the cache."""
    project = size.cache / "counter"
    project.mkdir(parents=True, exist_ok=True)
    with (size.cache / "counter.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for source in (ROOT / "examples" / "counter").iterdir():
            if source.is_file():
                shutil.copy(source, project)
        return build(project).component.read_bytes()


def manifest(name: str, **limits: int) -> Manifest:
    """A manifest that grants messages, with these limits."""
    lines = [f'name = "{name}"', 'component = "unused.wasm"', "[limits]"]
    lines += [f"{key} = {value}" for key, value in limits.items()]
    lines += ["[[handler]]", 'type = "message-server"']
    return parse("\n".join(lines) + "\n", grant_types=GRANT_TYPES)


def start(
    node: Node, name: str, chosen: Manifest | None = None, state: bytes | None = None
) -> ActorInfo:
    """Start an actor of guests/wat."""
    component = node.add_component(guest(name))
    return node.start(chosen or manifest(name), component=component, state=state).result(WAIT_S)


def settings(size: Size) -> NodeSettings:
    """The settings of a node as they come, but for where compiled components are kept."""
    return NodeSettings(cache_dir=size.cache / "compiled")


@contextmanager
def directory(size: Size) -> Iterator[Path]:
    """An empty directory on the disk that is measured."""
    with tempfile.TemporaryDirectory(dir=size.scratch) as made:
        yield Path(made)


@contextmanager
def stage(size: Size) -> Iterator[Node]:
    """A node over an empty directory."""
    with directory(size) as data_dir:
        node = Node.open(data_dir / "data", settings(size))
        try:
            yield node
        finally:
            node.close()


@dataclass(frozen=True, slots=True)
class Served:
    """Where a server answers."""

    address: str
    port: int
    token: str | None


@contextmanager
def serving(size: Size) -> Iterator[tuple[Node, Served]]:
    """A node over an empty directory, and its server on a free port."""
    with directory(size) as data_dir:
        node = Node.open(data_dir / "data", settings(size))
        server = TheaterServer(node, data_dir / "data", ServerSettings(port=0))
        ready = threading.Event()
        thread = threading.Thread(target=server.run, args=(ready.set,), name="server")
        thread.start()
        try:
            assert ready.wait(WAIT_S)
            port = int(server.address.rpartition(":")[2])
            yield node, Served(server.address, port, server.token)
        finally:
            server.stop()
            thread.join()
            node.close()
