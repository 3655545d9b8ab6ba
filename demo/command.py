"""The `theater` command, as the demo calls it: one data directory, JSON where there is JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from demo.processes import Process

COMMAND_SECONDS_MAX = 150.0


class CommandFailed(Exception):
    """A command ended with an exit code that was not expected."""


class Theater:
    """The command against the server of one data directory."""

    def __init__(self, data_dir: Path, variables: dict[str, str]) -> None:
        self.data_dir = data_dir
        self.environment = {
            **variables,
            "THEATER_DATA_DIR": str(data_dir),
            "NO_COLOR": "1",
        }

    @property
    def program(self) -> str:
        return str(Path(sys.executable).with_name("theater"))

    def run(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> tuple[int, str]:
        """Its exit code and what it printed; CommandFailed for a code that is not among `codes`."""
        done = subprocess.run(
            [self.program, *arguments],
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
        if done.returncode not in codes:
            said = (done.stderr or done.stdout).strip()[-2000:]
            raise CommandFailed(
                f"theater {' '.join(arguments)} ended with {done.returncode}:\n{said}"
            )
        return done.returncode, done.stdout

    def json(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> Any:
        """What it printed with --json."""
        return json.loads(self.run(*arguments, "--json", codes=codes)[1])

    def follow(self, actor: str, log: Path) -> Process:
        """A process that prints the chain's events as JSON lines, as soon as they are durable."""
        command = [self.program, "events", actor, "--follow", "--json"]
        return Process("theater events --follow", command, log, self.environment)

    def events(self, actor: str) -> str:
        """The chain as JSON lines, byte for byte as printed."""
        return self.run("events", actor, "--json")[1]
