"""What to tell when SQLite or the file system refuses: what happened, and what its reader can do.

Damage is told as damage wherever it is met; everything else that storage may refuse means that the
journal has failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from theater.errors import IntegrityError, JournalFailed, TheaterError
from theater.journal.sqlite.directory import unusable

DAMAGED: Final = (apsw.CorruptError, apsw.NotADBError)
REFUSED: Final = (
    *(apsw.FullError, apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError),
    *(apsw.BusyError, apsw.LockedError, apsw.NoMemError, apsw.ProtocolError, apsw.NoLFSError),
)

_ADVICE: Final[tuple[tuple[type[apsw.Error], str], ...]] = (
    (apsw.FullError, "make room on its disk and start again; what was acknowledged is kept"),
    (apsw.ReadOnlyError, "give this user the right to write it, and its folder"),
    (apsw.PermissionsError, "give this user the right to write it, and its folder"),
    (apsw.CantOpenError, "see that it is a file that this user may write, in a folder that it may"),
    (apsw.BusyError, "another program has it open: end that"),
    (apsw.LockedError, "another program has it open: end that"),
    (
        apsw.IOError,
        "see to the disk, then start again; what was acknowledged is kept if the disk is",
    ),
)


def refusal(database: Path, error: BaseException) -> TheaterError:
    """Return what to tell of a database that can't be used because of `error`."""
    if isinstance(error, OSError):
        return unusable(database.parent, error)
    if isinstance(error, DAMAGED):
        return IntegrityError(
            f"the journal {database} is damaged ({error}): restore its folder from a backup; "
            "nothing in it was changed",
            code="data.damaged",
            path=str(database),
        )
    advice = next((told for kind, told in _ADVICE if isinstance(error, kind)), "see to the storage")
    return JournalFailed(f"the journal {database} can't be used: {error}: {advice}")


@contextmanager
def told(database: Path) -> Iterator[None]:
    """Raise what SQLite says of storage within the block as an error of ours."""
    try:
        yield
    except (*DAMAGED, *REFUSED) as error:
        raise refusal(database, error) from error
