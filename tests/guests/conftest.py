"""Guests for the tests here, built by the real toolchain and run by the real engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.guests.components import Guests


@pytest.fixture(scope="session")
def guests(request: pytest.FixtureRequest) -> Iterator[Guests]:
    """All guests; what was built and compiled stays in pytest's cache for the next run."""
    made = Guests(request.config.cache.mkdir("guests"))
    yield made
    made.close()
