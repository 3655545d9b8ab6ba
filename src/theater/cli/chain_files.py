"""Chain files as commands take them: which argument is one, and what is read from it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from theater.chain import files
from theater.chain.event import Event
from theater.errors import NotFound, UsageError


def file_of(target: str) -> Path | None:
    """The file that an argument names, where an actor would be possible too.

    Only a path or a name that ends like a chain file's: a file beside us that is called like an
    actor is not what was meant.
    """
    must_exist(target)
    path = Path(target)
    spelled = os.sep in target or target.endswith(files.SUFFIXES)
    return path if spelled and path.is_file() else None


def must_exist(target: str) -> None:
    """Refuse what can only be meant as a file, and is none: an actor's name has no slash."""
    if os.sep in target and not Path(target).exists():
        raise NotFound(f"there is no file {target}", code="file.not_found")


def chains_below(folder: Path) -> list[Path]:
    """Every file below a folder that has the name of a chain file, in order."""
    return sorted(
        path for path in folder.rglob("*") if path.name.endswith(files.SUFFIXES) and path.is_file()
    )


@contextmanager
def reading(path: Path) -> Iterator[Iterator[Event]]:
    """Open a chain file of any form; UsageError if it can't be read."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from None
    with file:
        yield files.read(_Readable(path, file))


class _Readable:
    """A file whose errors are told apart from those of what is done with its events."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file

    def read(self, size: int, /) -> bytes:
        try:
            return self._file.read(size)
        except OSError as error:
            raise _unreadable(self._path, error) from None


def _unreadable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path} can't be read: {error.strerror or error}", code="file.unreadable")
