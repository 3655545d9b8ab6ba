"""Real `theater server` processes over one data directory, to be killed one after the other."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).resolve().parents[2]
READY_S = 60.0
DEATH_S = 30.0


def environment(cache: Path, folder: Path) -> dict[str, str]:
    """What a server is started with: compiled components below `cache`, no user's configuration."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("THEATER_")}
    return {**mine, "XDG_CACHE_HOME": str(cache), "XDG_CONFIG_HOME": str(folder)}


class Server:
    """One process. `output` is the read end of its standard output, `ended` a pidfd."""

    def __init__(self, pid: int, ended: int, output: int) -> None:
        self.pid = pid
        self._ended = ended
        self._output = output
        self._said = b""

    def address(self, timeout_s: float = READY_S) -> str | None:
        """The address, which is the first line that it prints; None if it has not within the time."""
        while b"\n" not in self._said:
            if not select.select([self._output], [], [], timeout_s)[0]:
                return None
            piece = os.read(self._output, 4096)
            assert piece, "the server ended before it was ready: see server.log"
            self._said += piece
        return self._said.partition(b"\n")[0].decode()

    def ask_to_stop(self) -> None:
        """SIGTERM, without waiting for what comes of it."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._ended, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, and wait until nothing is left of it."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop it in order."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._ended, how)
        assert select.select([self._ended], [], [], DEATH_S)[0], f"process {self.pid} lives on"
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        os.close(self._ended)
        os.close(self._output)


class Servers(Protocol):
    """A way to start servers."""

    def start(self, arguments: list[str]) -> Server: ...
    def close(self) -> None: ...


class Executed:
    """Each server is a new process of the installed command."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._environment = environment
        self._log = log

    def start(self, arguments: list[str]) -> Server:
        reading, writing = os.pipe()
        command = [str(Path(sys.executable).parent / "theater"), *arguments]
        with self._log.open("ab") as errors:
            process = subprocess.Popen(
                command, env=self._environment, stdout=writing, stderr=errors, cwd=ROOT
            )
        os.close(writing)
        process.returncode = 0  # waited for by Server
        return Server(process.pid, os.pidfd_open(process.pid), reading)

    def close(self) -> None:
        pass


class Forked:
    """Each server is forked from a process that has everything imported."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        self._orders, theirs = socket.socketpair()
        with log.open("ab") as errors:
            self._zygote = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.zygote", str(theirs.fileno())],
                env=environment,
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
                stderr=errors,
            )
        theirs.close()

    def start(self, arguments: list[str]) -> Server:
        reading, writing = os.pipe()
        with self._log.open("ab") as errors:
            order = json.dumps(arguments).encode()
            socket.send_fds(self._orders, [order], [writing, errors.fileno()])
        os.close(writing)
        pid = int(self._orders.recv(32))
        return Server(pid, os.pidfd_open(pid), reading)

    def close(self) -> None:
        self._orders.close()
        self._zygote.wait(DEATH_S)
