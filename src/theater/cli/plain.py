"""Text as a terminal may be given it: apart from what prints, because telling an error needs only this."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return text without what could move a terminal's cursor or change its colours."""
    return "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
