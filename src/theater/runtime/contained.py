"""Files that an actor may name: those below one folder, and no way out of it.

A name is followed one part at a time, from the folder's own handle and never through a symbolic
link, so that nothing that is changed meanwhile leads elsewhere. A link within the folder that stays
in it is resolved before.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from theater.errors import Denied, NotFound, TooLarge, UsageError
from theater.limits import PATH_CHARS_MAX

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_below(folder: Path, name: str, bytes_max: int, beside: str) -> tuple[Path, bytes]:
    """Return where a file really is and its bytes; `beside` says for people which folder it is.

    UsageError or Denied for a name that leads out of the folder, NotFound for no file, TooLarge.
    """
    root = Path(os.path.realpath(folder))
    try:
        found = Path(os.path.realpath(root / _plain(name, beside)))
        parts = found.relative_to(root).parts
    except ValueError:
        raise _leads_out(name, beside) from None
    if not parts:
        raise _no_file(name, beside, "it is a folder")
    try:
        handle = _open(root, parts)
    except OSError as error:
        raise _no_file(name, beside, error.strerror or "it can't be opened") from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _no_file(name, beside, "it is not a file")
        with os.fdopen(handle, "rb", closefd=False) as opened:
            data = opened.read(bytes_max + 1)
    except OSError as error:
        raise _no_file(name, beside, error.strerror or "it can't be read") from None
    finally:
        os.close(handle)
    if len(data) > bytes_max:
        raise TooLarge(
            f"the file {name[:80]!r} has more than {bytes_max} bytes", code="file.too_large"
        )
    return found, data


def _plain(name: str, beside: str) -> str:
    if not 1 <= len(name) <= PATH_CHARS_MAX or "\0" in name:
        raise UsageError(f"a path has 1 to {PATH_CHARS_MAX} characters", code="path.invalid")
    if name.startswith("/") or ".." in name.split("/"):
        raise _leads_out(name, beside)
    return name


def _open(root: Path, parts: tuple[str, ...]) -> int:
    folder = os.open(root, _FOLDER)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(parts[-1], _FILE, dir_fd=folder)
    finally:
        os.close(folder)


def _leads_out(name: str, beside: str) -> Denied:
    return Denied(
        f"the path {name[:80]!r} leads out of the folder of {beside}; name what lies in it, relative "
        "to it and without ..",
        code="permission.denied",
    )


def _no_file(name: str, beside: str, why: str) -> NotFound:
    return NotFound(
        f"there is no file {name[:80]!r} in the folder of {beside} ({why}); name what lies in it, "
        "relative to it",
        code="file.not_found",
    )
