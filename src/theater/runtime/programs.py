"""Loading what actors run: components by hash from the journal, bound to a manifest's grants."""

from __future__ import annotations

import threading
from pathlib import Path

from theater.engine import Component, Engine
from theater.errors import NotFound
from theater.journal.port import Journal
from theater.limits import PROGRAMS_MAX
from theater.manifest.grants import Grant
from theater.manifest.model import Manifest
from theater.runtime.program import Handlers, Program

_Key = tuple[bytes, bool, str, tuple[str, ...]]
"""Component, fuel or not, text of the manifest, types of its handlers."""


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

    def program(self, sha256: bytes, manifest: Manifest) -> Program:
        """Bind a component to what its manifest grants; actors of the same kind share what comes of it."""
        fuel = manifest.limits.fuel is not None
        grants = self.grants(manifest)
        types = tuple(entry.type for entry in manifest.handlers)
        key = (sha256, fuel, manifest.text, types)
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

    def close(self) -> None:
        """Close handlers and engines."""
        self._handlers.close()
        with self._lock:
            for engine in self._engines.values():
                engine.close()
            self._engines.clear()
            self._bound.clear()
