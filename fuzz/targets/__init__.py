"""The targets, by name. Each module has `one(data: bytes) -> None`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

TARGETS = (
    "manifest",
    "cbor",
    "value",
    "shapes",
    "chain_file",
    "verifier",
    "component",
    "configuration",
    "answer",
    "stored",
    "request",
    "connection",
)


def target(name: str) -> Callable[[bytes], None]:
    """Return what feeds an input to a reader; raises whatever must not escape it."""
    found: Callable[[bytes], None] = import_module(f"fuzz.targets.{name}").one
    return found
