"""What this process holds of the machine: memory, mappings, files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024


class Held(NamedTuple):
    """Resident memory in KiB, mappings of the address space, open files."""

    resident_kib: int
    mappings: int
    files: int


def resident_kib() -> int:
    """Resident memory in KiB, now (a peak would hide what is given back)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_KIB


def held() -> Held:
    """All of it."""
    mappings = Path("/proc/self/maps").read_text().count("\n")
    return Held(resident_kib(), mappings, len(os.listdir("/proc/self/fd")))
