"""A place in a recorded course: what a re-execution compares itself with, event by event.

Notes are passed over, known or unknown; whoever needs them (a fork's entropy stands in one) is told
of each as it is passed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from theater.chain.event import Event
from theater.chain.names import is_course


class Cursor:
    """Reads the course events of a chain in order, one ahead."""

    __slots__ = ("_ahead", "_events", "_on_note", "_passed")

    def __init__(
        self, events: Iterable[Event], on_note: Callable[[Event], None] | None = None
    ) -> None:
        self._events = iter(events)
        self._on_note = on_note
        self._ahead: Event | None = None
        self._passed: Event | None = None

    def peek(self) -> Event | None:
        """The next course event, None at the end of the recording."""
        if self._ahead is None:
            for event in self._events:
                if is_course(event.type):
                    self._ahead = event
                    break
                self._passed = event
                if self._on_note is not None:
                    self._on_note(event)
        return self._ahead

    def next(self) -> Event | None:
        """Take the next course event, None at the end of the recording."""
        event = self.peek()
        if event is not None:
            self._passed = event
            self._ahead = None
        return event

    @property
    def passed(self) -> Event | None:
        """The last event that was taken or passed over, notes included."""
        return self._passed
