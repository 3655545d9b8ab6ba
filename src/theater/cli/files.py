"""Files and standard input as commands read them: never more than a bound, whatever they are.

A size that a file claims says nothing: devices and pipes have none, and go on for ever.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import BinaryIO

from theater.errors import NotFound, TooLarge, UsageError


def read_file(path: Path, bound: int, what: str) -> bytes:
    """Return a file's bytes. TooLarge above `bound`, NotFound, or UsageError if it can't be read.

    `what` says what the file is for; its last word is the code of what is not found.
    """
    try:
        with path.open("rb") as file:
            return read_stream(file, bound, what, str(path))
    except FileNotFoundError:
        hint = "; `theater build` makes it" if what == "component" else ""
        raise NotFound(
            f"there is no {what} {path}{hint}", code=f"{what.split()[-1]}.not_found"
        ) from None
    except IsADirectoryError:
        raise UsageError(
            f"{path} is a folder; give the {what}'s file", code="file.unreadable"
        ) from None
    except OSError as error:
        known = {
            errno.EACCES: "this user may not read it",
            errno.ENAMETOOLONG: "its name is too long",
        }
        why = known.get(error.errno or 0, error.strerror)
        raise UsageError(f"{path} can't be read: {why}", code="file.unreadable") from None
    except ValueError:
        raise UsageError(f"{str(path)!r} is not a path", code="file.unreadable") from None


def read_stream(stream: BinaryIO, bound: int, what: str, name: str) -> bytes:
    """Return all that a stream has. TooLarge above `bound`, after which nothing more is read."""
    data = stream.read(bound + 1)
    if len(data) > bound:
        raise TooLarge(
            f"{name} is longer than a {what} may be, {bound} bytes",
            code=f"{what.split()[-1]}.too_large",
        )
    return data
