"""The write-ahead log stays within its bound, however much is written and whoever reads meanwhile."""

from __future__ import annotations

from pathlib import Path

from tests.journal.making import actor_row
from theater.chain.content import plain_digest
from theater.chain.event import make_event
from theater.chain.tip import Tip
from theater.journal.records import Append, CreateActor, Keep
from theater.journal.sqlite import SqliteJournal
from theater.journal.sqlite.schema import CHECKPOINT_PAGES
from theater.limits import CONTENT_ROW_BYTES_MAX, KIB, MIB

PAGE_BYTES = 4 * KIB
FRAME_BYTES = PAGE_BYTES + 24
CONTENTS = 900
TOGETHER = 16
WAIT_S = 60


def test_it_is_bounded_while_somebody_reads_a_chain_at_his_own_pace(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path / "data", group_records_max=TOGETHER)
    try:
        row = actor_row(0)
        journal.append((CreateActor(row),))
        tip = row.tip
        for _ in range(2_000):
            event = make_event(
                tip.seq + 1, tip.at + 1, tip.hash, "theater:simple/runtime/log", b"x"
            )
            tip = Tip(event.seq, event.at, event.hash)
            journal.append((Append(row.id, event, tip),))
        journal.wait(journal.appended(), WAIT_S)
        reading = journal.events(row.id, 0)
        assert next(reading).seq == tip.seq - 1_999
        sizes = []
        (log,) = (tmp_path / "data").glob("*-wal")
        for number in range(CONTENTS):
            data = number.to_bytes(4, "big") * (CONTENT_ROW_BYTES_MAX // 4)
            journal.append((Keep(plain_digest(data), None, data),))
            if number % TOGETHER == 0:
                journal.wait(journal.appended(), WAIT_S)
                sizes.append(log.stat().st_size)
        written = CONTENTS * CONTENT_ROW_BYTES_MAX
        # A commit is never cut, so the last one before a checkpoint comes on top.
        bound = CHECKPOINT_PAGES * FRAME_BYTES + 2 * TOGETHER * (CONTENT_ROW_BYTES_MAX + MIB // 16)
        assert written > 2 * bound, "enough is written to go beyond it"
        assert max(sizes) <= bound
        assert sum(1 for _ in reading) == 1_999, "and who reads is not disturbed"
    finally:
        journal.close()
