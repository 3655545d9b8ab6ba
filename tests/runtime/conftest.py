"""Fixtures of the runtime tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.actors import Theater, theater
from theater.runtime.settings import NodeSettings


@pytest.fixture(scope="session")
def cache_dir(request: pytest.FixtureRequest) -> Path:
    """Compiled components, also of earlier runs: a Python guest takes seconds to compile."""
    return Path(request.config.cache.mkdir("guests")) / "compiled"


@pytest.fixture
def stage(tmp_path: Path, cache_dir: Path) -> Iterator[Theater]:
    """A node of its own."""
    with theater(tmp_path / "data", NodeSettings(cache_dir=cache_dir)) as opened:
        yield opened
