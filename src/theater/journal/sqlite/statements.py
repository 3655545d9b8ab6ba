"""Many rows in one statement.

Each statement gives up the interpreter's lock and has to win it back from the threads that make
events, which can take a switch interval each time. So a group is written with as few statements as
can be: the rows of a table together, in pieces of a few fixed sizes whose statements stay prepared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

import apsw

SIZES: Final = (256, 64, 16, 4, 1)


def insert(
    connection: apsw.Connection, head: str, rows: Sequence[Sequence[apsw.SQLiteValue]]
) -> None:
    """Run `head VALUES (?, …), …` for all rows, which are equally long."""
    if rows:
        width = len(rows[0])
        for begin, size in _pieces(len(rows)):
            values = [value for row in rows[begin : begin + size] for value in row]
            connection.execute(_values(head, width, size), values)


def with_list(
    connection: apsw.Connection,
    head: str,
    values: Sequence[apsw.SQLiteValue],
    before: Sequence[apsw.SQLiteValue] = (),
) -> None:
    """Run `head (?, …)` for all values; `before` are bound to what stands before the list."""
    for begin, size in _pieces(len(values)):
        connection.execute(_list(head, size), (*before, *values[begin : begin + size]))


def from_list(
    connection: apsw.Connection,
    head: str,
    rows: Sequence[Sequence[apsw.SQLiteValue]],
    tail: str,
) -> None:
    """Run `head (VALUES (?, …), …) tail` for all rows, which are equally long."""
    if rows:
        width = len(rows[0])
        for begin, size in _pieces(len(rows)):
            values = [value for row in rows[begin : begin + size] for value in row]
            connection.execute(_from(head, width, size, tail), values)


def _pieces(length: int) -> Iterable[tuple[int, int]]:
    begin = 0
    for size in SIZES:
        while length - begin >= size:
            yield begin, size
            begin += size


@cache
def _values(head: str, width: int, size: int) -> str:
    row = f"({','.join('?' * width)})"
    return f"{head} VALUES {','.join([row] * size)}"


@cache
def _from(head: str, width: int, size: int, tail: str) -> str:
    return f"{_values(f'{head} (', width, size)}) {tail}"


@cache
def _list(head: str, size: int) -> str:
    return f"{head} ({','.join('?' * size)})"
