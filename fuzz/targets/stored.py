"""Runs of events as they lie on a disk: an IntegrityError, or the events that were packed."""

from __future__ import annotations

from fuzz.take import Take
from theater.errors import IntegrityError
from theater.journal.sqlite.runs import pack, unpack


def one(data: bytes) -> None:
    take = Take(data)
    first, count = take.byte(), take.byte()
    run = take.rest()
    try:
        events = list(unpack("an-actor", first, count, run))
    except IntegrityError:
        return
    if events:
        assert pack(events)[0][2][: len(run)] == run or len(pack(events)) > 1
