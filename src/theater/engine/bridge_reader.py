"""Reads numbers and names of a WebAssembly binary.

Source: WebAssembly core specification (binary format); Component Model, `Binary.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

from theater.limits import BRIDGE_READS_MAX


class Unsupported(Exception):
    """Something in a component that the byte bridge doesn't know; it is then left unbridged."""


@dataclass(slots=True)
class Budget:
    """How much of a binary may still be looked at: what is nested may have to be read again."""

    left: int = BRIDGE_READS_MAX


class Reader:
    """Reads one stretch of a binary. Unsupported for one that ends too early."""

    __slots__ = ("_budget", "at", "data", "end")

    def __init__(self, data: bytes, at: int, end: int, budget: Budget) -> None:
        self.data = data
        self.at = at
        self.end = end
        self._budget = budget

    @property
    def done(self) -> bool:
        return self.at >= self.end

    def part(self, at: int, end: int) -> Reader:
        """Another stretch of the same binary, on the same budget."""
        return Reader(self.data, at, end, self._budget)

    def byte(self) -> int:
        if self.at >= self.end:
            raise Unsupported("the binary ends too early")
        self._budget.left -= 1
        if self._budget.left < 0:
            raise Unsupported("the types are too large")
        value = self.data[self.at]
        self.at += 1
        return value

    def number(self) -> int:
        """An unsigned LEB128."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise Unsupported("a number is too long")

    def skip(self, size: int) -> int:
        """Pass over `size` bytes; where they begin."""
        start = self.at
        if size > self.end - start:
            raise Unsupported("the binary ends too early")
        self.at = start + size
        return start

    def name(self) -> str:
        size = self.number()
        start = self.skip(size)
        try:
            return self.data[start : self.at].decode()
        except UnicodeDecodeError:
            raise Unsupported("a name that is not UTF-8") from None

    def extern_name(self) -> str:
        """A name of an import or an export."""
        if self.byte() not in {0, 1}:
            raise Unsupported("a name of a newer form")
        return self.name()
