"""Every reason for which a message is left unhandled is on the page, and nothing else is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from theater import limits
from theater.chain import shapes

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/dead-letters.md").read_text()
REASON_AT = {"fail_message": 1, "_refuse": 3, "_abandon": 2, "Settle": 2}
"""Which argument of what makes a dead letter is its reason."""


def written() -> Iterator[str]:
    """The reasons that the runtime spells out."""
    for path in (ROOT / "src/theater/runtime").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else None
            name = node.func.id if isinstance(node.func, ast.Name) else name
            at = REASON_AT.get(name or "")
            if at is not None and len(node.args) > at:
                reason = node.args[at]
                if isinstance(reason, ast.Constant) and isinstance(reason.value, str):
                    yield reason.value


def test_every_reason_is_explained_and_no_other() -> None:
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    told = {span for row in rows for span in re.findall(r"`([a-z_.]+)`", row)}
    spelled = set(written())
    assert len(spelled) >= 6
    assert told == spelled | set(get_args(shapes.ErrorKind))


def test_the_bounds_are_those_of_the_code() -> None:
    for name in ("DEAD_LETTERS", "QUARANTINE"):
        assert getattr(limits, f"{name}_MAX") == 100_000
        assert getattr(limits, f"{name}_BYTES_MAX") == limits.GIB
        assert getattr(limits, f"{name}_KEPT_S") == 30 * 24 * 3600
    how_long = PAGE.partition("## How long")[2]
    for told in ("100,000", "1 GiB", "30 days"):
        assert told in how_long
