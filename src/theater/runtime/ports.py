"""What the runtime's parts ask of each other, so that each can be read and tested alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from theater.chain.event import Event
from theater.handlers.port import Doing, Done, Places, Waiting
from theater.journal.records import Answer, Message, Step


class ContentSource(Protocol):
    """Where content is read: the journal, or a file that came from elsewhere."""

    def content(self, digest: bytes) -> tuple[bytes | None, bytes] | None:
        """Salt and bytes of content, None if it is not there."""
        ...


class Performed(msgspec.Struct, frozen=True):
    """What an effect came to whose call had no thread meanwhile: a value with facts, or an error."""

    key: str
    value: object
    facts: dict[str, object]
    error: Exception | None = None


class LiveCall(Protocol):
    """What a session needs to perform effects for real: the actor that it works for.

    There is none in a replay, and so no effect.
    """

    @property
    def killed(self) -> str | None:
        """The kind that the call is to end with, once somebody killed it."""
        ...

    @property
    def parent(self) -> str | None:
        """The id of the actor that started this one, None if no actor did."""
        ...

    @property
    def message(self) -> Message | None:
        """The message in hand, None during `init`."""
        ...

    @property
    def head(self) -> tuple[int, bytes]:
        """Seq and hash of the actor's last event."""
        ...

    def record(
        self,
        type_: str,
        data: bytes,
        steps: Sequence[Step] | Callable[[tuple[int, bytes]], Sequence[Step]] = (),
    ) -> tuple[Event, int]:
        """Append an event with the steps of its record; returns it and the record's number."""
        ...

    def reach_disk(self, number: int) -> None:
        """Return once the record is durable."""
        ...

    def perform(self, key: str, perform: Callable[[str], object]) -> object:
        """Perform an effect whose intent is durable; it may end on another thread, in another run."""
        ...

    def performed(self, key: str) -> Performed | None:
        """What such an effect came to, once; None if this process has not performed it to its end."""
        ...

    def took_up(self, call: int) -> None:
        """A recovered call goes on for real from here."""
        ...

    def ask(self, waiting: Waiting, derived: bytes, call: int, number: int, input: bytes) -> Answer:
        """Send a request and wait for its answer, attaching to the wait if it exists already."""
        ...

    def do(self, doing: Doing, derived: bytes, call: int, number: int, input: bytes) -> Done:
        """Have something done to another actor and wait for it, joining what was begun already."""
        ...

    def meant(self, derived: bytes, actor: str) -> str:
        """The id that an id or a registered name means, or meant when the wait of this place began."""
        ...

    def has_place(self, places: Places, size: int) -> bool:
        """Take a place in a mailbox, if there is one now."""
        ...

    def await_place(self, places: Places, size: int, timeout_s: float) -> bool:
        """Take a place in a mailbox when there is one; False if there was none in time.

        Raises Moved if the call waits on without this thread.
        """
        ...

    def close_wait(self, derived: bytes) -> tuple[Step, ...]:
        """The steps that end a wait, for the record of its host call's event."""
        ...

    def took_answer(self, derived: bytes) -> None:
        """The record that ends a wait is queued: the guest has its answer, whatever comes now."""
        ...

    def sleep_until(self, wall_ns: int, at_most_ns: int) -> None:
        """Wait for real until a wall time, nanoseconds since the epoch, or until the call is killed.

        Not longer than `at_most_ns`: the wall clock may have been set back since the call began.
        """
        ...

    def outstanding(self) -> list[str]:
        """Ids of the requests that wait for an answer, oldest first."""
        ...

    def request_shutdown(self, result: bytes | None) -> tuple[Step, Callable[[], None]]:
        """Mark the actor as ending; returns the steps that make it so."""
        ...
