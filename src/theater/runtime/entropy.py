"""Random bytes in small pieces, drawn from the operating system a page at a time.

A salt for every event is 16 bytes; a system call for each of them took a tenth of a small call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

PIECE_BYTES: Final = 16
"""What is asked for most: a salt, an entropy."""

POOL_PIECES: Final = 256


class RandomPool:
    """Hands out what it drew, each byte once. Any thread may take from it."""

    def __init__(self, draw: Callable[[int], bytes]) -> None:
        self._draw = draw
        self._pieces: list[bytes] = []

    def take(self, length: int) -> bytes:
        """Return `length` fresh random bytes."""
        return self.piece() if length == PIECE_BYTES else self._draw(length)

    def piece(self) -> bytes:
        """Return 16 fresh random bytes."""
        while True:
            try:
                return self._pieces.pop()
            except IndexError:
                self._refill()

    def _refill(self) -> None:
        # Threads that come here at once all add what they drew; a piece is popped only once.
        drawn = self._draw(PIECE_BYTES * POOL_PIECES)
        self._pieces += [drawn[at : at + PIECE_BYTES] for at in range(0, len(drawn), PIECE_BYTES)]
