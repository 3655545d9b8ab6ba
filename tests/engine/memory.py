"""What this process holds of the machine: memory, mappings, files."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import NamedTuple

_PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024


class _Mallinfo(ctypes.Structure):
    """What `mallinfo2` of glibc returns: `uordblks` are the bytes that are in use, to the byte."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd",
            "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    ]  # fmt: skip


_MALLINFO = getattr(ctypes.CDLL(None), "mallinfo2", None)
if _MALLINFO is not None:
    _MALLINFO.restype = _Mallinfo


class Held(NamedTuple):
    """Resident and allocated memory in KiB, mappings of the address space, open files."""

    resident_kib: int
    allocated_kib: int
    mappings: int
    files: int


def resident_kib() -> int:
    """Resident memory in KiB, now (a peak would hide what is given back)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_KIB


def allocated_kib() -> int:
    """Memory in KiB that C and Rust have allocated and not given back.

    Room that was free before hides no leak here, as it does in resident memory, which stands in
    where the C library doesn't count.
    """
    return resident_kib() if _MALLINFO is None else int(_MALLINFO().uordblks) // 1024


def held() -> Held:
    """All of it."""
    mappings = Path("/proc/self/maps").read_text().count("\n")
    return Held(resident_kib(), allocated_kib(), mappings, len(os.listdir("/proc/self/fd")))
