"""The data directory: one node's at a time, of a format that this version knows."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import Final

from theater.errors import Conflict, Denied, Unavailable

FORMAT: Final = 1
FORMAT_LINE: Final = "theater data format "
DATABASE: Final = "journal.db"
CONTENT: Final = "content"


class DataDirectory:
    """A data directory that this process holds until `release`."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.database = path / DATABASE
        self.content = path / CONTENT
        self._lock = lock

    @classmethod
    def hold(cls, path: Path) -> DataDirectory:
        """Make the directory if need be, lock it, and check its format.

        Raises Unavailable if another process holds it, Conflict for a format that is newer or none
        of ours, Denied where permissions forbid its use.
        """
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = _locked(path / "lock")
            try:
                _check_format(path)
                (path / CONTENT).mkdir(mode=0o700, exist_ok=True)
                sync_directory(path)
            except BaseException:
                os.close(lock)
                raise
        except OSError as error:
            if error.errno not in {errno.EACCES, errno.EPERM, errno.EROFS}:
                raise
            raise Denied(
                f"the data directory {path} can't be written ({error.strerror}): "
                "give this user access to it or choose another",
                code="data.permission",
                path=str(path),
            ) from error
        return cls(path, lock)

    def release(self) -> None:
        """Let another process have it."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def sync_directory(path: Path) -> None:
    """Make what was created or renamed in a directory survive a loss of power."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _locked(path: Path) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise Unavailable(
            f"the data directory {path.parent} is in use by process {holder}: "
            "stop that node or choose another directory",
            code="data.locked",
            path=str(path.parent),
            holder=holder,
        ) from error
    except BaseException:
        os.close(lock)
        raise
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _check_format(path: Path) -> None:
    file = path / "format"
    try:
        text = file.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        if (path / DATABASE).exists():
            raise Conflict(
                f"{path} has a journal but no format file: it is not a complete data directory",
                code="data.format",
                path=str(path),
            ) from None
        path.chmod(0o700)
        _write_format(file)
        return
    number = text.removeprefix(FORMAT_LINE).strip()
    if not text.startswith(FORMAT_LINE) or not number.isdecimal():
        raise Conflict(
            f"{file} is not a format file of Theater's: choose another data directory",
            code="data.format",
            path=str(path),
        )
    if int(number) > FORMAT:
        raise Conflict(
            f"the data directory {path} has format {number}, this version knows up to {FORMAT}: "
            "use the newer version that wrote it",
            code="data.format",
            path=str(path),
            format=int(number),
        )


def _write_format(file: Path) -> None:
    draft = file.with_suffix(".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, f"{FORMAT_LINE}{FORMAT}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    draft.rename(file)
