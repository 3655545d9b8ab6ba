"""Who talks to the tree from outside: with keys, again and again, to whichever server there is.

What was accepted is found afterwards by the keys that were used, which the journal keeps.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from tests.chaos.patrons import AGAIN, Door
from theater.client import Client
from theater.errors import TheaterError, Unavailable
from theater.protocol.actors import ActorView

T = TypeVar("T")

CALLER_MS: Final = 4_000
"""How long a client's request waits for its answer."""

SLACK_S: Final = 8.0
"""How much later than its time-out a request may end on a machine with other things to do."""


@dataclass
class Dealings:
    """What the callers did: the keys of sends and requests, by the name of their message.

    `told` are the outcomes of requests: the answer, or the code of an error. `slow` are requests
    that waited beyond their time-out. Thread-safe.
    """

    sends: dict[str, str | None] = field(default_factory=dict)
    told: dict[str, bytes | str] = field(default_factory=dict)
    slow: list[str] = field(default_factory=list)
    longest_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sent(self, name: str, message: str | None) -> None:
        with self._lock:
            self.sends[name] = message

    def asked(self, name: str, outcome: bytes | str, seconds: float) -> None:
        with self._lock:
            self.told[name] = outcome
            self.longest_s = max(self.longest_s, seconds)
            if seconds > CALLER_MS / 1000 + SLACK_S:
                self.slow.append(f"request {name} waited {seconds:.1f} s")


class Caller:
    """One client; may be used from one thread at a time. Keys are the names of messages."""

    def __init__(self, door: Door, dealings: Dealings) -> None:
        self._door = door
        self._dealings = dealings

    def insist(self, call: Callable[[Client], T]) -> T:
        """Make a call until it is answered, by whichever server."""
        client = self._door.client()
        while True:
            try:
                return call(client)
            except Unavailable as error:
                if error.code not in AGAIN:
                    raise
                client = self._door.client(not_this=client)

    def send(self, actor: str, name: str, body: bytes) -> str | None:
        """Send a message; returns its id, None if it was refused."""
        try:
            message = self.insist(lambda client: client.send(actor, body, key=name))
        except TheaterError:
            message = None
        self._dealings.sent(name, message)
        return message

    def request(self, actor: str, name: str, body: bytes) -> bytes | str:
        """Ask; returns the answer, or the code of the error."""

        def ask(client: Client) -> bytes:
            nonlocal begun
            begun = time.monotonic()
            return client.request(actor, body, timeout_ms=CALLER_MS, key=name)

        begun = time.monotonic()
        outcome: bytes | str
        try:
            outcome = self.insist(ask)
        except TheaterError as error:
            outcome = error.code
        self._dealings.asked(name, outcome, time.monotonic() - begun)
        return outcome


class Roster:
    """Who lives, by name, as the server told last. Thread-safe."""

    def __init__(self) -> None:
        self._views: dict[str, ActorView] = {}

    def look(self, caller: Caller) -> None:
        """Ask the server."""
        views = caller.insist(lambda client: client.actors())
        self._views = {view.name: view for view in views}

    def id(self, name: str) -> str | None:
        """The id of an actor that lives."""
        view = self._views.get(name)
        return None if view is None else view.id

    def running(self, name: str) -> bool:
        """Whether an actor has been started, with all that its `init` starts."""
        view = self._views.get(name)
        return view is not None and view.status == "running"

    def __len__(self) -> int:
        return len(self._views)
