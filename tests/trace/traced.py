"""`theater server` as it is, or with its care taken out, to see that the checker notices.

`careless`: the journal does not sync. `hasty`: an answer does not wait for the journal. `eager`: an
effect does not wait for its intent.
"""

from __future__ import annotations

import sys
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import apsw

import theater.journal.sqlite.journal as journal
from theater.cli.program import theater as command
from theater.journal.port import Journal
from theater.runtime import futures
from theater.runtime.execution import Execution

T = TypeVar("T")


def _careless() -> None:
    connect = journal.connect_writer

    def connect_without_syncs(path: Path, vfs: str | None) -> apsw.Connection:
        connection = connect(path, vfs)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    journal.connect_writer = connect_without_syncs


def _hasty() -> None:
    def complete(_journal: Journal, future: Future[T], value: T, _number: int) -> None:
        future.set_result(value)

    futures.complete = complete


def _eager() -> None:
    Execution.reach_disk = lambda _execution, _number: None


WAYS = {"careful": lambda: None, "careless": _careless, "hasty": _hasty, "eager": _eager}

if __name__ == "__main__":
    WAYS[sys.argv[1]]()
    command.main(args=["server", "--port", "0", "--data-dir", sys.argv[2]], prog_name="theater")
