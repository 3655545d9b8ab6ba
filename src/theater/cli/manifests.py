"""A manifest as the command line reads it: with the environment, and the files that stand beside it.

What a manifest names relative to itself is read here, on the machine of who starts the actor. The
node gets the text after substitution, the component's bytes and the initial state's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from theater.chain.content import plain_digest
from theater.cli.files import read_file
from theater.errors import ComponentError, ManifestError, Problem, UsageError
from theater.handlers.grant_types import GRANT_TYPES
from theater.journal.records import Keep
from theater.limits import COMPONENT_BYTES_MAX, MANIFEST_BYTES_MAX, STATE_BYTES_CEILING
from theater.manifest import Manifest, parse


@dataclass(frozen=True, slots=True)
class Loaded:
    """A manifest that can be started, with the component's bytes and the initial state."""

    manifest: Manifest
    component: bytes
    state: bytes | None


def read_manifest(
    path: Path,
    variables: Mapping[str, str],
    *,
    state: bytes | None = None,
    secrets: Collection[str] = (),
) -> Manifest:
    """Read and check a manifest's text, its variables filled from `variables` and the environment."""
    text = _text(path)
    return parse(
        text,
        grant_types=GRANT_TYPES,
        variables={**os.environ, **variables},
        state=_json(state),
        secrets=secrets,
        path=str(path),
    )


def load_manifest(
    path: Path,
    variables: Mapping[str, str],
    state_file: Path | None,
    *,
    secrets: Collection[str] = (),
) -> Loaded:
    """Read a manifest with its component and its initial state."""
    state = None if state_file is None else read_file(state_file, STATE_BYTES_CEILING, "state")
    manifest = read_manifest(path, variables, state=state, secrets=secrets)
    named = manifest.initial_state
    if state is None and isinstance(named, str) and "://" not in named:
        state = read_file(path.parent / named, STATE_BYTES_CEILING, "initial state")
        manifest = read_manifest(path, variables, state=state, secrets=secrets)
    return Loaded(manifest, read_component(path, manifest), state)


def read_component(path: Path, manifest: Manifest) -> bytes:
    """Return the bytes of the component that a manifest names, checked against its pin."""
    named = manifest.component
    if "://" in named:
        raise UsageError(
            f"{path} names the component {named}; fetch it first and name the file instead",
            code="component.remote",
        )
    wasm = read_file(path.parent / named, COMPONENT_BYTES_MAX, "component")
    pinned = manifest.component_sha256
    found = sha256(wasm).hexdigest()
    if pinned is not None and pinned != found:
        raise ComponentError(
            f"{path.parent / named} has the SHA-256 {found}, but {path} pins {pinned}; build it "
            "again with `theater build`, or correct component_sha256",
            code="component.pin",
        )
    return wasm


def _text(path: Path) -> str:
    data = read_file(path, MANIFEST_BYTES_MAX, "manifest")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
        problem = Problem(line, column, "this is not UTF-8", "save the file as UTF-8")
        raise ManifestError(f"{path} has 1 problem:\n  {problem}", (problem,)) from None


def _json(state: bytes | None) -> object:
    if state is None:
        return None
    try:
        return json.loads(state)
    except (ValueError, RecursionError):
        return None


def check_interfaces(manifest: Manifest, wasm: bytes) -> None:
    """Raise Denied, with the lines to add, if the component imports what the manifest doesn't grant."""
    from theater.clock import SystemClock
    from theater.journal.memory import MemoryJournal
    from theater.runtime.dispatcher import Dispatcher
    from theater.runtime.programs import Programs
    from theater.runtime.registry import standard_handlers
    from theater.runtime.router import Router
    from theater.runtime.scheduler import Scheduler
    from theater.runtime.settings import default_cache_dir
    from theater.runtime.tree import Tree
    from theater.store import Stores

    journal = MemoryJournal()
    dispatcher = Dispatcher(1, 1)
    digest = plain_digest(wasm)
    journal.append((Keep(digest, None, wasm),))
    clock = SystemClock()
    router = Router(journal, dispatcher, clock, lambda _seconds, _do: None)
    stores = Stores(journal)
    tree = Tree(router, journal, stores)
    handlers = standard_handlers(router, Scheduler(journal, router, clock), tree, stores, {})
    programs = Programs(journal, handlers, default_cache_dir())
    try:
        programs.program(digest, manifest)
    finally:
        programs.close()
        dispatcher.stop()
        journal.close()
