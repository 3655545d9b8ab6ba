"""A database that has lost commits which were on disk is found out when it is opened."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from theater.errors import Conflict
from theater.journal.records import OpenKey
from theater.journal.sqlite import SqliteJournal
from theater.journal.sqlite.mark import FILE

COMMITS = 5
ROOT = Path(__file__).parents[2]
WAIT_S = 60

KILLED = """
import os, sys
from pathlib import Path
from theater.journal.records import OpenKey
from theater.journal.sqlite import SqliteJournal
journal = SqliteJournal.open(Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    journal.wait(journal.append((OpenKey(str(number), "m", 1),)))
os._exit(7)
"""


def killed(directory: Path, commits: int = COMMITS) -> None:
    """Have a process commit, and end without closing anything."""
    words = [sys.executable, "-c", KILLED, str(directory), str(commits)]
    assert subprocess.run(words, cwd=ROOT, timeout=WAIT_S, check=False).returncode == 7


def keys(directory: Path) -> int:
    journal = SqliteJournal.open(directory)
    try:
        return sum(journal.key(str(number)) is not None for number in range(COMMITS))
    finally:
        journal.close()


def test_a_killed_process_leaves_a_journal_that_opens_again(tmp_path: Path) -> None:
    for _ in range(2):
        killed(tmp_path)
        assert keys(tmp_path) == COMMITS


def test_a_log_of_writes_that_was_deleted_after_a_crash_is_noticed(tmp_path: Path) -> None:
    assert keys(tmp_path) == 0
    killed(tmp_path)
    (tmp_path / "journal.db-wal").unlink()
    for _ in range(2):
        with pytest.raises(Conflict) as refused:
            SqliteJournal.open(tmp_path)
        assert refused.value.code == "data.rolled_back"
        assert f"the last {COMMITS} of its {COMMITS}" in refused.value.message
    (tmp_path / FILE).unlink()
    assert keys(tmp_path) == 0


def test_an_old_copy_in_the_place_of_the_database_is_noticed(tmp_path: Path) -> None:
    assert keys(tmp_path) == 0
    old = shutil.copyfile(tmp_path / "journal.db", tmp_path / "old")
    killed(tmp_path)
    assert keys(tmp_path) == COMMITS
    os.replace(old, tmp_path / "journal.db")
    with pytest.raises(Conflict) as refused:
        SqliteJournal.open(tmp_path)
    assert refused.value.code == "data.rolled_back"


def test_a_copy_of_the_whole_folder_opens_and_one_without_the_mark_does_too(
    tmp_path: Path,
) -> None:
    killed(tmp_path / "first")
    for name, without in (("second", ()), ("third", (FILE,))):
        shutil.copytree(
            tmp_path / "first", tmp_path / name, ignore=shutil.ignore_patterns(*without)
        )
        assert keys(tmp_path / name) == COMMITS


def test_a_mark_that_is_behind_is_brought_up_to_the_database(tmp_path: Path) -> None:
    killed(tmp_path)
    (tmp_path / FILE).write_bytes(bytes(8))  # as after a loss of power
    assert keys(tmp_path) == COMMITS
    killed(tmp_path, 1)
    (tmp_path / "journal.db-wal").unlink()
    with pytest.raises(Conflict):
        SqliteJournal.open(tmp_path)


def test_a_mark_that_can_not_be_kept_is_gone_without(tmp_path: Path) -> None:
    tmp_path.joinpath(FILE).mkdir()
    journal = SqliteJournal.open(tmp_path)
    journal.wait(journal.append((OpenKey("0", "m", 1),)))
    journal.close()
    assert keys(tmp_path) == 1
