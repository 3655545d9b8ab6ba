"""What an operator decides about a node."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from theater import limits
from theater.clock import Clock, SystemClock
from theater.journal.port import Failpoint


def default_cache_dir() -> Path:
    """Return the directory of compiled components: below XDG_CACHE_HOME, else ~/.cache."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "theater" / "components"


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Settings of a node; the defaults are those of one machine with a few cores.

    `workers` threads run actors; when they wait, others are started, up to `workers_max`.
    `group_records_max` bounds how many records the journal commits at once. `secrets` are the
    operator's: a manifest names them and never sees them. `chain_dirs` are the folders outside the
    data directory into which a manifest may have its chain saved. `failpoint`, `random` and
    `chain_write`, which writes to chain files, are for tests.
    """

    workers: int = (os.cpu_count() or 1) + 2
    workers_max: int = limits.WORKERS_MAX
    batch: int = 32
    group_records_max: int = limits.JOURNAL_GROUP_RECORDS_MAX
    cache_dir: Path = field(default_factory=default_cache_dir)
    secrets: Mapping[str, str] = field(default_factory=dict)
    chain_dirs: tuple[Path, ...] = ()
    clock: Clock = field(default_factory=SystemClock)
    random: Callable[[int], bytes] = os.urandom
    failpoint: Failpoint | None = None
    chain_write: Callable[[int, bytes | memoryview], int] = os.write
