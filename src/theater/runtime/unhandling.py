"""What operators are told of unhandled messages and may do with them, as a part of the node's facade."""

from __future__ import annotations

from concurrent.futures import Future

from theater.journal.records import Message
from theater.limits import UNHANDLED_PAGE
from theater.runtime.futures import complete
from theater.runtime.inspection import Inspection
from theater.runtime.unhandled import UnhandledMessages, UnhandledPage


class Unhandling(Inspection):
    """The part of a node that looks after dead letters and the quarantine."""

    _unhandled: UnhandledMessages

    def dead_letters(
        self, actor: str | None = None, *, after: int = 0, limit: int = UNHANDLED_PAGE
    ) -> UnhandledPage:
        """Messages that nobody handled, of all receivers or one, oldest first, from `after` on."""
        self._settle()
        return self._unhandled.page("dead", actor, after, limit)

    def quarantine(
        self, actor: str | None = None, *, after: int = 0, limit: int = UNHANDLED_PAGE
    ) -> UnhandledPage:
        """Messages that were set aside because calls with them ended badly; as `dead_letters`."""
        self._settle()
        return self._unhandled.page("aside", actor, after, limit)

    def unhandled(self, message: str) -> Message:
        """A dead letter, or a message that was set aside, with its body; NotFound for any other."""
        self._settle()
        return self._unhandled.message(message)

    def deliver(
        self, message: str, *, to: str | None = None, key: str | None = None
    ) -> Future[str]:
        """Deliver an unhandled message again, to its receiver or to the actor `to`.

        It is a new message of the same sender, whose id the future has once it is on disk; the old
        one is gone with the same record. Nobody waits for what a request is answered.
        """
        future: Future[str] = Future()
        sent, number = self._unhandled.deliver(message, to, key)
        complete(self.journal, future, sent, number)
        return future

    def drop(self, message: str) -> Future[None]:
        """Forget an unhandled message; the future is done when that is on disk."""
        future: Future[None] = Future()
        complete(self.journal, future, None, self._unhandled.drop(message))
        return future
