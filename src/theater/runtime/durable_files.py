"""Small files that are whole or not there, also after a loss of power."""

from __future__ import annotations

import os
from pathlib import Path

from theater.journal.sqlite.directory import sync_directory

DRAFT: str = ".part"
"""What the name of a file ends in while it is written."""


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under another name, sync it, and give it its name; on disk when this returns."""
    draft = path.with_name(path.name + DRAFT)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    sync_directory(path.parent)
