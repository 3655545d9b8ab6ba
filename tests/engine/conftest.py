"""Engines that share a directory of artifacts, so that each guest is compiled once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.guests import binary
from theater.engine import Component, Engine


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of artifacts that the tests share, so that each guest is compiled once."""
    return tmp_path_factory.mktemp("artifacts")


@pytest.fixture(scope="session")
def engine(artifacts: Path) -> Iterator[Engine]:
    with Engine(artifacts) as engine:
        yield engine


@pytest.fixture(scope="session")
def fuelled(artifacts: Path) -> Iterator[Engine]:
    """An engine that counts fuel."""
    with Engine(artifacts, fuel=True) as engine:
        yield engine


@pytest.fixture(scope="session")
def guest(engine: Engine) -> Callable[[str], Component]:
    """Loads a guest of guests/wat by its name."""
    return lambda name: engine.load(binary(name))
