"""What the documentation promises names the tests that show it, and those are there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
PROMISES = ("docs/guarantees.md", "docs/recovery.md")
PAGES = (*PROMISES, "ARCHITECTURE.md")


@cache
def functions_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text())
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_a_page_names_is_there(page: str) -> None:
    named = NAMED.findall((ROOT / page).read_text())
    assert len(named) > 10
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not (ROOT / file).is_file() or (test and test not in functions_in(ROOT / file))
    ]
    assert missing == []


@pytest.mark.parametrize("page", PROMISES)
def test_every_statement_of_the_guarantees_names_its_test(page: str) -> None:
    rows = [
        line
        for line in (ROOT / page).read_text().splitlines()
        if line.startswith("| ") and not line.startswith(("| it holds", "| the call", "| ---"))
    ]
    assert rows
    assert [row for row in rows if not NAMED.search(row)] == []
