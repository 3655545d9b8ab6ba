"""What must be known of a chain to append to it and to start its actor, whatever its length."""

from __future__ import annotations

from typing import Final

import msgspec

from theater.chain.event import ZERO_HASH

Ref = tuple[bytes, int]
"""A content's digest and its length in bytes."""


class Tip(msgspec.Struct, frozen=True, gc=False):
    """The end of a chain.

    `seq` is that of the last event, -1 for an empty chain. `segment` is the seq of the last
    `wasm-call` with `instance` 0: re-execution starts there. `call` is the seq of the `wasm-call`
    that has not ended, None between calls. `now` is the last call's, in nanoseconds.
    """

    seq: int = -1
    at: int = 0
    hash: bytes = ZERO_HASH
    state: Ref | None = None
    segment: int | None = None
    call: int | None = None
    now: int = 0


EMPTY: Final = Tip()
"""The end of a chain without events."""
