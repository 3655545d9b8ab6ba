"""wasi:clocks: one virtual clock for both interfaces.

It stands still while the guest computes and moves by what the guest sleeps, so a replay reads the
same times without any of them being recorded. Times are nanoseconds since the Unix epoch, for the
monotonic clock too, whose origin WASI leaves open.
"""

from __future__ import annotations

from theater.handlers.port import Effect, HostCall, HostFunction
from theater.handlers.wasi.tables import Pollable, tables

SECOND_NS = 1_000_000_000
U64_MAX = 2**64 - 1
RESOLUTION_NS = 1


def _datetime(time_ns: int) -> dict[str, object]:
    return {"seconds": time_ns // SECOND_NS, "nanoseconds": time_ns % SECOND_NS}


def wall_now(call: HostCall) -> dict[str, object]:
    return _datetime(call.now_ns())


def wall_resolution(call: HostCall) -> dict[str, object]:
    return _datetime(RESOLUTION_NS)


def monotonic_now(call: HostCall) -> int:
    return call.now_ns()


def monotonic_resolution(call: HostCall) -> int:
    return RESOLUTION_NS


def subscribe_instant(call: HostCall, when: int) -> int:
    return tables(call.memory).issue(Pollable(when))


def subscribe_duration(call: HostCall, when: int) -> int:
    return tables(call.memory).issue(Pollable(min(call.now_ns() + when, U64_MAX)))


FUNCTIONS = {
    "wasi:clocks/wall-clock@0.2": {
        "now": HostFunction(Effect.VIRTUAL, wall_now),
        "resolution": HostFunction(Effect.VIRTUAL, wall_resolution),
    },
    "wasi:clocks/monotonic-clock@0.2": {
        "now": HostFunction(Effect.VIRTUAL, monotonic_now),
        "resolution": HostFunction(Effect.VIRTUAL, monotonic_resolution),
        "subscribe-instant": HostFunction(Effect.VIRTUAL, subscribe_instant),
        "subscribe-duration": HostFunction(Effect.VIRTUAL, subscribe_duration),
    },
}
