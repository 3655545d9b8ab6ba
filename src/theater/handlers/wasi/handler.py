"""The handler of every actor's WASI imports, in force without an entry in the manifest."""

from __future__ import annotations

from collections.abc import Mapping

from theater.handlers.port import HostCall, HostFunction
from theater.handlers.wasi import cli, clocks, filesystem, poll, randomness, streams
from theater.handlers.wasi.tables import KEY, tables

PROVIDED: Mapping[str, Mapping[str, HostFunction]] = {
    **clocks.FUNCTIONS,
    **randomness.FUNCTIONS,
    **poll.FUNCTIONS,
    **streams.FUNCTIONS,
    **cli.FUNCTIONS,
    **filesystem.FUNCTIONS,
}


class WasiHandler:
    """WASI 0.2, of any patch version: interfaces are named with the minor version only."""

    __slots__ = ()

    type = "wasi"
    interfaces = tuple(PROVIDED)

    def functions(self, grant: object) -> Mapping[str, Mapping[str, HostFunction]]:
        """Its functions by interface and name. All else of WASI is the runtime's `refusal`."""
        return PROVIDED

    def finish(self, call: HostCall) -> None:
        """Record the lines that the guest's call began and did not end. Also after a trap."""
        if KEY not in call.memory:
            return
        held = tables(call.memory)
        streams.emit_rest(call, held.stdout)
        streams.emit_rest(call, held.stderr)

    def drop(self, memory: dict[str, object], resource: str, number: int) -> None:
        """Forget a resource that the guest dropped."""
        tables(memory).held.pop(number, None)
