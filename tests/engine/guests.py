"""The guests of guests/wat, their functions' names, and an interceptor that a test can steer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from theater.engine import ImportedFunction, wat

WAT = Path(__file__).parents[2] / "guests" / "wat"

INIT = "theater:simple/actor/init"
SEND = "theater:simple/message-server-client/handle-send"
REQUEST = "theater:simple/message-server-client/handle-request"
LOG = "theater:simple/runtime/log"


@dataclass
class Host:
    """Keeps the host calls; `serve` answers them, by default with nothing."""

    serve: Callable[..., None] = lambda function, arguments, give: None
    calls: list[tuple[str, tuple[object, ...], bytes]] = field(default_factory=list)
    dropped: list[tuple[str, int]] = field(default_factory=list)

    def host_call(
        self,
        function: ImportedFunction,
        arguments: tuple[object, ...],
        input: bytes,
        give: Callable[[object], bytes],
    ) -> None:
        self.calls.append((function.name, arguments, input))
        self.serve(function, arguments, give)

    def resource_dropped(self, name: str, number: int) -> None:
        self.dropped.append((name, number))


def binary(name: str) -> bytes:
    """The binary of a guest of guests/wat."""
    return wat((WAT / f"{name}.wat").read_text())
