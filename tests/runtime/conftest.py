from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.runtime.actors import Theater, theater

from theater.runtime.settings import NodeSettings


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled components, shared by the tests of a process."""
    return tmp_path_factory.mktemp("components")


@pytest.fixture
def stage(tmp_path: Path, cache_dir: Path) -> Iterator[Theater]:
    """A node of its own."""
    with theater(tmp_path / "data", NodeSettings(cache_dir=cache_dir)) as opened:
        yield opened
