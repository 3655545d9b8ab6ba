"""wasi:cli: no environment, no arguments, no terminal; standard streams, and the way out.

`exit` ends the guest's call as a trap. It is recorded, since it is what the guest did, not what it
was told.
"""

from __future__ import annotations

from theater.handlers.port import Effect, HostCall, HostFunction, Trap
from theater.handlers.wasi.tables import EMPTY, OutputStream, tables
from theater.values.types import Err, Ok


def get_stdin(call: HostCall) -> int:
    return tables(call.memory).issue(EMPTY)


def get_stdout(call: HostCall) -> int:
    held = tables(call.memory)
    return held.issue(OutputStream(held.stdout))


def get_stderr(call: HostCall) -> int:
    held = tables(call.memory)
    return held.issue(OutputStream(held.stderr))


def get_nothing(call: HostCall) -> None:
    return None


def get_environment(call: HostCall) -> list[tuple[str, str]]:
    return []


def get_arguments(call: HostCall) -> list[str]:
    return []


def leave(call: HostCall, status: Ok | Err) -> None:
    outcome = "success" if isinstance(status, Ok) else "failure"
    raise Trap("exit", f"the guest called wasi:cli/exit with {outcome}; an actor returns instead")


def leave_with_code(call: HostCall, status_code: int) -> None:
    raise Trap(
        "exit", f"the guest called wasi:cli/exit with {status_code}; an actor returns instead"
    )


FUNCTIONS = {
    "wasi:cli/environment@0.2": {
        "get-environment": HostFunction(Effect.VIRTUAL, get_environment),
        "get-arguments": HostFunction(Effect.VIRTUAL, get_arguments),
        "initial-cwd": HostFunction(Effect.VIRTUAL, get_nothing),
    },
    "wasi:cli/stdin@0.2": {"get-stdin": HostFunction(Effect.VIRTUAL, get_stdin)},
    "wasi:cli/stdout@0.2": {"get-stdout": HostFunction(Effect.VIRTUAL, get_stdout)},
    "wasi:cli/stderr@0.2": {"get-stderr": HostFunction(Effect.VIRTUAL, get_stderr)},
    "wasi:cli/terminal-stdin@0.2": {
        "get-terminal-stdin": HostFunction(Effect.VIRTUAL, get_nothing)
    },
    "wasi:cli/terminal-stdout@0.2": {
        "get-terminal-stdout": HostFunction(Effect.VIRTUAL, get_nothing)
    },
    "wasi:cli/terminal-stderr@0.2": {
        "get-terminal-stderr": HostFunction(Effect.VIRTUAL, get_nothing)
    },
    "wasi:cli/exit@0.2": {
        "exit": HostFunction(Effect.RECORDED, leave),
        "exit-with-code": HostFunction(Effect.RECORDED, leave_with_code),
    },
}
