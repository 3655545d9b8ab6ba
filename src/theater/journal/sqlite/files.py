"""Large content, one file each, whole and synced before anything names it.

A file is written under a name of its own in `new/`, synced, renamed to its digest, and the folder
synced. So under its digest there is the whole content or nothing, also after a loss of power. Files
are never changed; what a crash leaves in `new/` is swept at the next start.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

from theater.journal.sqlite.directory import sync_directory

DRAFTS: Final = "new"


class FileLayer(Protocol):
    """What content files need of a file system; a test can give one that loses what is not synced."""

    def make_directory(self, path: Path) -> None:
        """Make a directory unless it is there."""
        ...

    def write(self, path: Path, data: bytes) -> None:
        """Write a file, not synced."""
        ...

    def sync(self, path: Path) -> None:
        """Make a file's bytes survive a loss of power; its name does after `sync_directory`."""
        ...

    def rename(self, old: Path, new: Path) -> None: ...

    def sync_directory(self, path: Path) -> None:
        """Make the names in a directory survive a loss of power."""
        ...

    def read(self, path: Path) -> bytes:
        """The bytes of a file; FileNotFoundError if there is none."""
        ...

    def size(self, path: Path) -> int | None:
        """How long a file is; None if there is none."""
        ...

    def names(self, path: Path) -> Iterable[str]: ...

    def remove(self, path: Path) -> None: ...


class SystemFiles:
    """The machine's own files."""

    def make_directory(self, path: Path) -> None:
        path.mkdir(mode=0o700, exist_ok=True)

    def write(self, path: Path, data: bytes) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb", buffering=0) as file:
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]

    def sync(self, path: Path) -> None:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fdatasync(handle)
        finally:
            os.close(handle)

    def rename(self, old: Path, new: Path) -> None:
        old.rename(new)

    def sync_directory(self, path: Path) -> None:
        sync_directory(path)

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def size(self, path: Path) -> int | None:
        try:
            status = path.stat()
        except OSError:
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def names(self, path: Path) -> Iterable[str]:
        return os.listdir(path)

    def remove(self, path: Path) -> None:
        path.unlink()


class ContentFiles:
    """Content by digest, in one folder. One thread writes, any may read."""

    def __init__(self, root: Path, layer: FileLayer) -> None:
        self._root = root
        self._layer = layer
        self._drafts = root / DRAFTS
        self._made: set[Path] = set()
        self._make(self._drafts)
        for name in layer.names(self._drafts):
            layer.remove(self._drafts / name)

    def write(self, digest: bytes, data: bytes) -> None:
        """Keep content; on disk when this returns."""
        path = self._path(digest)
        draft = self._drafts / path.name
        self._make(path.parent)
        self._layer.write(draft, data)
        self._layer.sync(draft)
        self._layer.rename(draft, path)
        self._layer.sync_directory(path.parent)

    def read(self, digest: bytes) -> bytes | None:
        """The bytes of a file as they are, None if there is none."""
        try:
            return self._layer.read(self._path(digest))
        except FileNotFoundError:
            return None

    def size(self, digest: bytes) -> int | None:
        """How long the file of that content is, None if there is none."""
        return self._layer.size(self._path(digest))

    def _path(self, digest: bytes) -> Path:
        name = digest.hex()
        return self._root / name[:2] / name

    def _make(self, path: Path) -> None:
        """Make a folder whose name survives; one that a crash left is synced as well."""
        if path not in self._made:
            self._layer.make_directory(path)
            self._layer.sync_directory(self._root)
            self._made.add(path)
