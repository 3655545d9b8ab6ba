"""What a guest's instance holds of WASI: its resources by number and its unfinished output lines.

It lives in the memory of the instance, so a new instance begins with an empty one and numbers are
counted from 1 again: the same calls get the same numbers, in a replay too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from theater.handlers.port import Trap
from theater.handlers.wasi.lines import LineBuffer
from theater.limits import WASI_RESOURCES_MAX

KEY = "wasi"


@dataclass(frozen=True, slots=True)
class Pollable:
    """What a guest waits for: the virtual time at which it is ready, 0 for what always is."""

    due_ns: int


@dataclass(frozen=True, slots=True)
class OutputStream:
    """A stream whose bytes become lines."""

    lines: LineBuffer


@dataclass(frozen=True, slots=True)
class InputStream:
    """A stream that is at its end."""


Held = Pollable | OutputStream | InputStream

READY = Pollable(0)
EMPTY = InputStream()


@dataclass(slots=True)
class Tables:
    """The resources of one instance, and the lines that it has begun."""

    held: dict[int, Held] = field(default_factory=dict)
    issued: int = 0
    stdout: LineBuffer = field(default_factory=lambda: LineBuffer("wasi:cli/stdout@0.2/line"))
    stderr: LineBuffer = field(default_factory=lambda: LineBuffer("wasi:cli/stderr@0.2/line"))

    def issue(self, resource: Held) -> int:
        """The number of a new resource. A number is never given twice in an instance."""
        if len(self.held) >= WASI_RESOURCES_MAX:
            raise Trap(
                "denied",
                f"the guest holds {len(self.held)} WASI resources (streams, pollables), the most "
                "that an instance may have: drop those that are no longer needed",
            )
        self.issued += 1
        self.held[self.issued] = resource
        return self.issued

    def pollable(self, number: int) -> Pollable:
        resource = self.held[number]
        assert isinstance(resource, Pollable)
        return resource

    def output(self, number: int) -> OutputStream:
        resource = self.held[number]
        assert isinstance(resource, OutputStream)
        return resource


def tables(memory: dict[str, object]) -> Tables:
    """The tables in an instance's memory, made when they are first asked for."""
    found = memory.get(KEY)
    if found is None:
        found = memory[KEY] = Tables()
    assert isinstance(found, Tables)
    return found
