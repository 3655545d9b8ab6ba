"""One streamed chain file: compared with the journal, repaired, and made longer.

The journal is the truth and the file follows it. A file that was found is compared from its first
line on before anything is added. What is only missing or torn is completed; a file that says
something else than the journal is evidence of something, so it is kept under another name and a new
one written. Everything is done a slice at a time, by one thread.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from theater.chain import jsonl
from theater.chain.event import Event
from theater.errors import CodecError, Conflict
from theater.journal.sqlite.directory import sync_directory
from theater.limits import EVENT_LINE_BYTES_MAX, SAVED_ASIDE_MAX, SAVED_SLICE_EVENTS_MAX

log = logging.getLogger(__name__)

Write = Callable[[int, bytes | memoryview], int]
"""Writes to an open file and returns how many bytes it took, as `os.write` does."""

_GUESS_BYTES: Final = 4096
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class ChainFile:
    """A file of JSON lines and how far it agrees with the journal.

    `events` gives the journal's events from a seq on, at most so many. `seq` events of it, `size`
    bytes of the file, are known to agree; more is only added once `compared`.
    """

    __slots__ = ("_compared", "_events", "_write", "path", "seq", "size")

    def __init__(
        self, path: Path, events: Callable[[int, int], Iterator[Event]], write: Write
    ) -> None:
        self.path = path
        self.seq = 0
        self.size = 0
        self._events = events
        self._write = write
        self._compared = False

    def step(self) -> bool:
        """Compare or add a slice; whether there is more to do. OSError if the file can't be used."""
        with self._opened() as file:
            length = os.fstat(file).st_size
            if self._compared and length != self.size:
                what = "is gone or empty" if not length else "was changed by somebody else"
                log.warning("the chain file %s %s; it is compared again", self.path, what)
                self._begin(compared=False)
            events = list(self._events(self.seq, SAVED_SLICE_EVENTS_MAX))
            lines = list(jsonl.write(events))
            if self._compared:
                self._add(file, lines)
                return len(lines) == SAVED_SLICE_EVENTS_MAX
            self._compare(file, length, events, lines)
            return True

    def sync(self) -> None:
        """Make the file survive a loss of power."""
        with self._opened() as file:
            os.fsync(file)
        sync_directory(self.path.parent)

    def _begin(self, *, compared: bool) -> None:
        self.seq = self.size = 0
        self._compared = compared

    @contextmanager
    def _opened(self) -> Iterator[int]:
        # Open for a slice only: there may be more chains than a process may have open files.
        try:
            file = os.open(self.path, _FLAGS, 0o600)
        except FileNotFoundError:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self.path, _FLAGS, 0o600)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise FileExistsError(0, "it is not a regular file", str(self.path))
            yield file
        finally:
            os.close(file)

    def _add(self, file: int, lines: Sequence[bytes]) -> None:
        data = memoryview(b"".join(lines))
        rest = data
        try:
            while rest:
                rest = rest[self._write(file, rest) :]
        except OSError:
            os.ftruncate(file, self.size)
            raise
        self.size += len(data)
        self.seq += len(lines)

    def _compare(
        self, file: int, length: int, events: Sequence[Event], lines: Sequence[bytes]
    ) -> None:
        if not events:
            if length > self.size:
                self._set_aside("has lines that the journal does not have")
            self._compared = True
            return
        whole = b"".join(lines)
        if _read(file, len(whole), self.size) == whole:
            self.size += len(whole)
            self.seq += len(lines)
            return
        for event, line in zip(events, lines, strict=True):
            if not self._compare_line(file, event, line):
                self._compared = True
                return
            self.seq += 1

    def _compare_line(self, file: int, event: Event, line: bytes) -> bool:
        """Whether the file's next line is the event's; if not, the file now ends before it."""
        found = self._line(file, 2 * len(line) + _GUESS_BYTES)
        if found == line:
            self.size += len(line)
            return True
        if not found:
            return False
        if not found.endswith(b"\n") and line.startswith(found):
            log.warning(
                "the chain file %s ended inside the line of event %d; it is completed",
                self.path,
                self.seq,
            )
            os.ftruncate(file, self.size)
            return False
        read = _event(found)
        if read == event:
            # Written by a version that spells views otherwise.
            self.size += len(found)
            return True
        if read is not None and msgspec.structs.replace(read, data=None) == event:
            log.warning(
                "the chain file %s has data of event %d that was destroyed; it is written again "
                "from there",
                self.path,
                self.seq,
            )
            os.ftruncate(file, self.size)
            return False
        self._set_aside(f"differs from the journal at event {self.seq}")
        return False

    def _line(self, file: int, guess: int) -> bytes:
        """The file's next line with its line feed; at the end, and of one too long, what there is."""
        for size in (guess, EVENT_LINE_BYTES_MAX):
            found = _read(file, size, self.size)
            end = found.find(b"\n") + 1
            if end or len(found) < size:
                break
        return found[:end] if end else found

    def _set_aside(self, why: str) -> None:
        for number in range(1, SAVED_ASIDE_MAX + 1):
            aside = self.path.with_name(f"{self.path.name}.differs-{number}")
            if not os.path.lexists(aside):
                break
        else:
            raise Conflict(
                f"{self.path} {why}, and {SAVED_ASIDE_MAX} files that did are kept already: "
                "look at them and move them away",
                code="chain_file.aside_full",
            )
        self.path.rename(aside)
        log.warning(
            "the chain file %s %s; it is kept as %s and written again from the journal",
            self.path,
            why,
            aside.name,
        )
        self._begin(compared=True)


def _read(file: int, size: int, at: int) -> bytes:
    pieces = []
    while size and (piece := os.pread(file, size, at)):
        pieces.append(piece)
        size -= len(piece)
        at += len(piece)
    return b"".join(pieces)


def _event(line: bytes) -> Event | None:
    try:
        return jsonl.read_line(line)
    except CodecError:
        return None
