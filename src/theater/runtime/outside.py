"""What comes from clients: messages under idempotency keys, and the futures that wait for answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final

from theater import ids
from theater.clock import Clock
from theater.errors import Conflict, TheaterError, TimedOut
from theater.journal.port import Journal, KeptKey
from theater.journal.records import Message, OpenKey, Step
from theater.runtime.clients import Clients
from theater.runtime.router import Router


def unanswered(router: Router, actor: str, wait_ms: int) -> TimedOut:
    """What a client is told whose actor gave no answer in time."""
    living = router.actors.get(actor)
    paused = living is not None and living.status == "paused"
    hint = ": it is paused; `theater resume` has it go on" if paused else ""
    text = f"actor {actor} did not answer within {wait_ms} ms{hint}"
    return TimedOut(text, code="request.timed_out")


class Outside:
    """The way in for clients. A key stands for one purpose; used again it is the first one's."""

    def __init__(self, journal: Journal, router: Router, clock: Clock) -> None:
        self._journal: Final = journal
        self._router: Final = router
        self._clients: Final[Clients] = router.clients
        self._clock: Final = clock
        self._keys_lock = threading.Lock()

    def send(self, message: Message) -> tuple[str, int]:
        """Journal a client's message and put it into its mailbox; returns its id and record number.

        With a key that is already known nothing is sent: the id is that of the first message.
        Conflict if the key was used for something else.
        """
        if message.key is None:
            return message.id, self._router.enqueue(message, ())
        with self._keys_lock:
            kept = self.known_key(message.key, message.id)
            if kept is not None:
                return kept.message, self._journal.appended()
            opened = OpenKey(message.key, message.id, self._clock.wall_us())
            return message.id, self._router.enqueue(message, (opened,))

    def put_anew(
        self, id_: str, build: Callable[[], tuple[Message, Step]], key: str | None
    ) -> tuple[str, int]:
        """Put a message of that id into its mailbox, in one record with the step that goes with it.

        With a key that is already known `build` is not called: the id is that of the first message,
        if it was for the same purpose.
        """
        with self._keys_lock:
            kept = None if key is None else self.known_key(key, id_)
            if kept is not None:
                return kept.message, self._journal.appended()
            message, step = build()
            if key is None:
                return message.id, self._router.enqueue(message, (step,))
            opened = OpenKey(key, message.id, self._clock.wall_us())
            return message.id, self._router.enqueue(message, (opened, step))

    def request(self, message: Message) -> tuple[str, Future[bytes]]:
        """Journal a client's request; the future has the answer once that is on disk.

        With a key that is already known the future has the first message's answer. Returns the id
        of the message whose answer it is. Conflict if the key was used for something else.
        """
        future: Future[bytes] = Future()
        if message.key is None:
            self._enqueue_expected(message, (), future)
            return message.id, future
        with self._keys_lock:
            kept = self.known_key(message.key, message.id)
            if kept is None:
                opened = OpenKey(message.key, message.id, self._clock.wall_us())
                self._enqueue_expected(message, (opened,), future)
                return message.id, future
        self._clients.expect(kept.message, future)
        again = self._journal.key(message.key)  # it may have been answered in between
        if again is not None and again.answer is not None:
            self._clients.tell(kept.message, again.answer, self._journal.appended())
        return kept.message, future

    def known_key(self, key: str, id_: str) -> KeptKey | None:
        """What a client's key was used for, None if it was not; Conflict if not for what `id_` is."""
        kept = self._journal.key(key)
        if kept is not None and not ids.same_purpose(kept.message, id_):
            raise used_for_something_else()
        return kept

    def forget(self, message: str, future: Future[bytes]) -> bool:
        """Nobody waits for this future any more; False if its answer is on its way already."""
        return self._clients.forget(message, future)

    def _enqueue_expected(
        self, message: Message, steps: Sequence[Step], future: Future[bytes]
    ) -> None:
        self._clients.expect(message.id, future)
        try:
            self._router.enqueue(message, steps)
        except TheaterError:
            self._clients.forget(message.id, future)
            raise


def used_for_something_else() -> Conflict:
    """Return what a client is told whose key stands for another purpose."""
    return Conflict(
        "this Idempotency-Key was used for something else; what is new takes a new key",
        code="key.used",
    )
