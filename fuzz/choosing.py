"""Which inputs are worth keeping: the smallest that together reach every line and jump that all reach.

Coverage is counted by Python's own tracing and not by atheris, so that the choice and the numbers are
the same wherever they are made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

import theater
from fuzz.targets import target

SOURCES = str(Path(theater.__file__).parent)
KEPT_BYTES = 4096
Arc = tuple[str, int, int]


def arcs(one: Callable[[bytes], None], data: bytes) -> frozenset[Arc]:
    """The jumps between lines of Theater that an input makes, in this thread."""
    seen: set[Arc] = set()
    last: dict[int, int] = {}

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(SOURCES):
            return None
        if event == "line":
            line = frame.f_lineno
            seen.add((name, last.get(id(frame), 0), line))
            last[id(frame)] = line
        elif event == "return":
            last.pop(id(frame), None)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        one(data)
    finally:
        sys.settrace(before)
    return frozenset(seen)


def chosen(name: str, inputs: Iterable[bytes]) -> tuple[list[bytes], int]:
    """The inputs to keep, and how many jumps they reach."""
    one = target(name)
    reached: set[Arc] = set()
    kept = []
    for data in sorted(set(inputs), key=lambda each: (len(each), each)):
        if len(data) > KEPT_BYTES:
            continue
        found = arcs(one, data)
        if not found <= reached:
            reached |= found
            kept.append(data)
    # What a small input reached a later one may reach too, with more.
    needed: set[Arc] = set()
    final = []
    for data in reversed(kept):
        found = arcs(one, data)
        if not found <= needed:
            needed |= found
            final.append(data)
    return final, len(reached)
