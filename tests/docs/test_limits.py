"""The page about bounds names bounds that exist, and every table of the journal."""

from __future__ import annotations

import re
from pathlib import Path

from theater import limits
from theater.journal.sqlite.schema import TABLES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "limits.md").read_text()
SUMS = {"unhandled", "unhandled_totals"}
"""What is made of the messages: a row for each, and one for all."""


def test_every_bound_that_is_named_exists() -> None:
    named = set(re.findall(r"`([A-Z][A-Z_]+_[A-Z]+)`", PAGE)) - {"XDG_CACHE_HOME"}
    assert len(named) > 20
    assert [name for name in sorted(named) if not hasattr(limits, name)] == []


def test_every_table_of_the_journal_is_on_the_page() -> None:
    tables = set(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", TABLES)) - SUMS
    assert len(tables) > 10
    assert [table for table in sorted(tables) if f"`{table}`" not in PAGE] == []
