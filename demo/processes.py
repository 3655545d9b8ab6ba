"""Processes that the demo starts, and their ends: none of them outlives it.

Those that print their address serve until their standard input ends, so they end even if the demo is
killed. Each stands in a process group of its own, so that Ctrl-C reaches the demo alone, which then
stops them in order.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 10.0


class ProcessFailed(Exception):
    """A process did not come up, or ended when it should not have."""


class Process:
    """A child with a log file; `stop`, `kill` and leaving the context all end its whole group."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._log = log
        with log.open("ab") as errors:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=None if environment is None else {**os.environ, **environment},
                start_new_session=True,
            )
        assert self._child.stdout is not None
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=_read, args=(self._child.stdout, self._lines), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._child.pid

    def next_line(self, timeout_s: float = START_SECONDS_MAX) -> str:
        """Wait for the next line of its standard output; ProcessFailed if it ends or takes too long."""
        try:
            line = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            raise ProcessFailed(f"{self.name} printed nothing in time") from None
        if not line:
            raise ProcessFailed(f"{self.name} ended too early:\n{self._log.read_text()[-2000:]}")
        return line.strip()

    def alive(self) -> bool:
        return self._child.poll() is None

    def freeze(self) -> None:
        """Stop it where it is; it can be killed or thawed."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> int:
        """SIGKILL to its group, at once; what it exited with (-9)."""
        self._signal(signal.SIGKILL)
        return self.wait()

    def wait(self) -> int:
        """What it exited with, once it has."""
        return self._child.wait(STOP_SECONDS_MAX)

    def close_input(self) -> None:
        """What it sees when the demo itself is gone."""
        if self._child.stdin is not None:
            self._child.stdin.close()

    def stop(self) -> int:
        """Close its standard input and ask it to end; kill it if it doesn't."""
        self.close_input()
        self._signal(signal.SIGTERM)
        self.thaw()
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            return self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if self.alive():
            os.killpg(self._child.pid, number)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let SIGINT and SIGTERM wait until what is inside is done; then KeyboardInterrupt.

    Between the start of a process and the place where its end is arranged, nothing may come.
    """
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt


def _read(stream: IO[bytes], lines: queue.SimpleQueue[str]) -> None:
    # In a thread of its own, so that a talkative child never blocks on a full pipe.
    for line in stream:
        lines.put(line.decode(errors="replace"))
    lines.put("")
