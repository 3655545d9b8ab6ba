"""A shell in which the commands of a page are typed, and what they print is compared with the page.

One shell a page, so that variables and the current folder last from block to block.
"""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

COMMAND_S = 120.0
MARK = "--- done"
PLACEHOLDERS = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "ID"),
    (re.compile(r"\b(msg|req|chan|timer|store)_[0-9a-z]+\b"), "ID"),
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "HASH"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+\d\d:\d\d)?"), "TIME"),
    (re.compile(r"\b\d\d:\d\d:\d\d(\.\d+)?\b"), "TIME"),
    (re.compile(r"\b\d+(\.\d+)? ?(s|ms|µs|seconds|MB|kB|MiB)\b"), "MEASURED"),
)
"""What differs from run to run; the same placeholder must stand in the same place."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A command of a console block, and the lines that the block shows below it."""

    command: str
    shown: tuple[str, ...]


def typed(text: str) -> Iterator[Typed]:
    """The commands of a console block: lines with `$ `, going on in lines with `> `."""
    command: str | None = None
    shown: list[str] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            if command is not None:
                yield Typed(command, tuple(shown))
            command, shown = line[2:], []
        elif line.startswith("> ") and command is not None and not shown:
            command += "\n" + line[2:]
        else:
            assert command is not None, f"a console block begins with `$ `, not with {line!r}"
            shown.append(line)
    if command is not None:
        yield Typed(command, tuple(shown))


class Terminal:
    """A bash that is fed through a pipe; what a command prints on either output is one text."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=dict(environment),
            text=True,
            start_new_session=True,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._bash.stdout is not None
        for line in self._bash.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def run(self, command: str) -> tuple[int, str]:
        """Exit code and output of a command; AssertionError if it doesn't end in time."""
        assert self._bash.stdin is not None
        self._bash.stdin.write(f"{{ {command}\n}} </dev/null\nprintf '\\n%s %d\\n' '{MARK}' $?\n")
        self._bash.stdin.flush()
        until = time.monotonic() + COMMAND_S
        printed: list[str] = []
        while True:
            try:
                line = self._lines.get(timeout=max(until - time.monotonic(), 0.01))
            except queue.Empty:
                raise AssertionError(f"{command!r} goes on after: {''.join(printed)}") from None
            assert line is not None, f"{command!r} ended the shell: {''.join(printed)}"
            if line.startswith(MARK):
                return int(line.split()[-1]), "".join(printed)
            printed.append(line)

    def close(self) -> None:
        """End the shell and what it started."""
        assert self._bash.stdin is not None
        self._bash.stdin.close()
        try:
            self._bash.wait(1)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self._bash.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._bash.wait()


def agrees(shown: Sequence[str], printed: str) -> bool:
    """Whether a page shows what was printed: up to placeholders, `…` for anything in a line, and a
    line of `…` for any lines.
    """
    wanted = "".join(
        r"(?:.*\n)*" if line.strip() == "…" else _pattern(line) + r"\n" for line in _trimmed(shown)
    )
    got = "".join(_placed(line) + "\n" for line in _trimmed(printed.splitlines()))
    return re.fullmatch(wanted, got) is not None


def _trimmed(lines: Sequence[str]) -> list[str]:
    kept = [line.rstrip() for line in lines]
    while kept and not kept[-1]:
        kept.pop()
    return kept


def _placed(line: str) -> str:
    for pattern, placeholder in PLACEHOLDERS:
        line = pattern.sub(placeholder, line)
    return line


def _pattern(line: str) -> str:
    return ".*".join(re.escape(part) for part in _placed(line).split("…"))
