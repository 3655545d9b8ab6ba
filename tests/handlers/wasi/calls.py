"""A HostCall that keeps the rules of a recorded call: one time, one stream of bytes, an order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from theater.handlers.port import HostFunction
from theater.handlers.wasi import WasiHandler
from theater.journal.records import Step

HANDLER = WasiHandler()
NOW = 1_700_000_000_123_456_789


@dataclass(slots=True)
class Call:
    """One wasm call and, with the same `memory`, others of its instance."""

    now: int = NOW
    seed: bytes = bytes(16)
    memory: dict[str, object] = field(default_factory=dict)
    slept: list[int] = field(default_factory=list)
    emitted: list[tuple[str, tuple[object, ...], bytes]] = field(default_factory=list)
    taken: int = 0
    steps: list[Step] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    actor: str = "00000000-0000-4000-8000-000000000000"
    name: str = "caller"
    call: int = 1
    head: tuple[int, bytes] = (1, bytes(32))

    def derive(self) -> bytes:
        return hashlib.sha256(self.actor.encode()).digest()

    def step(self, step: Step) -> None:
        self.steps.append(step)

    def after(self, done: Callable[[], None]) -> None:
        done()

    def now_ns(self) -> int:
        return self.now + sum(self.slept)

    def sleep_ns(self, duration: int) -> None:
        self.slept.append(duration)

    def entropy(self, length: int) -> bytes:
        blocks = range(self.taken // 32, (self.taken + length) // 32 + 1)
        stream = b"".join(
            hashlib.sha256(self.seed + block.to_bytes(8, "big")).digest() for block in blocks
        )
        start = self.taken % 32
        self.taken += length
        return stream[start : start + length]

    def emit(self, function: str, arguments: tuple[object, ...], input: bytes) -> None:
        self.emitted.append((function, arguments, input))

    def on_cancel(self, cancel: Callable[[], None]) -> Callable[[], None]:
        return lambda: None

    def run(self, name: str, *arguments: object) -> object:
        """What the host function of a recorded name returns."""
        interface, _, function = name.rpartition("/")
        return provided(interface, function).run(self, *arguments)

    def lines(self) -> list[tuple[str, object]]:
        """What was written: the stream's name and the line."""
        return [(name.split("/")[1].split("@")[0], args[0]) for name, args, _ in self.emitted]


def provided(interface: str, function: str) -> HostFunction:
    return HANDLER.functions(None)[interface][function]
