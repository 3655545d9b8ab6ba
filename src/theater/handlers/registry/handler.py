"""`theater:agent/registry`: names that stand for an actor's id.

A name is taken, or given up, in the record of the call that asked for it. What a name means to others
who use it is resolved where they use it (`HostCall.resolve`), not here. Source: registry.wit beside
this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from theater.errors import TheaterError
from theater.handlers.port import Effect, HostCall, HostFunction, NamePort
from theater.handlers.registry.types import TYPES
from theater.journal.records import RegisterName, ReleaseName
from theater.values.types import Err, Ok

INTERFACE: Final = "theater:agent/registry@0.1"


class RegistryHandler:
    """What an actor imports to be found by name."""

    type = "registry"
    interfaces = (INTERFACE,)

    def __init__(self, names: NamePort) -> None:
        self._names = names

    def functions(self, grant: object) -> Mapping[str, Mapping[str, HostFunction]]:
        """The three functions; they are the same under every grant."""
        runs: dict[str, Callable[..., object]] = {
            "register": self._register,
            "unregister": self._unregister,
            "whereis": self._whereis,
        }
        return {
            INTERFACE: {
                name: HostFunction(Effect.RECORDED, run, TYPES[name]) for name, run in runs.items()
            }
        }

    def _register(self, call: HostCall, name: str) -> Ok | Err:
        try:
            kept = self._names.take(call.actor, name)
        except TheaterError as error:
            return _told(error)
        call.hold(kept)
        call.step(RegisterName(name, call.actor))
        call.after(lambda: self._names.taken(call.actor, name))
        return Ok()

    def _unregister(self, call: HostCall, name: str) -> Ok | Err:
        try:
            kept = self._names.give_up(call.actor, name)
        except TheaterError as error:
            return _told(error)
        call.hold(kept)
        call.step(ReleaseName(name))
        call.after(lambda: self._names.given_up(call.actor, name))
        return Ok()

    def _whereis(self, _call: HostCall, name: str) -> str | None:
        return self._names.holder(name)


def _told(error: TheaterError) -> Err:
    return Err(f"{error.code}: {error.message}")
