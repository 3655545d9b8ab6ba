"""A layer for content files that loses what was not synced: bytes and names, each on its own."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

from theater.testing.lossy_vfs import Power


class LossyFiles:
    """Files whose bytes survive after `sync` and whose names do after `sync_directory`."""

    def __init__(self, power: Power) -> None:
        self._power = power
        self._files: dict[Path, tuple[bytes, bool]] = {}
        self._folders: set[Path] = set()
        self._gone: set[Path] = set()
        power.feed(self)

    def make_directory(self, path: Path) -> None:
        with self._power.lock:
            self._power.use("make_directory", path)
            if not path.exists():
                self._folders.add(path)

    def write(self, path: Path, data: bytes) -> None:
        with self._power.lock:
            self._power.use("write", path)
            self._gone.discard(path)
            self._files[path] = (data, False)

    def sync(self, path: Path) -> None:
        with self._power.lock:
            self._power.use("sync", path)
            if path in self._files:
                self._files[path] = (self._files[path][0], True)

    def rename(self, old: Path, new: Path) -> None:
        with self._power.lock:
            self._power.use("rename", old)
            if old in self._files:
                self._files[new] = self._files.pop(old)
            else:
                self._files[new] = (old.read_bytes(), True)
            self._gone.add(old)
            self._gone.discard(new)

    def sync_directory(self, path: Path) -> None:
        with self._power.lock:
            self._power.use("sync_directory", path)
            for folder in sorted(self._folders):
                if folder.parent == path:
                    folder.mkdir()
                    self._folders.discard(folder)
            for file in [file for file in self._files if file.parent == path]:
                self._put(file)
            for file in [file for file in self._gone if file.parent == path]:
                file.unlink(missing_ok=True)
                self._gone.discard(file)

    def read(self, path: Path) -> bytes:
        with self._power.lock:
            if not self._power.on:
                raise OSError("the power is off")
            if path in self._gone:
                raise FileNotFoundError(path)
            if path in self._files:
                return self._files[path][0]
            return path.read_bytes()

    def size(self, path: Path) -> int | None:
        try:
            return len(self.read(path))
        except FileNotFoundError:
            return None

    def names(self, path: Path) -> Iterable[str]:
        with self._power.lock:
            self._power.use("names", path)
            real = set(path.iterdir()) if path.exists() else set()
            unsynced = {file for file in self._files if file.parent == path}
            return sorted(file.name for file in (real | unsynced) - self._gone)

    def remove(self, path: Path) -> None:
        with self._power.lock:
            self._power.use("remove", path)
            self._files.pop(path, None)
            self._gone.add(path)

    def lose(self, chance: random.Random | None) -> None:
        if chance is not None:
            for folder in sorted(self._folders):
                if folder.parent.exists() and chance.random() < 0.5:
                    folder.mkdir()
            for file in list(self._files):
                if file.parent.exists() and chance.random() < 0.5:
                    self._put(file)
        self._files.clear()
        self._folders.clear()
        self._gone.clear()

    def _put(self, file: Path) -> None:
        """Make a name real; its bytes too if they are synced, else as much as a disk may have kept."""
        data, synced = self._files[file]
        file.write_bytes(data if synced else data[: len(data) // 2])
        if synced:
            del self._files[file]
