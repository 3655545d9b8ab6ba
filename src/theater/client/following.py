"""What both clients do about streams that break: where to go on, how long to wait, when to give up.

A stream is a Call that is made again from behind the last line that came, so that whoever reads it
sees neither a gap nor a double, whatever became of the server in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import msgspec

from theater.client.calls import Call, decoded
from theater.errors import TheaterError, Unavailable

PAUSE_S: Final = 0.1
PAUSE_S_MAX: Final = 2.0
"""The wait before a stream is asked for again; doubled each time, up to the second."""

GIVE_UP_S: Final = 60.0
"""How long a stream is asked for again in vain before its reader is told."""

Place = Callable[[bytes], int | str]
"""From a line to where the stream goes on behind it."""


class _Seq(msgspec.Struct):
    seq: int


class _Cursor(msgspec.Struct):
    cursor: str


def behind_seq(line: bytes) -> int:
    """Where the stream of one actor goes on behind a line."""
    return decoded(line, _Seq).seq + 1


def behind_cursor(line: bytes) -> str:
    """Where the stream of several actors goes on behind a line."""
    return decoded(line, _Cursor).cursor


class Following:
    """One stream over as many connections as it takes.

    `ask` makes the Call from where to begin (None: as at first) and how many lines are left.
    """

    def __init__(
        self,
        ask: Callable[[int | str | None, int | None], Call[None]],
        place: Place,
        *,
        limit: int | None = None,
        again: bool,
    ) -> None:
        self._ask = ask
        self._place = place
        self._at: int | str | None = None
        self._left = limit
        self._again = again
        self._begun = False
        self._tries = 0
        self._since: float | None = None

    def call(self) -> Call[None]:
        """Return the call for what is still to come."""
        call = self._ask(self._at, self._left)
        # What goes on is asked for again here, so not there as well.
        return replace(call, again=False) if self._begun else call

    @property
    def done(self) -> bool:
        """Whether all lines that were asked for have come."""
        return self._left == 0

    def opened(self, cursor: str | None) -> None:
        """The server answered; `cursor` is where the stream begins, if it says so."""
        self._begun = True
        if self._at is None:
            # What comes next is another thing at the next connection.
            self._at = cursor

    def alive(self) -> None:
        """Something came that is not the end."""
        self._tries, self._since = 0, None

    def took(self, line: bytes) -> None:
        """A line is given to the reader."""
        self._at = self._place(line)
        if self._left is not None:
            self._left -= 1

    def pause_s(self, error: TheaterError) -> float:
        """Return how long to wait before `call`; raise the error if that is not to be."""
        now = time.monotonic()
        self._since = self._since or now
        lasting = not isinstance(error, Unavailable)
        if lasting or not self._again or not self._begun or now - self._since > GIVE_UP_S:
            raise error
        self._tries += 1
        return float(min(PAUSE_S * 2 ** (self._tries - 1), PAUSE_S_MAX))
