"""wasi:io/poll: waiting, which only ever means sleeping on the virtual clock.

Streams are always ready, so what a guest can wait for is time. A wait is no event: it lasts when
live and passes at once in replay, and both leave the clock where the earliest of the waited-for
times is.
"""

from __future__ import annotations

from collections.abc import Sequence

from theater.handlers.port import Effect, HostCall, HostFunction, Trap
from theater.handlers.wasi.tables import tables
from theater.limits import WAIT_MS_MAX, WASI_POLL_LIST_MAX

MS_NS = 1_000_000


def ready(call: HostCall, pollable: int) -> bool:
    return tables(call.memory).pollable(pollable).due_ns <= call.now_ns()


def block(call: HostCall, pollable: int) -> None:
    _sleep_until(call, tables(call.memory).pollable(pollable).due_ns)


def poll(call: HostCall, pollables: Sequence[int]) -> list[int]:
    """The positions of those that are ready, after a sleep until the first of them is."""
    if not pollables:
        raise Trap("abi", "wasi:io/poll was given nothing to wait for")
    if len(pollables) > WASI_POLL_LIST_MAX:
        raise Trap(
            "denied",
            f"{len(pollables)} pollables polled at once; at most {WASI_POLL_LIST_MAX} can be",
        )
    held = tables(call.memory)
    dues = [held.pollable(number).due_ns for number in pollables]
    now = _sleep_until(call, min(dues))
    return [position for position, due in enumerate(dues) if due <= now]


def _sleep_until(call: HostCall, due_ns: int) -> int:
    """The virtual time after a sleep until `due_ns`, if that is still to come."""
    now = call.now_ns()
    if due_ns <= now:
        return now
    if due_ns - now > WAIT_MS_MAX * MS_NS:
        raise Trap(
            "denied",
            f"the guest would sleep {(due_ns - now) // MS_NS} ms; at most {WAIT_MS_MAX} are allowed",
        )
    call.sleep_ns(due_ns - now)
    return due_ns


FUNCTIONS = {
    "wasi:io/poll@0.2": {
        "[method]pollable.ready": HostFunction(Effect.VIRTUAL, ready),
        "[method]pollable.block": HostFunction(Effect.VIRTUAL, block),
        "poll": HostFunction(Effect.VIRTUAL, poll),
    },
}
