"""How many commits a database has seen, written beside it: so that one that has lost some is found out.

A write-ahead log that somebody deletes after a crash takes acknowledged commits with it, and leaves a
database that is whole, and old; so does an old copy of it that is put in its place. The number stands in
the database, in each commit, and after it in a file that is mapped into memory, which costs no
system call. The file never tells of a commit that is not on disk. It may be behind after a loss of
power, and then tells of less.
"""

from __future__ import annotations

import logging
import mmap
import os
from pathlib import Path
from typing import Final

import apsw

from theater.errors import Conflict

log = logging.getLogger(__name__)

FILE: Final = "journal.mark"
MARK_BYTES: Final = 8


class CommitMark:
    """The number of the last commit, in a database and beside it."""

    def __init__(self, connection: apsw.Connection, memory: bytearray | mmap.mmap) -> None:
        self._connection = connection
        self._memory = memory
        row = connection.execute("SELECT number FROM commits").fetchone()
        self._number = 0 if row is None else int(row[0])

    @classmethod
    def open(cls, data_dir: Path, connection: apsw.Connection) -> CommitMark:
        """Conflict for a database that has seen less than what was once on disk."""
        file = data_dir / FILE
        try:
            handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                # There before it is mapped: writing to what is not would kill the process.
                os.posix_fallocate(handle, 0, MARK_BYTES)
                mark = cls(connection, mmap.mmap(handle, MARK_BYTES))
            finally:
                os.close(handle)
        except OSError as error:
            log.warning(
                "%s can't be used (%s): commits that are lost are not found out",
                file,
                error.strerror,
            )
            return cls(connection, bytearray(MARK_BYTES))
        kept = int.from_bytes(mark._memory[:], "little")
        if kept > mark._number:
            raise Conflict(
                f"the journal in {data_dir} has lost the last {kept - mark._number} of its {kept} "
                "commits, which were acknowledged: its -wal file was deleted, or an old copy put in "
                "its place. Put back what was there; or, to go on with what is left and without what "
                f"is lost, delete {file}",
                code="data.rolled_back",
                path=str(data_dir),
            )
        mark.committed()
        return mark

    def count(self) -> None:
        """Number the commit that is being made."""
        self._number += 1
        self._connection.execute("INSERT OR REPLACE INTO commits VALUES (1, ?)", (self._number,))

    def committed(self) -> None:
        """The commit is on disk."""
        self._memory[:] = self._number.to_bytes(MARK_BYTES, "little")
