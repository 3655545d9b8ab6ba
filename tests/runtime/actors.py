"""Nodes and actors for tests of the runtime: real components, a real journal, no stand-ins."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from theater.engine import wat
from theater.handlers.grant_types import GRANT_TYPES
from theater.manifest import parse
from theater.manifest.model import Manifest
from theater.runtime.info import ActorInfo
from theater.runtime.node import Node
from theater.runtime.settings import NodeSettings

GUESTS = Path(__file__).parents[2] / "guests" / "wat"
WAIT_S = 90.0


@functools.cache
def guest(name: str) -> bytes:
    """The component of a WAT guest."""
    return wat((GUESTS / f"{name}.wat").read_text())


def manifest(
    name: str = "actor", *, handlers: str = '[[handler]]\ntype = "message-server"\n', **limits: int
) -> Manifest:
    """A manifest with these handlers and limits."""
    lines = [f'name = "{name}"', 'component = "unused.wasm"']
    if limits:
        lines.append("[limits]")
        lines.extend(f"{key} = {value}" for key, value in limits.items())
    return parse("\n".join(lines) + "\n" + handlers, grant_types=GRANT_TYPES)


@dataclass
class Theater:
    """A node over a data directory that can be closed and opened again."""

    data_dir: Path
    settings: NodeSettings
    node: Node

    def start(
        self, component: str | bytes, manifest_: Manifest | None = None, state: bytes | None = None
    ) -> ActorInfo:
        """Start an actor from a WAT guest's name or a component."""
        wasm = guest(component) if isinstance(component, str) else component
        digest = self.node.add_component(wasm)
        chosen = manifest_ or manifest(component if isinstance(component, str) else "actor")
        return self.node.start(chosen, component=digest, state=state).result(WAIT_S)

    def ask(self, actor: ActorInfo, body: bytes) -> bytes:
        """Request with a bounded wait."""
        return self.node.request(actor.id, body).result(WAIT_S)

    def tell(self, actor: ActorInfo, body: bytes) -> str:
        """Send with a bounded wait."""
        return self.node.send(actor.id, body).result(WAIT_S)

    def types(self, actor: ActorInfo) -> list[str]:
        """The types of the actor's events."""
        return [event.type for event in self.node.events(actor.id)]

    def fail(self, actor: ActorInfo) -> None:
        """Have an actor fail inside the runtime, with a call to take up that there isn't."""
        self.node._router.actors[actor.id].interrupted = True
        self.tell(actor, b"never handled")
        assert self.node.wait(actor.id).result(WAIT_S).status == "failed"

    def reopen(self) -> None:
        """Close the node and open its directory again."""
        self.node.close()
        self.node = Node.open(self.data_dir, self.settings)

    def prove(self, actor: ActorInfo) -> None:
        """Assert that the actor's chain verifies and replays to its head."""
        report = self.node.verify(actor.id)
        assert report.problem is None
        replay = self.node.replay(actor.id)
        assert replay.divergence is None
        assert replay.equal


@contextmanager
def theater(data_dir: Path, settings: NodeSettings) -> Iterator[Theater]:
    """Open a node and close it whatever happens."""
    opened = Theater(data_dir, settings, Node.open(data_dir, settings))
    try:
        yield opened
    finally:
        opened.node.close()


def until(condition: Callable[[], bool], node: Node, seconds: float = WAIT_S) -> None:
    """Wait until a condition holds, looking again after each commit of the node."""
    import threading

    changed = threading.Event()
    undo = node.watch(lambda _grown: changed.set())
    try:
        left = int(seconds * 20)
        while not condition():
            assert left > 0, "the condition did not come true in time"
            left -= 1
            changed.wait(0.05)
            changed.clear()
    finally:
        undo()
