"""Who wants to know that chains grew: one listener at the journal, any number of subscriptions.

The journal tells on its writer's thread which chains a commit made longer; only the subscriptions to
those are told. Events themselves are not carried here: a subscription reads them from the journal,
so a slow one loses none and slows nobody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence

from theater.errors import TheaterError, Unavailable

Grew = Callable[[Collection[str]], None]
"""Called on the writer's thread with the actors whose chains grew: it must not block or raise."""

_EVERY = None


class Feed:
    """All methods may be called from any thread."""

    def __init__(self, on_commit: Callable[[Callable[[dict[str, int]], None]], object]) -> None:
        self._lock = threading.Lock()
        # Replaced, never changed, so that the writer's thread can look without a lock.
        self._listeners: Mapping[str | None, tuple[Grew, ...]] = {}
        self._over: TheaterError | None = None
        on_commit(self._committed)

    @property
    def over(self) -> TheaterError | None:
        """Why nothing more comes, None while something may."""
        return self._over

    def listen(self, actors: Collection[str] | None, grew: Grew) -> None:
        """Tell `grew` whenever one of `actors` has new events on disk; None for any actor at all."""
        with self._lock:
            listeners = dict(self._listeners)
            for actor in _keys(actors):
                listeners[actor] = (*listeners.get(actor, ()), grew)
            self._listeners = listeners

    def leave(self, actors: Collection[str] | None, grew: Grew) -> None:
        """Undo `listen`. Idempotent."""
        with self._lock:
            listeners = dict(self._listeners)
            for actor in _keys(actors):
                rest = tuple(other for other in listeners.pop(actor, ()) if other != grew)
                if rest:
                    listeners[actor] = rest
            self._listeners = listeners

    def close(self, why: TheaterError | None = None) -> None:
        """Wake every subscription, which then raises `why`. The first reason counts."""
        with self._lock:
            self._over = (
                self._over or why or Unavailable("this node is closing", code="node.closing")
            )
            listeners = self._listeners
        for each in {grew for listening in listeners.values() for grew in listening}:
            each(())

    def _committed(self, grown: dict[str, int]) -> None:
        listeners = self._listeners
        if not listeners:
            return
        for grew in listeners.get(_EVERY, ()):
            grew(grown)
        for actor in listeners.keys() & grown.keys():
            only = [] if actor is None else [actor]
            for grew in listeners[actor]:
                grew(only)


def _keys(actors: Collection[str] | None) -> Sequence[str | None]:
    return [_EVERY] if actors is None else list(actors)
