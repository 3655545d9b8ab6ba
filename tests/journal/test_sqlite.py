"""What only the journal on disk can do wrong: its directory, its bytes, its disk."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from tests.journal.making import (
    Maker,
    actor_row,
    folded,
    kept,
    message,
    picture,
    random_plan,
    records,
)
from theater.errors import Conflict, Denied, IntegrityError, JournalFailed, Unavailable
from theater.journal.port import UnhandledTotals
from theater.journal.records import Enqueue, Keep, Settle
from theater.journal.sqlite import SqliteJournal
from theater.limits import CONTENT_ROW_BYTES_MAX
from theater.testing.lossy_files import LossyFiles
from theater.testing.lossy_vfs import LossyVfs, Power

pytestmark = pytest.mark.slow

WAIT_S = 60
A = actor_row(0).id
ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def opened(path: Path) -> Iterator[SqliteJournal]:
    journal = SqliteJournal.open(path)
    try:
        yield journal
    finally:
        journal.close()


def settled(journal: SqliteJournal) -> None:
    journal.wait(journal.appended(), WAIT_S)


def test_a_new_data_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    data = tmp_path / "a" / "data"
    with opened(data):
        assert data.stat().st_mode & 0o777 == 0o700
        assert (data / "format").read_text() == "theater data format 1\n"


def test_an_empty_directory_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with opened(tmp_path):
        assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_a_directory_in_use_is_refused_with_who_holds_it(tmp_path: Path) -> None:
    with opened(tmp_path):
        with pytest.raises(Unavailable) as refusal:
            SqliteJournal.open(tmp_path)
        assert refusal.value.code == "data.locked"
        assert refusal.value.facts["holder"] == str(os.getpid())
    with opened(tmp_path):
        pass


@pytest.mark.parametrize("text", ["theater data format 2\n", "something else", ""])
def test_a_directory_of_another_format_is_refused_and_left_as_it_is(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "format").write_text(text)
    with pytest.raises(Conflict) as refusal:
        SqliteJournal.open(tmp_path)
    assert refusal.value.code == "data.format"
    assert (tmp_path / "format").read_text() == text
    assert not (tmp_path / "journal.db").exists()


def test_a_journal_without_its_format_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    (tmp_path / "format").unlink()
    with pytest.raises(Conflict):
        SqliteJournal.open(tmp_path)


def test_a_directory_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o500)
    user = os.geteuid()
    if user == 0:  # no permission stops root, so be somebody else for a moment
        os.seteuid(65534)
    try:
        with pytest.raises(Denied) as refusal:
            SqliteJournal.open(data)
    finally:
        os.seteuid(user)
    assert refusal.value.code == "data.permission"


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    (tmp_path / "journal.db").write_bytes(b"not a database, but long enough" * 200)
    with pytest.raises(IntegrityError) as refusal:
        SqliteJournal.open(tmp_path)
    assert refusal.value.code == "data.damaged"
    (tmp_path / "journal.db").unlink()
    with opened(tmp_path):
        pass


def test_every_change_of_a_run_is_found_and_placed(tmp_path: Path) -> None:
    maker = Maker()
    with opened(tmp_path) as journal:
        journal.append((maker.actor(0), *(maker.event(A, bytes(40)) for _ in range(5))))
    database = apsw.Connection(str(tmp_path / "journal.db"))
    ((packed,),) = database.execute("SELECT events FROM runs").fetchall()
    found = set()
    with opened(tmp_path) as journal:
        for at in range(0, len(packed), 3):
            changed = bytearray(packed)
            changed[at] ^= 1
            database.execute("UPDATE runs SET events = ?", (bytes(changed),))
            read = []
            with pytest.raises(IntegrityError) as failure:
                for event in journal.events(A):
                    read.append(event.seq)
            assert failure.value.facts["seq"] == len(read)
            found.add(len(read))
        for short in (packed[:-1], packed + b"\0", packed[:20], b""):
            database.execute("UPDATE runs SET events = ?", (short,))
            with pytest.raises(IntegrityError):
                list(journal.events(A))
    database.close()
    assert found == set(range(5))


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM runs WHERE id = (SELECT min(id) FROM runs)",
        "DELETE FROM runs WHERE id = (SELECT min(id) + 1 FROM runs)",
        "DELETE FROM runs WHERE id = (SELECT max(id) FROM runs)",
        "UPDATE tips SET hash = zeroblob(32)",
    ],
)
def test_a_chain_with_a_part_gone_is_found(tmp_path: Path, damage: str) -> None:
    maker = Maker()
    with opened(tmp_path) as journal:
        journal.append((maker.actor(0),))
        for _ in range(4):
            journal.append((maker.event(A),))
            settled(journal)
    database = apsw.Connection(str(tmp_path / "journal.db"))
    database.execute(damage)
    database.close()
    with opened(tmp_path) as journal, pytest.raises(IntegrityError):
        list(journal.events(A))


def test_a_directory_without_the_list_of_unhandled_messages_gets_one(tmp_path: Path) -> None:
    """As one that an earlier version wrote, which kept no times and no sums."""
    with opened(tmp_path) as journal:
        for number in range(4):
            journal.append((Enqueue(message(number)),))
        for number, fate in ((2, "dead"), (1, "aside"), (0, "dead")):
            journal.append((Settle(f"message-{number}", fate, "why", at_us=7),))  # type: ignore[arg-type]
    database = apsw.Connection(str(tmp_path / "journal.db"))
    for trigger in ("messages_gone", "messages_back"):
        database.execute(f"DROP TRIGGER {trigger}")
    for table in ("unhandled", "unhandled_totals"):
        database.execute(f"DROP TABLE {table}")
    database.execute("DROP INDEX messages_alive")
    database.close()
    for _ in range(2):
        with opened(tmp_path) as journal:
            found = journal.unhandled("dead")
            assert [each.message.id for each in found] == ["message-0", "message-2"]
            # When they became so is not known: their age counts from now on.
            assert [(each.at_us or 0) > 1_600_000_000_000_000 for each in found] == [True, True]
            assert journal.unhandled_totals("dead") == UnhandledTotals(2, 12, 0)
            assert journal.unhandled_totals("aside") == UnhandledTotals(1, 6, 0)
            assert [m.id for m in journal.living_messages()] == ["message-3"]


def test_large_content_is_a_file_and_small_content_is_a_row(tmp_path: Path) -> None:
    at_bound = Keep(b"a" * 32, None, bytes(CONTENT_ROW_BYTES_MAX))
    above = kept(1, 1, large=True)
    with opened(tmp_path) as journal:
        journal.append((at_bound, above))
    files = [file for file in (tmp_path / "content").rglob("*") if file.is_file()]
    assert [file.name for file in files] == [above.digest.hex()]
    assert files[0].read_bytes() == above.data


def test_a_content_file_that_was_changed_or_removed_is_found(tmp_path: Path) -> None:
    keep = kept(1, 1, large=True)
    with opened(tmp_path) as journal:
        journal.append((keep,))
        settled(journal)
        file = tmp_path / "content" / keep.digest.hex()[:2] / keep.digest.hex()
        file.write_bytes(b"other")
        with pytest.raises(IntegrityError):
            journal.content(keep.digest)
        file.unlink()
        with pytest.raises(IntegrityError):
            journal.content(keep.digest)


def test_drafts_that_a_crash_left_are_swept(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    draft = tmp_path / "content" / "new" / "half"
    draft.write_bytes(b"half")
    with opened(tmp_path):
        assert not draft.exists()


def test_a_full_disk_fails_the_journal_and_loses_nothing_that_was_durable(tmp_path: Path) -> None:
    power = Power()
    vfs = LossyVfs(power)
    journal = SqliteJournal.open(tmp_path, vfs=vfs.name, files=LossyFiles(power))
    made = records([("enqueue", n, 0, False) for n in range(10)])
    for record in made[:4]:
        journal.append(record)
    settled(journal)

    def full(operation: str, path: Path) -> None:
        if operation == "write":
            raise OSError(errno.ENOSPC, "no space left on device", str(path))

    power.fault = full
    number = journal.append(made[4])
    with pytest.raises(JournalFailed):
        journal.wait(number, WAIT_S)
    with pytest.raises(JournalFailed):
        journal.append(made[5])
    assert len(journal.messages()) == 4
    power.fault = None
    journal.close()
    vfs.unregister()
    with opened(tmp_path) as reopened:
        assert picture(reopened) == folded(made[:4])


def test_appending_goes_on_where_the_chain_ended_after_reopening(tmp_path: Path) -> None:
    maker = Maker()
    with opened(tmp_path) as journal:
        journal.append((maker.actor(0), maker.event(A)))
    with opened(tmp_path) as journal:
        journal.append((maker.event(A),))
        settled(journal)
        assert [event.seq for event in journal.events(A)] == [0, 1]
        with pytest.raises(JournalFailed):
            journal.wait(journal.append((maker.actor(0),)), WAIT_S)


def test_a_closed_journal_is_not_read(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path)
    journal.close()
    with pytest.raises(JournalFailed):
        journal.actors()


WRITER = """
import os, signal, sys
from pathlib import Path
from tests.journal.making import random_plan, records
from theater.journal.sqlite import SqliteJournal

point, number, group = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

def failpoint(at, passed):
    if at == point and passed == number:
        os.kill(os.getpid(), signal.SIGKILL)

journal = SqliteJournal.open(Path(sys.argv[1]), failpoint=failpoint, group_records_max=group)
made = records(random_plan(7, 60))
for count, record in enumerate(made, start=1):
    journal.append(record)
    journal.when_durable(count, lambda _, n=count: os.write(1, b"%d\\n" % n))
journal.wait(len(made))
"""


@pytest.mark.parametrize("group", [1, 4096])
@pytest.mark.parametrize("point", ["before", "queued", "written", "committed"])
def test_a_process_killed_at_any_point_leaves_a_prefix(
    tmp_path: Path, point: str, group: int
) -> None:
    made = records(random_plan(7, 60))
    child = subprocess.run(
        [sys.executable, "-c", WRITER, str(tmp_path), point, "17", str(group)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        capture_output=True,
        timeout=WAIT_S,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    reported = max([0, *map(int, child.stdout.split())])
    with opened(tmp_path) as journal:
        found = picture(journal)
    lengths = [n for n in range(reported, len(made) + 1) if found == folded(made[:n])]
    assert lengths
    if group == 1 and point in {"written", "committed"}:
        assert lengths[0] <= (16 if point == "written" else 17) <= lengths[-1]
