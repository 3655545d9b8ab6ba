"""The random interfaces: one stream, no gaps, a bound."""

from __future__ import annotations

import pytest

from tests.handlers.wasi.calls import Call
from theater.handlers.port import Trap
from theater.limits import WASI_RANDOM_BYTES_MAX

BYTES = (
    "wasi:random/random@0.2/get-random-bytes",
    "wasi:random/insecure@0.2/get-insecure-random-bytes",
)
NUMBERS = (
    "wasi:random/random@0.2/get-random-u64",
    "wasi:random/insecure@0.2/get-insecure-random-u64",
)
SEED = "wasi:random/insecure-seed@0.2/insecure-seed"


def test_all_random_interfaces_take_from_one_stream_without_gaps() -> None:
    stream = Call().entropy(100)
    call = Call()
    assert call.run(BYTES[0], 10) == stream[:10]
    assert call.run(BYTES[1], 30) == stream[10:40]
    assert call.run(NUMBERS[0]) == int.from_bytes(stream[40:48], "little")
    assert call.run(NUMBERS[1]) == int.from_bytes(stream[48:56], "little")
    low, high = (int.from_bytes(stream[at : at + 8], "little") for at in (56, 64))
    assert call.run(SEED) == (low, high)
    assert call.run(BYTES[0], 0) == b""
    assert call.run(BYTES[0], 28) == stream[72:100]


@pytest.mark.parametrize("function", BYTES)
def test_a_length_above_the_bound_traps_before_anything_is_taken(function: str) -> None:
    call = Call()
    for length in (WASI_RANDOM_BYTES_MAX + 1, 2**64 - 1):
        with pytest.raises(Trap) as trap:
            call.run(function, length)
        assert trap.value.code == "denied"
    assert call.taken == 0
    drawn = call.run(function, WASI_RANDOM_BYTES_MAX)
    assert isinstance(drawn, bytes)
    assert len(drawn) == WASI_RANDOM_BYTES_MAX == call.taken
