"""What the demo shows: each step as it ends, with how long it took, and nothing that was not seen."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from demo.checks import Check

WIDTH = 96
INDENT = (0, 0, 0, 3)


@dataclass(slots=True)
class Watch:
    """How long something took, once it is over."""

    seconds: float = 0.0


class Transcript:
    """Lines for people, kept so that they can become a picture."""

    def __init__(self) -> None:
        self._console = Console(record=True, highlight=False, width=WIDTH)

    def title(self, text: str) -> None:
        self._console.print()
        self._console.print(Rule(Text(text, style="bold"), align="left", style="dim"))

    @contextmanager
    def timing(self, name: str) -> Iterator[Watch]:
        """Time what is inside, and show `name` while it lasts."""
        watch = Watch()
        start = time.monotonic()
        with self._console.status(Text(name)):
            yield watch
        watch.seconds = time.monotonic() - start

    @contextmanager
    def step(self, name: str, done: str) -> Iterator[list[str]]:
        """Time what is inside; then print `done` and what the inside put into the list."""
        details: list[str] = []
        with self.timing(name) as watch:
            yield details
        self._line("✓", "green", done, " ".join(details), watch.seconds)

    def kill(self, text: str) -> None:
        self._line("✗", "bold red", "kill -9", text, None)

    def check(self, check: Check, seconds: float | None = None) -> None:
        mark, style = ("✓", "green") if check.ok else ("✗", "bold red")
        self._line(mark, style, check.claim, check.seen, seconds)

    def answers(self, pairs: Sequence[tuple[str, str]]) -> None:
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, expand=True)
        table.add_column(ratio=2, style="cyan")
        table.add_column(ratio=5)
        for question, answer in pairs:
            # The model's answers end where their bound is; say so where it shows.
            cut = "" if answer.endswith((".", "!", "?")) else " …"
            table.add_row(Text(question), Text(answer + cut))
        self._console.print(Padding(table, INDENT))

    def verdict(self, ok: bool, text: str) -> None:
        self._console.print()
        self._console.print(Text(text, style="bold green" if ok else "bold red"))

    def save(self, path: Path) -> None:
        """Write all that was shown as an SVG."""
        drawn = self._console.export_svg(title="make demo")
        # Without the fonts that a reader's browser would fetch from elsewhere.
        drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
        path.write_text(drawn.replace("Fira Code, monospace", "monospace"))

    def _line(self, mark: str, style: str, what: str, seen: str, seconds: float | None) -> None:
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(width=1)
        grid.add_column(ratio=1)
        grid.add_column(justify="right", width=8)
        text = Text(what, style="bold" if mark == "✗" else "")
        if seen:
            text.append(f" · {seen}", style="not bold dim")
        took = Text("" if seconds is None else _seconds(seconds), style="dim")
        grid.add_row(Text(mark, style=style), text, took)
        self._console.print(Padding(grid, (0, 0, 0, 1)))


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
