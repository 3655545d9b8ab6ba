"""A chain file as a window that moves over its bytes.

Files come from strangers. What a file says of its own lengths is compared with a named bound before
a byte is asked for, so that reading takes the same memory however long the file, a line or an event
claims to be; and every refusal says at which event and byte it stands.
"""

from __future__ import annotations

from typing import Final, NoReturn, Protocol

from theater.errors import CodecError

CUT: Final = "encoding.cut"
"""The code of the error for a file that ends inside an event."""

_PIECE_BYTES: Final = 256 * 1024


class Source(Protocol):
    """Where a file's bytes come from: an open binary file, or whatever else reads like one."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none only at the end."""
        ...


class Scanner:
    """Reads a source piece by piece. `window[place:]` is what was read and not yet taken."""

    __slots__ = ("_before", "_ended", "_mark", "_source", "event", "place", "window")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._before = 0
        self._ended = False
        self._mark = 0
        self.window = b""
        self.place = 0
        self.event = 0

    @property
    def at(self) -> int:
        """How many bytes of the file were taken."""
        return self._before + self.place

    def have(self, size: int) -> bool:
        """Whether at least `size` more bytes are in the window; if not, all that there are."""
        missing = size - (len(self.window) - self.place)
        if missing <= 0:
            return True
        if self._ended:
            return False
        pieces = [self.window[self.place :]]
        while missing > 0:
            piece = self._source.read(max(missing, _PIECE_BYTES))
            if not piece:
                self._ended = True
                break
            pieces.append(piece)
            missing -= len(piece)
        self._before += self.place
        self.place = 0
        self.window = b"".join(pieces)
        return missing <= 0

    def peek(self, size: int) -> bytes:
        """The next `size` bytes without taking them, fewer only at the end."""
        self.have(size)
        return self.window[self.place : self.place + size]

    def take(self, size: int) -> bytes:
        """The next `size` bytes, which the caller has compared with a bound."""
        if not self.have(size):
            self.cut()
        start = self.place
        self._mark = self._before + start
        self.place = start + size
        return self.window[start : self.place]

    def line(self, bound: int) -> bytes:
        """The next line without its line feed, at most `bound` bytes; the last one may have none.

        Whether it had one shows in `at`: it has moved by one byte more than the line is long.
        """
        self._mark = self.at
        end = self.window.find(b"\n", self.place, self.place + bound + 1)
        if end < 0:
            whole = self.have(bound + 1)
            end = self.window.find(b"\n", self.place, self.place + bound + 1)
            if end < 0:
                if whole:
                    self.refuse(f"a line has more than {bound} bytes")
                start, self.place = self.place, len(self.window)
                return self.window[start:]
        start, self.place = self.place, end + 1
        return self.window[start:end]

    def whole_line(self, bound: int) -> bytes:
        """The next line, which must end in a line feed."""
        before = self.at
        line = self.line(bound)
        if self.at - before == len(line):
            self.cut()
        return line

    def cut(self) -> NoReturn:
        """Refuse a file that ends inside the event in hand."""
        end = self._before + len(self.window)
        raise CodecError(
            f"the file is cut off in event {self.event}, at byte {end}; the events before it are whole",
            code=CUT,
            event=self.event,
            at=end,
        )

    def refuse(self, why: str, code: str | None = None) -> NoReturn:
        """Refuse what was taken last."""
        raise CodecError(
            f"event {self.event}, at byte {self._mark}: {why}",
            code=code,
            event=self.event,
            at=self._mark,
        )
