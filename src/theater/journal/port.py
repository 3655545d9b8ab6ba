"""The journal as its users see it; every backend passes the same conformance suite.

Readers never see what is not yet durable, except `content`, which sees what is queued, and the
methods that say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from theater.chain.event import Event
from theater.journal.records import (
    ActorRow,
    Answer,
    Channel,
    Message,
    OpenWait,
    Record,
    SetSupervision,
    Timer,
    UnhandledState,
)

Failpoint = Callable[[str, int], None]
"""Called with `before`, `queued`, `written` or `committed` and a record's number, for tests."""


class KeptKey(msgspec.Struct, frozen=True, gc=False):
    """A client's idempotency key: what it stands for, and the answer once there is one."""

    message: str
    at_us: int
    answer: Answer | None


class StoreImage(msgspec.Struct, frozen=True, gc=False):
    """A guest's store: its owner, its content with lengths, its labels with references, oldest first."""

    owner: str
    contents: dict[bytes, int]
    labels: dict[str, tuple[bytes, ...]]


class Unhandled(msgspec.Struct, frozen=True, gc=False):
    """A dead letter or a message that was set aside, without most of its body.

    `number` orders them as they came to be so. `at_us` is when, None where that was not recorded.
    `bytes` is the length of the body, of which the message has the first MESSAGE_START_BYTES.
    """

    number: int
    at_us: int | None
    bytes: int
    message: Message


class UnhandledTotals(msgspec.Struct, frozen=True, gc=False):
    """How many messages of a state there are, the bytes of their bodies, and how many were dropped."""

    count: int = 0
    bytes: int = 0
    dropped: int = 0


class JournalStatistics(msgspec.Struct, frozen=True, gc=False):
    """Counts since the journal was opened; `queued` and `behind` are of now."""

    appended: int
    durable: int
    groups: int
    queued_bytes: int


class Journal(Protocol):
    """One total order of atomic records. All methods may be called from any thread."""

    def append(self, record: Record) -> int:
        """Queue a record and return its number, counted from 1 since the journal was opened.

        Returns before it is durable. Blocks while the queue is at its bound. Raises JournalFailed
        once storage has failed or the journal is closed.
        """
        ...

    def appended(self) -> int:
        """The number of the last record that was queued, 0 for none."""
        ...

    def durable(self) -> int:
        """The number of the last record that is on disk with all before it."""
        ...

    def wait(self, number: int, timeout_s: float | None = None) -> None:
        """Return when record `number` is durable. Raises TimedOut or JournalFailed."""
        ...

    def when_durable(self, number: int, done: Callable[[BaseException | None], None]) -> None:
        """Call `done(None)` once record `number` is durable, or with the error that prevents it.

        Called at once if it is so already, else on the writer's thread: it must not block.
        """
        ...

    def on_commit(self, listener: Callable[[dict[str, int]], None]) -> Callable[[], None]:
        """Tell `listener`, after each commit, the actors whose chains grew with their last seq.

        Returns the function that takes the listener off. Called on the writer's thread.
        """
        ...

    def on_failure(self, listener: Callable[[BaseException], None]) -> None:
        """Tell `listener` once if storage fails."""
        ...

    def statistics(self) -> JournalStatistics: ...

    def close(self) -> None:
        """Write what is queued, then close. Idempotent."""
        ...

    # Reading

    def actors(
        self, *, ended: bool = False, after: int = -1, limit: int = 1000
    ) -> Sequence[ActorRow]:
        """Actors in the order of their number, those above `after`; without `ended` only those that
        are neither stopped nor failed.
        """
        ...

    def actor(self, actor: str) -> ActorRow | None: ...

    def find_actors(self, text: str, limit: int = 10) -> Sequence[ActorRow]:
        """Actors whose id starts with `text` or whose name is `text`, the living ones first."""
        ...

    def children(
        self, parent: str, *, before: int | None = None, limit: int = 100
    ) -> Sequence[ActorRow]:
        """Actors that an actor started, ended or not, those numbered below `before`, the last first."""
        ...

    def next_number(self) -> int:
        """One more than the highest number of any actor that ever was."""
        ...

    def events(self, actor: str, start: int = 0, limit: int | None = None) -> Iterator[Event]:
        """Events from seq `start` on, in order, each checked against its hash; IntegrityError if not.
        Safe while the chain grows: streams in bounded memory, holds no lock between items.
        """
        ...

    def tail(self, position: int = 0, limit: int | None = None) -> Iterator[tuple[int, str, Event]]:
        """Events of all chains from a position on: the position behind each, its actor, the event.

        A chain's events come in their order, groups of them in the order of commits. Position 0 is
        the beginning; the others are what this and `tail_end` gave, also before a restart. Checked
        and streamed like `events`.
        """
        ...

    def tail_end(self) -> int:
        """The position behind the last event of all chains."""
        ...

    def content(self, digest: bytes) -> tuple[bytes | None, bytes] | None:
        """Salt and bytes of content, also of what is queued; checked against the digest on reading."""
        ...

    def has_content(self, digest: bytes) -> bool: ...

    def messages(self, receiver: str | None = None, limit: int | None = None) -> Sequence[Message]:
        """Messages in all states, oldest position first."""
        ...

    def message(self, message: str) -> Message | None: ...

    def living_messages(self) -> Sequence[Message]:
        """Messages that wait, are taken or outstanding, oldest position first.

        Costs nothing for dead letters and messages that were set aside, however many there are.
        """
        ...

    def unhandled(
        self,
        state: UnhandledState,
        receiver: str | None = None,
        *,
        after: int = 0,
        limit: int = 100,
    ) -> Sequence[Unhandled]:
        """Messages of a state, of all receivers or one, those numbered above `after`, in order."""
        ...

    def unhandled_totals(self, state: UnhandledState) -> UnhandledTotals: ...

    def wait_row(self, wait: str) -> tuple[OpenWait, Answer | None] | None: ...

    def waits(self, actor: str | None = None) -> Sequence[tuple[OpenWait, Answer | None]]: ...

    def timers(self, actor: str | None = None) -> Sequence[Timer]:
        """Timers that are set, the one that is due first in front."""
        ...

    def channels(self) -> Sequence[Channel]:
        """The channels that are open, in the order of their ids."""
        ...

    def supervision(self) -> Sequence[SetSupervision]:
        """What supervisors remember of their children's ends, each as it was set last."""
        ...

    def names(self) -> Mapping[str, str]:
        """The registered names, each with the id of the actor that holds it."""
        ...

    def key(self, key: str) -> KeptKey | None:
        """What is kept under a client's key, also of what is queued."""
        ...

    def forget_keys(self, before_us: int) -> None:
        """Queue the deletion of keys opened before a time."""
        ...

    def stores_of(self, owner: str) -> Sequence[str]: ...

    def store_image(self, store: str) -> StoreImage | None:
        """A guest's store as of all records appended before the call: waits until those are durable."""
        ...
