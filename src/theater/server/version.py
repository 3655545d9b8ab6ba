"""The version of this installation."""

from __future__ import annotations

from functools import cache
from importlib import metadata


@cache
def version() -> str:
    """Return the installed version, `0+source` where the package runs without being installed."""
    try:
        return metadata.version("theater-wasm")
    except metadata.PackageNotFoundError:
        return "0+source"
