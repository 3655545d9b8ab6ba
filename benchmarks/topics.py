"""Every benchmark there is: the register, after importing the modules that fill it."""

from __future__ import annotations

from benchmarks import (
    command_line,
    crowds,
    engine,
    journal,
    lives,
    messages,
    over_http,
    proofs,
    retention,
    spawn,
    storage,
)
from benchmarks.measure import BENCHMARKS

__all__ = ["BENCHMARKS", "TOPICS"]

TOPICS = (
    command_line,
    crowds,
    engine,
    journal,
    lives,
    messages,
    over_http,
    proofs,
    retention,
    spawn,
    storage,
)
"""The modules; importing them registers their benchmarks."""
