"""The data directory: one node's at a time, of a format that this version knows."""

from __future__ import annotations

import errno
import fcntl
import os
import re
from pathlib import Path
from typing import Final

from theater.errors import (
    Conflict,
    Denied,
    JournalFailed,
    TheaterError,
    Unavailable,
    UsageError,
)

FORMAT: Final = 1
FORMAT_LINE: Final = "theater data format "
DATABASE: Final = "journal.db"
CONTENT: Final = "content"
_HEADER_BYTES: Final = 100
"""Of a database. SQLite takes a file that is shorter for one that is yet to be made."""

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,9}")
_FORBIDDEN: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


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
        of ours or a journal that is gone, Denied where permissions forbid its use, JournalFailed
        for whatever else keeps it from being used.
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
        except (OSError, ValueError) as error:
            raise unusable(path, error) from error
        return cls(path, lock)

    def release(self) -> None:
        """Let another process have it."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def unusable(path: Path, error: OSError | ValueError) -> TheaterError:
    """Return what to tell of a data directory that the system doesn't let us use."""
    if not isinstance(error, OSError):
        return UsageError(f"{str(path)!r} is not a path", code="data.path")
    number = error.errno or 0
    where = "" if error.filename in (None, str(path)) else f"; it is about {error.filename}"
    if number in _FORBIDDEN:
        return Denied(
            f"the data directory {path} can't be written ({error.strerror}{where}): "
            "give this user access to it or choose another",
            code="data.permission",
            path=str(path),
        )
    if number in _FULL:
        return JournalFailed(
            f"the data directory {path} can't be used ({error.strerror}): make room on its disk and "
            "start again; what was acknowledged is kept",
            code="data.full",
            path=str(path),
        )
    return JournalFailed(
        f"the data directory {path} can't be used ({error.strerror}{where}): choose another, or put "
        "right what stands in its way",
        code="data.unusable",
        path=str(path),
    )


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
        with file.open(encoding="ascii", errors="replace") as opened:
            text = opened.read(len(FORMAT_LINE) + 20)
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
    if not text.startswith(FORMAT_LINE) or not _NUMBER.fullmatch(number):
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
    _check_journal(path)


def _check_journal(path: Path) -> None:
    """Refuse a directory whose journal is gone: starting anew there would seem as if nothing was."""
    database = path / DATABASE
    if database.exists() and (database.is_dir() or database.stat().st_size >= _HEADER_BYTES):
        return
    log = path / f"{DATABASE}-wal"
    left = log.exists() and log.stat().st_size > 0
    content = path / CONTENT
    kept = content.is_dir() and any(len(entry.name) == 2 for entry in content.iterdir())
    if left or kept:
        raise Conflict(
            f"the journal {database} is gone, but what belongs to it is there: restore the folder "
            "from a backup, or choose another",
            code="data.journal_gone",
            path=str(path),
        )


def _write_format(file: Path) -> None:
    draft = file.with_suffix(".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    # Not os.write: on a disk that is nearly full it writes a part and says so in a number only.
    with os.fdopen(handle, "wb", buffering=0) as opened:
        left = memoryview(f"{FORMAT_LINE}{FORMAT}\n".encode())
        while left:
            left = left[opened.write(left) :]
        os.fsync(handle)
    draft.rename(file)
