"""Journals for the suite that all of them must pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.journal.making import Maker, actor_row
from theater.journal.memory import MemoryJournal
from theater.journal.port import Failpoint, Journal
from theater.journal.sqlite import SqliteJournal

WAIT_S = 60
A = actor_row(0).id


class Open(Protocol):
    def __call__(
        self,
        *,
        failpoint: Failpoint | None = None,
        group_records_max: int = 4096,
        queue_records_max: int = 20_000,
        queue_bytes_max: int = 1 << 26,
    ) -> Journal: ...


@pytest.fixture(params=["memory", "sqlite"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """What opens the journal under test; each is closed at the end."""
    opened: list[Journal] = []

    def start(**settings: object) -> Journal:
        if request.param == "memory":
            journal: Journal = MemoryJournal(**settings)  # type: ignore[arg-type]
        else:
            journal = SqliteJournal.open(tmp_path / "data", **settings)  # type: ignore[arg-type]
        opened.append(journal)
        return journal

    yield start  # type: ignore[misc]
    for journal in opened:
        journal.close()


@pytest.fixture
def journal(opening: Open) -> Journal:
    return opening()


def settled(journal: Journal) -> None:
    journal.wait(journal.appended(), WAIT_S)


def with_chain(journal: Journal, length: int, actor: int = 0) -> Maker:
    maker = Maker()
    for number in range(actor + 1):
        step = maker.actor(number)
        if journal.actor(step.row.id) is None:
            journal.append((step,))
    for _ in range(length):
        journal.append((maker.event(actor_row(actor).id),))
    settled(journal)
    return maker
