"""A host for one guest: the real engine and the real WASI, and a table for everything else.

It stands where the runtime will stand, so that what a guest asks and answers can be seen without
one. The virtual sources are those of a `wasm-call`: a time, and bytes that follow from a seed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from theater.engine import Component, GuestError, ImportedFunction, Instance, InstanceLimits
from theater.engine import Returned as Returned
from theater.engine.outcome import Outcome
from theater.handlers.wasi import WasiHandler
from theater.journal.records import Step
from theater.values.types import Case, Err, Ok

WASI = WasiHandler()
PROVIDED = WASI.functions(None)
ACTOR = "00000000-0000-4000-8000-000000000001"
CLIENT = "theater:simple/message-server-client"
BUDGET_MS = 20_000


@dataclass(slots=True)
class Call:
    """What WASI's functions are given during one call."""

    memory: dict[str, object]
    lines: list[str]
    seed: int
    now: int
    taken: int = 0
    facts: dict[str, object] = field(default_factory=dict)
    actor: str = ACTOR
    name: str = "guest"
    call: int = 1
    head: tuple[int, bytes] = (1, bytes(32))

    def derive(self) -> bytes:
        return bytes(32)

    def step(self, step: Step) -> None:
        raise AssertionError("WASI changes nothing in the journal")

    def after(self, done: Callable[[], None]) -> None:
        raise AssertionError("WASI changes nothing in the journal")

    def now_ns(self) -> int:
        return self.now

    def sleep_ns(self, duration: int) -> None:
        self.now += duration

    def entropy(self, length: int) -> bytes:
        start, self.taken = self.taken, self.taken + length
        return hashlib.shake_256(self.seed.to_bytes(8, "big")).digest(start + length)[start:]

    def emit(self, function: str, arguments: tuple[object, ...], input: bytes) -> None:
        stream = function.rpartition("/")[0].partition("@")[0].rpartition("/")[2]
        line = arguments[0]
        text = line.decode() if isinstance(line, bytes) else str(line)
        self.lines.append(f"{stream}: {text}")

    def on_cancel(self, cancel: Callable[[], None]) -> Callable[[], None]:
        return lambda: None


CONTEXT: Mapping[str, Callable[..., object]] = {
    "theater:agent/context@0.1/message": lambda: {
        "id": "message-1",
        "origin": Case("client", "outside"),
        "kind": "request",
        "deadline": 1_700_000_000_000,
        "traceparent": None,
    },
    "theater:agent/context@0.1/self-id": lambda: ACTOR,
    "theater:agent/context@0.1/self-name": lambda: "guest",
    "theater:agent/context@0.1/parent-id": lambda: None,
}
"""What the host says of a call, where a test doesn't say otherwise."""


@dataclass(slots=True)
class Host:
    """One actor's side of the host. `functions` answers by recorded name; `asked` is what was asked."""

    component: Component
    functions: Mapping[str, Callable[..., object]] = field(default_factory=dict)
    asked: list[tuple[str, tuple[object, ...]]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    wasi: set[str] = field(default_factory=set)
    state: bytes | None = None
    instance: Instance | None = None
    memory: dict[str, object] = field(default_factory=dict)
    running: Call | None = None
    seed: int = 0
    now: int = 1_700_000_000_000_000_000
    limits: InstanceLimits = field(default_factory=InstanceLimits)

    def init(self, state: object = None) -> Outcome:
        initial = None if state is None else json.dumps(state).encode()
        return self._keep(self._call("theater:simple/actor/init", initial, (ACTOR,)))

    def send(self, message: object) -> Outcome:
        return self.callback("handle-send", (_body(message),))

    def request(self, message: object, request_id: str = "request-1") -> Any:
        """The answer, read as JSON; None if the guest left the request outstanding."""
        outcome = self.callback("handle-request", (request_id, _body(message)))
        assert isinstance(outcome, Returned), outcome
        answer = outcome.rest[0]
        assert isinstance(answer, tuple)
        return None if answer[0] is None else json.loads(answer[0])

    def callback(self, name: str, params: tuple[object, ...]) -> Outcome:
        return self._keep(self._call(f"{CLIENT}/{name}", self.state, params))

    def fields(self) -> Any:
        """The state, read as JSON."""
        return None if self.state is None else json.loads(self.state)

    def renew(self) -> None:
        """Give up the instance, as passivation does."""
        self.instance, self.memory = None, {}

    def _keep(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Returned) and outcome.state is not None:
            self.state = outcome.state
        return outcome

    def _call(self, export: str, state: bytes | None, params: tuple[object, ...]) -> Outcome:
        if self.instance is None or self.instance.dead:
            self.renew()
            self.instance = self.component.instance(self.limits)
        self.seed += 1
        self.running = Call(self.memory, self.lines, self.seed, self.now + self.seed * 1_000_000)
        outcome = self.instance.call(export, (state, params), self, BUDGET_MS)
        WASI.finish(self.running)
        return outcome

    def host_call(
        self,
        function: ImportedFunction,
        arguments: tuple[object, ...],
        input: bytes,
        give: Callable[[object], bytes],
    ) -> None:
        if function.interface.startswith("wasi:"):
            self.wasi.add(function.name)
            value = PROVIDED[function.interface][function.function].run(self.running, *arguments)
        else:
            self.asked.append((function.name, arguments))
            answer = self.functions.get(function.name) or CONTEXT.get(function.name)
            value = answer(*arguments) if answer else Ok(None)
        if function.type.result is not None:
            give(value)

    def resource_dropped(self, name: str, number: int) -> None:
        WASI.drop(self.memory, name, number)

    def asked_of(self, function: str) -> list[tuple[object, ...]]:
        """The arguments of all calls of a host function of `theater:simple`, in order."""
        return [given for name, given in self.asked if name == f"theater:simple/{function}"]

    @property
    def log(self) -> list[str]:
        """The lines that were logged through the runtime's interface."""
        return [str(given[0]) for given in self.asked_of("runtime/log")]


def error_of(outcome: Outcome) -> str:
    """The text of the error that a guest returned."""
    assert isinstance(outcome, GuestError), outcome
    return outcome.message


def refused(text: str) -> Callable[..., object]:
    """A host function that answers with an error."""
    return lambda *_: Err(text)


def _body(message: object) -> bytes:
    return message if isinstance(message, bytes) else json.dumps(message).encode()
