"""Bytes that a guest writes, cut into lines.

One line is one event, so that a guest's log reads the same however its language's library buffers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from theater.limits import LOG_LINE_BYTES_MAX

NEWLINE = b"\n"


@dataclass(slots=True)
class LineBuffer:
    """The begun line of one stream. `function` is the recorded name of its events."""

    function: str
    begun: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their newlines, long ones in pieces.

        What stays behind is never longer than LOG_LINE_BYTES_MAX.
        """
        first, newline, rest = data.partition(NEWLINE)
        self.begun += first
        done: list[bytes] = []
        if newline:
            whole = rest.split(NEWLINE)
            self._end_line(done)
            for line in whole[:-1]:
                self.begun += line
                self._end_line(done)
            self.begun += whole[-1]
        self._cut(done)
        return done

    def rest(self) -> list[bytes]:
        """The begun line, if there is one; afterwards none is."""
        if not self.begun:
            return []
        line = bytes(self.begun)
        self.begun.clear()
        return [line]

    def _end_line(self, done: list[bytes]) -> None:
        self._cut(done)
        done.append(bytes(self.begun))
        self.begun.clear()

    def _cut(self, done: list[bytes]) -> None:
        start = 0
        while len(self.begun) - start > LOG_LINE_BYTES_MAX:
            end = _boundary(self.begun, start + LOG_LINE_BYTES_MAX)
            done.append(bytes(self.begun[start:end]))
            start = end
        del self.begun[:start]


def _boundary(data: bytearray, end: int) -> int:
    """Where to cut so that a character of UTF-8 stays whole, or `end` if there is none nearby."""
    for back in range(4):
        if data[end - back] & 0xC0 != 0x80:
            return end - back
    return end
