"""Guests built for tests: once for each state of their sources, also across runs and workers."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from theater.build import build
from theater.engine import Component, Engine

SPIDERMONKEY = {"theater": {"engine": "spidermonkey"}}
"""The package.json of a project that is built with that engine; its sources are another's."""

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = {
    "counter": ROOT / "examples/counter",
    "counter-js": ROOT / "examples/counter-js",
    "courier": ROOT / "tests/chaos/courier",
    "leaf": ROOT / "tests/chaos_tree/leaf",
    "researcher": ROOT / "examples/researcher",
    "conformance": ROOT / "tests/guests/fixtures/conformance",
    "conformance-js": ROOT / "tests/guests/fixtures/conformance-js",
    "conformance-sm": ROOT / "tests/guests/fixtures/conformance-js",
    "fetching": ROOT / "tests/guests/fixtures/fetching",
    "impure": ROOT / "tests/guests/fixtures/impure",
}

KEPT = {"build", "__pycache__"}


def built(name: str, cache: Path) -> Path:
    """The component of one of the projects, built in a copy below `cache` if its inputs changed."""
    with _locked(name, cache):
        return _built(name, cache)


def built_copy(name: str, cache: Path, folder: Path) -> Path:
    """The same in a folder of the caller's own, where no other worker makes it anew meanwhile."""
    cache = cache.resolve()
    with _locked(name, cache):
        component = _built(name, cache)
        copy = Path(shutil.copytree(cache / name, folder))
        return copy / component.relative_to(cache / name)


@contextmanager
def _locked(name: str, cache: Path) -> Iterator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _built(name: str, cache: Path) -> Path:
    copy = cache / name
    copy.mkdir(exist_ok=True)
    for old in copy.iterdir():
        if old.is_file():
            old.unlink()
        elif old.name not in KEPT:
            shutil.rmtree(old)
    for source in PROJECTS[name].iterdir():
        if source.is_file():
            shutil.copy(source, copy)
        elif source.name not in KEPT:
            shutil.copytree(source, copy / source.name)
    if name.endswith("-sm"):
        (copy / "package.json").write_text(json.dumps(SPIDERMONKEY))
    return build(copy).component


class Guests:
    """Builds and loads guests by name, each at its first use."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.compiled = cache / "compiled"
        self._engine = Engine(self.compiled)

    def path(self, name: str) -> Path:
        return built(name, self.cache)

    def copy(self, name: str, folder: Path) -> Path:
        return built_copy(name, self.cache, folder)

    def load(self, name: str) -> Component:
        return self.load_file(self.path(name))

    def load_file(self, path: Path) -> Component:
        return self._engine.load(path.read_bytes())

    def close(self) -> None:
        self._engine.close()
