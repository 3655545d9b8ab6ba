"""`config.toml`: a UsageError, or a configuration."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

from theater.cli.configuration import load
from theater.errors import UsageError


@cache
def _home() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="theater-fuzz-"))
    (folder / "theater").mkdir()
    return folder


def one(data: bytes) -> None:
    home = _home()
    (home / "theater" / "config.toml").write_bytes(data)
    before = os.environ.get("XDG_CONFIG_HOME")
    os.environ["XDG_CONFIG_HOME"] = str(home)
    try:
        known = load({})
        known.data_directory()
    except UsageError:
        return
    finally:
        if before is None:
            del os.environ["XDG_CONFIG_HOME"]
        else:
            os.environ["XDG_CONFIG_HOME"] = before
