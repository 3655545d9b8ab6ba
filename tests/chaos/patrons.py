"""The clients of the kill test: each one after the other sends, asks, starts, pauses, restarts and
stops, with keys.

Whatever happens to the server, a client asks again with the same key until it is told. What it was
told it writes down, synced, before it goes on.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tests.chaos.tally import Tally
from tests.runtime.actors import guest
from theater.client import Client
from theater.errors import Unavailable

T = TypeVar("T")

PATIENCE_S = 120.0
AGAIN = {"server.unreachable", "server.stopping", "node.closing"}
LARGE = 70_000
"""Above what stands in a row of the journal: such content is a file."""


class Door:
    """Where the server is now; those who ask while there is none wait for the next."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._client: Client | None = None
        self._closed = False

    def open(self, address: str, token: str) -> None:
        with self._changed:
            self._client = Client(address, token, retries=0)
            self._changed.notify_all()

    def shut(self) -> None:
        with self._changed:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def close(self) -> None:
        """No server will come any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def client(self, not_this: Client | None = None) -> Client:
        """The client of the server that runs now, or of the next one."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: self._closed or (self._client not in (None, not_this)), PATIENCE_S
            ), "no server came back"
            if self._closed or self._client is None:
                raise Abandoned
            return self._client


class Abandoned(Exception):
    """The run was given up."""


@dataclass(frozen=True)
class Told:
    """One line of a client's log: the key, what was asked of whom, and what came back."""

    key: str
    what: str
    actor: str
    answer: str


@dataclass
class Patron:
    """One client. `told` is its log, as it stands in the synced file at `path`."""

    name: str
    door: Door
    tally: Tally
    path: Path
    told: list[Told] = field(default_factory=list)

    def insist(self, call: Callable[[Client], T]) -> T:
        """Make a call until it is answered, by whichever server."""
        client = self.door.client()
        while True:
            try:
                return call(client)
            except Unavailable as error:
                if error.code not in AGAIN:
                    raise
                client = self.door.client(not_this=client)

    def note(self, key: str, what: str, actor: str, answer: str) -> None:
        """Write down what was acknowledged, synced, before anything else is done."""
        self.tally.add("acked")  # at once: a kill that waits for it may come before the disk
        told = Told(key, what, actor, answer)
        line = json.dumps([told.key, told.what, told.actor, told.answer]).encode() + b"\n"
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, line)
            os.fsync(handle)
        finally:
            os.close(handle)
        self.told.append(told)

    def send(self, key: str, actor: str, body: bytes) -> None:
        message = self.insist(lambda client: client.send(actor, body, key=key))
        self.note(key, "send", actor, message)

    def request(self, key: str, actor: str, body: bytes) -> bytes:
        answer = self.insist(lambda client: client.request(actor, body, key=key))
        self.note(key, "request", actor, answer.hex())
        return answer

    def start(self, key: str, wasm: bytes, name: str, manifest: str, state: object = None) -> str:
        """Start an actor; returns its id."""

        def call(client: Client) -> str:
            component = client.add_component(wasm)
            encoded = state if isinstance(state, bytes) else json.dumps(state).encode()
            view = client.start(
                manifest,
                path="/nowhere/manifest.toml",
                component=component,
                name=name,
                state=None if state is None else encoded,
                key=key,
            )
            return view.id

        actor = self.insist(call)
        self.note(key, "start", actor, name)
        return actor

    def pause(self, key: str, actor: str) -> None:
        status = self.insist(lambda client: client.pause(actor).status)
        assert status == "paused"
        self.note(key, "pause", actor, status)

    def resume(self, key: str, actor: str) -> None:
        status = self.insist(lambda client: client.resume(actor).status)
        assert status == "running"
        self.note(key, "resume", actor, status)

    def restart(self, key: str, actor: str, *, keep_state: bool) -> None:
        status = self.insist(
            lambda client: client.restart(actor, keep_state=keep_state, key=key).status
        )
        assert status == "running"
        self.note(key, "restart", actor, status)

    def stop(self, key: str, actor: str) -> None:
        status = self.insist(lambda client: client.stop(actor).status)
        self.note(key, "stop", actor, status)


@dataclass(frozen=True)
class Cast:
    """The ids of the actors that a client deals with."""

    courier: str
    relay: str
    echo: str
    ledger: str


PLAIN = 'name = "plain"\ncomponent = "plain.wasm"\n[[handler]]\ntype = "message-server"\n'


class Round:
    """What one client does, one operation after the other: a function of the seed and its name."""

    def __init__(self, seed: int, patron: Patron, cast: Cast, *, posts: bool) -> None:
        self._random = random.Random(f"{seed}/{patron.name}")
        self._patron = patron
        self._cast = cast
        self._posts = posts
        self.operations = 0
        self.rests = 0

    def step(self) -> None:
        """Do the next operation."""
        self.operations += 1
        chosen = self._random
        key = f"{self._patron.name}-{self.operations}"
        # Of a fixed number of draws, so that what comes later does not depend on the kind.
        kind, large, pause = chosen.random(), chosen.random() < 0.06, chosen.random()
        if kind < 0.50:
            self._patron.send(key, self._cast.courier, self._job(key, large))
        elif kind < 0.75:
            self._patron.request(key, self._cast.courier, self._job(key, large))
        elif kind < 0.83:
            self._patron.send(key, self._cast.relay, key.encode())
        elif kind < 0.94:
            body = key.encode() * (LARGE // len(key) if large else 1 + int(kind * 1000) % 700)
            assert self._patron.request(key, self._cast.echo, body) == body
        else:
            self._visit(key)
        if self.operations % 5 == 0:
            self.catch_up(f"{key}-report")
        time.sleep(pause**4 * 0.05)  # a client that thinks, now and then

    def catch_up(self, key: str) -> None:
        """Wait until the courier has done all that it was sent."""
        self._patron.request(key, self._cast.courier, b"null")

    def rest(self) -> None:
        """See to it that nothing of this client is under way."""
        self.rests += 1
        self.catch_up(f"{self._patron.name}-rest-{self.rests}")

    def _job(self, key: str, large: bool) -> bytes:
        job = {
            "name": key,
            "posts": self._posts,
            "bytes": LARGE if large else 100,
            "later": self.operations % 4 == 0,
        }
        return json.dumps(job).encode()

    def _visit(self, key: str) -> None:
        """An actor that lives for five messages, through a pause and two restarts."""
        patron = self._patron
        visitor = patron.start(f"{key}-start", guest("counter"), f"visitor {key}", PLAIN)
        assert patron.request(f"{key}-1", visitor, b"hello") == b"1"
        patron.pause(f"{key}-pause", visitor)
        patron.send(f"{key}-2", visitor, b"wait")
        patron.resume(f"{key}-resume", visitor)
        assert patron.request(f"{key}-3", visitor, b"hello") == b"3"
        patron.restart(f"{key}-renew", visitor, keep_state=True)
        assert patron.request(f"{key}-4", visitor, b"hello") == b"4"
        patron.restart(f"{key}-restart", visitor, keep_state=False)
        assert patron.request(f"{key}-5", visitor, b"hello") == b"1"
        patron.stop(f"{key}-stop", visitor)


def spread(path: Path) -> Iterator[Told]:
    """What a client's log says."""
    for line in path.read_text().splitlines():
        yield Told(*json.loads(line))
