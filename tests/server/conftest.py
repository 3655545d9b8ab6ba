"""A server over a real node, shared by the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.running import Running, running
from theater.protocol.actors import ActorView


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled components, shared by the tests of a process."""
    return tmp_path_factory.mktemp("components")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[Running]:
    """A server that the tests of a module share."""
    with running(tmp_path_factory.mktemp("data"), cache_dir) as opened:
        yield opened


@pytest.fixture(scope="module")
def counter(served: Running) -> ActorView:
    """An actor that counts its messages, shared by the tests of a module."""
    return served.start()
