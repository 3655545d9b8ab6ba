"""Values out of bytes: how a target makes numbers and choices of an input, the same way each time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Take:
    """Takes from the front; zero and empty once nothing is left."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def byte(self) -> int:
        return self.some(1)[0] if self.left else 0

    def flag(self) -> bool:
        return bool(self.byte() & 1)

    def some(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        self._at += len(taken)
        return taken

    def short(self) -> bytes:
        """Up to 255 bytes behind their length."""
        return self.some(self.byte())

    def number(self) -> int:
        return int.from_bytes(self.some(2), "big")

    def choice(self, items: Sequence[T]) -> T:
        return items[self.byte() % len(items)]

    def rest(self) -> bytes:
        return self.some(self.left)
