"""Loading what actors run: components by hash from the journal, bound to a manifest's grants."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from hashlib import sha256 as digest_of
from pathlib import Path

from theater.chain.tip import Ref
from theater.engine import Component, Engine
from theater.errors import IntegrityError, NotFound
from theater.journal.port import Journal
from theater.limits import PROGRAMS_MAX
from theater.manifest.grants import Grant, as_map, of_map
from theater.manifest.model import Manifest
from theater.runtime.actor import Actor
from theater.runtime.program import Handlers, Program
from theater.values import cbor

_Key = tuple[bytes, bool, str, tuple[str, ...], bytes]
"""Component, fuel or not, text of the manifest, types of its handlers, digest of a child's grants."""


class Programs:
    """The two engines of a node (with and without fuel) and the programs that they run."""

    def __init__(self, journal: Journal, handlers: Handlers, cache_dir: Path) -> None:
        self._journal = journal
        self._handlers = handlers
        self._cache_dir = cache_dir
        self._engines: dict[bool, Engine] = {}
        self._bound: dict[_Key, tuple[dict[str, Grant], Program]] = {}
        self._lock = threading.Lock()

    def engine(self, fuel: bool) -> Engine:
        """The engine that counts fuel, or the one that doesn't."""
        with self._lock:
            found = self._engines.get(fuel)
            if found is None:
                found = self._engines[fuel] = Engine(self._cache_dir, fuel=fuel)
            return found

    def component(self, sha256: bytes, fuel: bool) -> Component:
        """Compile or fetch a component that the journal keeps; NotFound if it doesn't."""
        engine = self.engine(fuel)
        loaded = self._handlers.loaded(engine, sha256)
        if loaded is not None:
            return loaded
        kept = self._journal.content(sha256)
        if kept is None:
            raise NotFound(
                f"there is no component {sha256.hex()} here; start the actor from its manifest again",
                code="component.not_found",
            )
        return self._handlers.load(engine, kept[1])

    def program(
        self, sha256: bytes, manifest: Manifest, held: Mapping[str, Grant] | None = None
    ) -> Program:
        """Bind a component to what it may do; actors of the same kind share what comes of it.

        `held` are the effective grants of a child, None for those that the manifest asks for.
        """
        fuel = manifest.limits.fuel is not None
        grants = self.grants(manifest) if held is None else dict(held)
        types = tuple(entry.type for entry in manifest.handlers)
        of_child = b"" if held is None else digest_of(cbor.encode(as_map(held))).digest()
        key = (sha256, fuel, manifest.text, types, of_child)
        bound = self._bound.get(key)
        if bound is not None and bound[0] == grants:
            return bound[1]
        component = self.component(sha256, fuel)
        facts = self.engine(fuel).facts
        program = self._handlers.bind(component, manifest, grants, facts)
        with self._lock:
            if len(self._bound) >= PROGRAMS_MAX:
                self._bound.clear()
            self._bound[key] = (grants, program)
        return program

    def grants(self, manifest: Manifest) -> dict[str, Grant]:
        """The effective grants of an actor without a parent: those that its manifest asks for."""
        return {**self._handlers.always(), **manifest.grants}

    def held(self, actor: Actor) -> dict[str, Grant] | None:
        """The effective grants that a child was started with, None for an actor without a parent."""
        return None if actor.parent is None else self.recorded(actor.grants_ref)

    def recorded(self, ref: Ref) -> dict[str, Grant]:
        """The grants that an `actor-start` names; IntegrityError if they are gone or can't be read."""
        kept = self._journal.content(ref[0])
        if kept is None:
            raise IntegrityError("the recorded grants are not here", code="replay.gone")
        try:
            named = cbor.decode(kept[1])
            assert isinstance(named, dict)
            return of_map(named, self._handlers.grant_types)
        except (ValueError, AssertionError) as error:
            raise IntegrityError(
                f"the recorded grants can't be read by this version: {error}",
                code="grants.unreadable",
            ) from error

    def close(self) -> None:
        """Close handlers and engines."""
        self._handlers.close()
        with self._lock:
            for engine in self._engines.values():
                engine.close()
            self._engines.clear()
            self._bound.clear()
