"""What the machine is and how busy it is, since a figure without that means little."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parent.parent


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where and when something was measured. `load` is the mean of the last minute, before it.

    `changed`: what was measured is not, or not all of it, what the revision has.
    """

    at: str
    revision: str
    changed: bool
    cpu: str
    cores: int
    load: float
    python: str
    wasmtime: str
    sqlite: str
    system: str


def this_machine() -> Machine:
    """Look at this machine and this working copy."""
    import apsw

    return Machine(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        revision=_git("rev-parse", "--short", "HEAD") or "unknown",
        changed=bool(_git("status", "--porcelain", "--", "src", "benchmarks", "guests")),
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        load=round(os.getloadavg()[0], 2),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        wasmtime=version("wasmtime"),
        sqlite=apsw.sqlite_lib_version(),
        system=f"{platform.system()} {platform.release()}",
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def _git(*words: str) -> str:
    try:
        ended = subprocess.run(
            ["git", *words], cwd=ROOT, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return ended.stdout.strip() if ended.returncode == 0 else ""
