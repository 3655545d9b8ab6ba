"""The names that actors have registered, each with its one holder.

A name is taken and given up in the record of the call that asked for it, and gone in the record in
which its holder ends or begins anew from its initial state. Memory follows behind the record: whoever
takes a name keeps it from all others until the record is queued, and a name of one that ends is free
once its end is. Lookups take no lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

from theater.errors import Conflict, NotFound, Unavailable, UsageError
from theater.ids import is_name
from theater.limits import NAME_SHOWN_CHARS_MAX, NAMES_MAX, NAMES_PER_ACTOR_MAX


class Names:
    """Holders by name. Satisfies the registry handler's NamePort."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders: dict[str, str] = {}
        self._own: dict[str, dict[str, None]] = {}

    # Who is meant

    def holder(self, name: str) -> str | None:
        """The id of the actor that holds a name, None if nobody does."""
        return self._holders.get(name)

    def resolve(self, text: str) -> str:
        """The id that a name means; what is no registered name is taken as it is."""
        return self._holders.get(text, text)

    def held_by(self, actor: str) -> list[str]:
        """The names that an actor holds, in the order in which it took them."""
        return list(self._own.get(actor, ()))

    # NamePort

    def take(self, actor: str, name: str) -> AbstractContextManager[object]:
        """Keep a name from everybody else until the context is left, or raise why it can't be had."""
        if not is_name(name):
            raise UsageError(
                f"{name[:NAME_SHOWN_CHARS_MAX]!r} can't be a name: a small letter, then at most 63 "
                "small letters, digits, dots, dashes and underscores, and not the form of an id",
                code="name.invalid",
            )
        with ExitStack() as held:
            held.enter_context(self._lock)
            holder = self._holders.get(name)
            if holder is not None:
                raise Conflict(f"the living actor {holder} holds {name!r}", code="name.taken")
            if len(self._own.get(actor, ())) >= NAMES_PER_ACTOR_MAX:
                raise Unavailable(
                    f"an actor has at most {NAMES_PER_ACTOR_MAX} names", code="names.full"
                )
            if len(self._holders) >= NAMES_MAX:
                raise Unavailable(f"a node has at most {NAMES_MAX} names", code="names.full")
            return held.pop_all()

    def taken(self, actor: str, name: str) -> None:
        """The record in which an actor took a name is queued."""
        self._holders[name] = actor
        self._own.setdefault(actor, {})[name] = None

    def give_up(self, actor: str, name: str) -> AbstractContextManager[object]:
        """Keep a name as it is until the context is left; NotFound if the actor doesn't hold it."""
        with ExitStack() as held:
            held.enter_context(self._lock)
            if self._holders.get(name) != actor:
                raise NotFound(
                    f"this actor does not hold {name[:NAME_SHOWN_CHARS_MAX]!r}",
                    code="name.not_held",
                )
            return held.pop_all()

    def given_up(self, actor: str, name: str) -> None:
        """The record in which an actor gave a name up is queued."""
        del self._holders[name]
        own = self._own[actor]
        del own[name]
        if not own:
            del self._own[actor]

    # Opening and ends

    def restore(self, actor: str, name: str) -> None:
        """Take in a name that the journal holds."""
        self.taken(actor, name)

    def leaving(self, actor: str) -> tuple[list[str], Callable[[], None]]:
        """The names of an actor that gives all of them up, and what is run once that is queued."""
        names = self.held_by(actor)

        def left() -> None:
            with self._lock:
                for name in names:
                    self.given_up(actor, name)

        return names, left
