"""wasi:filesystem: no directory is there.

Every function on files begins with a directory from here, so a guest without one gets `no such
file` from its own library, and none of `wasi:filesystem/types` is ever reached.
"""

from __future__ import annotations

from theater.handlers.port import Effect, HostCall, HostFunction


def get_directories(call: HostCall) -> list[tuple[int, str]]:
    return []


FUNCTIONS = {
    "wasi:filesystem/preopens@0.2": {
        "get-directories": HostFunction(Effect.VIRTUAL, get_directories),
    },
}
