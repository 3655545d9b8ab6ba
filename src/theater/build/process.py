"""Runs a tool of a build in a process of its own, for a bounded time.

It can be interrupted, what it prints is its own, and when it fails in native code or never ends it
takes nothing with it, nor leaves processes of its own behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from theater.errors import BuildError
from theater.limits import BUILD_SECONDS_MAX


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    folder: Path | None = None,
    seconds: int = BUILD_SECONDS_MAX,
    slow: str = "the build took more than {} seconds (BUILD_SECONDS_MAX): "
    "does a module do its work when it is imported?",
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, whatever that is. Raises BuildError with `slow` after `seconds`."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=seconds)
        except BaseException as error:
            # Its own processes too: a compiler that it started would go on for itself.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise BuildError(slow.format(seconds)) from None
            raise
        return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)
