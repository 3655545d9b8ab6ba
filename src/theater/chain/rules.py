"""Recording rules, version 1: what a call's random bytes and ids are made of.

They are functions of what the chain holds, so a call that is run again draws and derives the same.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

RULES: Final = 1
RANDOM_TAG: Final = b"theater.random.v1"
ID_TAG: Final = b"theater.id.v1"
ENTROPY_BYTES: Final = 16

_BLOCK_BYTES: Final = 32


class RandomStream:
    """The random bytes of one call: SHA-256 blocks over its `entropy`, taken without gaps."""

    __slots__ = ("_next", "_prefix", "_rest")

    def __init__(self, entropy: bytes) -> None:
        if len(entropy) != ENTROPY_BYTES:
            raise ValueError("the entropy of a call has 16 bytes")
        self._prefix = RANDOM_TAG + entropy
        self._next = 0
        self._rest = b""

    def take(self, length: int) -> bytes:
        """Return the next bytes. The caller has compared `length` with its bound."""
        missing = length - len(self._rest)
        if missing > 0:
            first = self._next
            self._next += -(-missing // _BLOCK_BYTES)
            prefix = self._prefix
            self._rest += b"".join(
                [
                    sha256(prefix + block.to_bytes(8, "big")).digest()
                    for block in range(first, self._next)
                ]
            )
        taken = self._rest[:length]
        self._rest = self._rest[length:]
        return taken


def derive(actor: str, call: int, number: int) -> bytes:
    """Return the 32 bytes that ids of a host call are the first of.

    `call` is the seq of the `wasm-call`, `number` that of the host call in it; both are written as
    8 bytes, big endian, behind the actor's id.
    """
    return sha256(
        ID_TAG + actor.encode() + call.to_bytes(8, "big") + number.to_bytes(8, "big")
    ).digest()
