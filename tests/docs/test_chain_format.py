"""The page about the chain's format: that it lists what the code knows, no more and no less."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from theater.chain.names import ERROR_KINDS, NOTES, TRAP_CODES
from theater.chain.verify import Reason

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "chain-format.md").read_text()


def section(title: str) -> str:
    return PAGE.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def first_cells(text: str) -> set[str]:
    """The names in the first column of a text's tables."""
    return {
        name
        for line in text.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([^`]+)`", line.split("|")[1])
    }


def names_of(rule: str) -> set[str]:
    """The literals of a rule of the CDDL."""
    body = re.search(rf"^{rule} +=(.*?)(?=^\w|^```)", PAGE, re.MULTILINE | re.DOTALL)
    assert body is not None
    return set(re.findall(r'"(\w+)"', body[1]))


def test_the_page_has_every_kind_and_code_of_errors() -> None:
    assert names_of("kind") == ERROR_KINDS
    assert names_of("code") == TRAP_CODES


def test_the_page_has_every_note_that_the_code_knows() -> None:
    named = first_cells(section("What is written when"))
    assert named >= NOTES
    assert {name for name in named if name.startswith(("actor-", "chain-"))} <= NOTES | {
        "actor-start"
    }


def test_the_page_has_every_reason_why_an_event_does_not_follow() -> None:
    assert first_cells(section("Verification")) == set(get_args(Reason))
