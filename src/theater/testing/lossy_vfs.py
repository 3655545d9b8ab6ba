"""A file layer for SQLite that loses what was not synced, for tests of what survives a crash.

What is written stays in memory until the file is synced; cutting the power drops it, or lets an
arbitrary part of it through, as disks do. Names of files are taken to survive as soon as they are
made: SQLite syncs the directory itself.
"""

from __future__ import annotations

import errno
import random
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Protocol

import apsw

SECTOR_BYTES = 512
_names = count()


class Volatile(Protocol):
    """Something that holds what a loss of power takes."""

    def lose(self, chance: random.Random | None) -> None:
        """Drop what is not synced, except what `chance` lets through."""
        ...


class Power:
    """A supply that several file layers hang on. With `cut_after` it goes after so many operations."""

    def __init__(
        self, *, cut_after: int | None = None, chance: random.Random | None = None
    ) -> None:
        self.lock = threading.RLock()
        self.operations = 0
        self.on = True
        self.fault: Callable[[str, Path], None] | None = None
        self._cut_after = cut_after
        self._chance = chance
        self._layers: list[Volatile] = []

    def feed(self, layer: Volatile) -> None:
        self._layers.append(layer)

    def cut(self) -> None:
        """Lose what is not synced; every operation from now on fails."""
        with self.lock:
            if self.on:
                self.on = False
                for layer in self._layers:
                    layer.lose(self._chance)

    def use(self, operation: str, path: Path) -> None:
        """Count an operation; raises OSError without power, or what `fault` raises."""
        self.operations += 1
        if self._cut_after is not None and self.operations > self._cut_after:
            self.cut()
        if not self.on:
            raise OSError(errno.EIO, "the power is off", str(path))
        if self.fault is not None:
            self.fault(operation, path)


class _Disk:
    """What a file holds now, and the writes that are not synced."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = bytearray(path.read_bytes() if path.exists() else b"")
        self.unsynced: list[tuple[int, bytes | None]] = []

    def write(self, offset: int, data: bytes) -> None:
        if len(self.now) < offset:
            self.now.extend(bytes(offset - len(self.now)))
        self.now[offset : offset + len(data)] = data
        self.unsynced.append((offset, data))

    def truncate(self, size: int) -> None:
        del self.now[size:]
        self.unsynced.append((size, None))

    def let_through(self, chance: random.Random | None) -> None:
        """Put unsynced writes on the real disk: all, or the sectors that `chance` picks."""
        with self.path.open("r+b") as file:
            for offset, data in self.unsynced:
                if data is None:
                    if chance is None or chance.random() < 0.5:
                        file.truncate(offset)
                    continue
                for at in range(0, len(data), SECTOR_BYTES):
                    if chance is None or chance.random() < 0.5:
                        file.seek(offset + at)
                        file.write(data[at : at + SECTOR_BYTES])
        self.unsynced.clear()


class LossyVfs(apsw.VFS):
    """Registered under `name` until `unregister`; give the name to what opens the database."""

    def __init__(self, power: Power) -> None:
        self.name = f"lossy-{next(_names)}"
        self.power = power
        self._disks: dict[str, _Disk] = {}
        super().__init__(self.name, "")
        power.feed(self)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        with self.power.lock:
            self.power.use("open", Path(path or ""))
            file = _LossyFile(name, flags, self.power)
            if path is not None:
                if path not in self._disks:
                    self._disks[path] = _Disk(Path(path))
                file.disk = self._disks[path]
            return file

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        with self.power.lock:
            if not self.power.on:
                return
            self.power.use("delete", Path(filename))
            self._disks.pop(filename, None)
            super().xDelete(filename, syncdir)

    def lose(self, chance: random.Random | None) -> None:
        for disk in self._disks.values():
            if chance is not None:
                disk.let_through(chance)
        self._disks.clear()


class _LossyFile(apsw.VFSFile):
    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int], power: Power) -> None:
        super().__init__("", name, flags)
        self.power = power
        self.disk: _Disk | None = None

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        if self.disk is None:
            return super().xRead(amount, offset)
        with self.power.lock:
            if not self.power.on:
                raise apsw.IOError("the power is off")
            return bytes(self.disk.now[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        if self.disk is None:
            super().xWrite(data, offset)
            return
        with self.power.lock:
            self._use("write", self.disk)
            self.disk.write(offset, bytes(data))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        if self.disk is None:
            super().xTruncate(newsize)
            return
        with self.power.lock:
            self._use("truncate", self.disk)
            self.disk.truncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        if self.disk is None:
            super().xSync(flags)
            return
        with self.power.lock:
            self._use("sync", self.disk)
            self.disk.let_through(None)

    def xFileSize(self) -> int:  # noqa: N802
        if self.disk is None:
            return super().xFileSize()
        with self.power.lock:
            return len(self.disk.now)

    def _use(self, operation: str, disk: _Disk) -> None:
        try:
            self.power.use(operation, disk.path)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise apsw.FullError(str(error)) from error
            raise apsw.IOError(str(error)) from error
