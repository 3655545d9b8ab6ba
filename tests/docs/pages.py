"""The code blocks of the documentation, with what stands above each.

Pages are read as CommonMark, so that a block is what a reader of the page sees as one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "ARCHITECTURE.md")
FOLDERS = ("docs/*.md", "examples/*/README.md")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `above` is the paragraph before it, whose code spans say what the block is."""

    page: str
    line: int
    language: str
    text: str
    above: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    def spans(self) -> list[str]:
        """The code spans of the paragraph above."""
        return re.findall(r"`([^`]+)`", self.above)

    def file(self) -> str | None:
        """The file whose contents this is: the first one that the paragraph above names."""
        for span in self.spans():
            if re.fullmatch(r"[\w~./-]+\.(py|toml|json|js|ts|txt)", span):
                return span
        return None


def pages() -> list[str]:
    """The pages whose blocks are run, by their paths from the root."""
    found = [path.relative_to(ROOT) for pattern in FOLDERS for path in ROOT.glob(pattern)]
    return [*PAGES, *sorted(path.as_posix() for path in found)]


def blocks(page: str, text: str | None = None) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found = []
    above = ""
    for token in MarkdownIt().parse((ROOT / page).read_text() if text is None else text):
        if token.type == "inline":
            above = token.content
        elif token.type == "fence":
            assert token.map is not None
            found.append(Block(page, token.map[0] + 1, token.info.strip(), token.content, above))
            above = ""
    return found
