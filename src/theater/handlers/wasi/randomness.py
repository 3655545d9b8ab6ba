"""wasi:random: all its interfaces draw from the call's one stream of random bytes, without gaps.

Numbers are little endian. That order, and that nothing is skipped, are part of the recording rules:
a chain is replayed by them.
"""

from __future__ import annotations

from theater.handlers.port import Effect, HostCall, HostFunction, Trap
from theater.limits import WASI_RANDOM_BYTES_MAX


def random_bytes(call: HostCall, length: int) -> bytes:
    if length > WASI_RANDOM_BYTES_MAX:
        raise Trap(
            "denied",
            f"{length} random bytes asked for at once; at most {WASI_RANDOM_BYTES_MAX} are given",
        )
    return call.entropy(length)


def random_u64(call: HostCall) -> int:
    return int.from_bytes(call.entropy(8), "little")


def seed(call: HostCall) -> tuple[int, int]:
    drawn = call.entropy(16)
    return int.from_bytes(drawn[:8], "little"), int.from_bytes(drawn[8:], "little")


FUNCTIONS = {
    "wasi:random/random@0.2": {
        "get-random-bytes": HostFunction(Effect.VIRTUAL, random_bytes),
        "get-random-u64": HostFunction(Effect.VIRTUAL, random_u64),
    },
    "wasi:random/insecure@0.2": {
        "get-insecure-random-bytes": HostFunction(Effect.VIRTUAL, random_bytes),
        "get-insecure-random-u64": HostFunction(Effect.VIRTUAL, random_u64),
    },
    "wasi:random/insecure-seed@0.2": {
        "insecure-seed": HostFunction(Effect.VIRTUAL, seed),
    },
}
