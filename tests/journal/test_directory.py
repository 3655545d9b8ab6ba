"""Data directories that can't be used: each is told as what it is, and is left as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from tests.journal.making import Maker, actor_row
from theater.chain.content import plain_digest
from theater.errors import (
    Conflict,
    Denied,
    IntegrityError,
    JournalFailed,
    TheaterError,
    UsageError,
)
from theater.journal.records import Keep
from theater.journal.sqlite import SqliteJournal
from theater.limits import CONTENT_ROW_BYTES_MAX

WAIT_S = 60
LARGE = bytes(CONTENT_ROW_BYTES_MAX + 1)
DIGEST = plain_digest(LARGE)


@contextmanager
def opened(path: Path) -> Iterator[SqliteJournal]:
    journal = SqliteJournal.open(path)
    try:
        yield journal
    finally:
        journal.close()


def refused(path: Path) -> TheaterError:
    with pytest.raises(TheaterError) as refusal:
        SqliteJournal.open(path)
    assert str(path) in refusal.value.message
    return refusal.value


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with an actor, a small and a large content."""
    path = tmp_path / "data"
    with opened(path) as journal:
        maker = Maker()
        journal.append((maker.actor(0),))
        for _ in range(100):
            journal.append((maker.event(actor_row(0).id, bytes(1000)),))
        journal.append((Keep(DIGEST, None, LARGE),))
        journal.wait(journal.appended(), WAIT_S)
    return path


def put_file(path: Path) -> None:
    path.write_bytes(b"")


def put_a_byte(path: Path) -> None:
    path.write_bytes(b"S")


@pytest.mark.parametrize("name", ["lock", "format", "content", "content/new"])
def test_what_stands_in_the_way_of_a_directory_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "data"
    there = path / name
    there.parent.mkdir(parents=True)
    if name.startswith("content"):
        put_file(there)
    else:
        there.mkdir()
    refusal = refused(path)
    assert isinstance(refusal, JournalFailed)
    assert refusal.code == "data.unusable"
    assert name.split("/")[-1] in refusal.message


def test_a_file_is_no_directory_and_has_none_in_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "data"):
        assert refused(path).code == "data.unusable"
    assert (tmp_path / "file").read_text() == "mine"


def test_a_path_that_is_none_is_a_usage_error() -> None:
    with pytest.raises(UsageError) as refusal:
        SqliteJournal.open(Path("a\0b"))
    assert refusal.value.code == "data.path"


@pytest.mark.parametrize("name", ["a b", "ünï → ☃", "line\nbreak", "'quoted\"", "%41?x=1#y", "-"])
def test_a_name_may_be_any(tmp_path: Path, name: str) -> None:
    with opened(tmp_path / name) as journal:
        journal.append((Keep(DIGEST, None, LARGE),))
        journal.wait(journal.appended(), WAIT_S)
        assert journal.has_content(DIGEST)
    assert (tmp_path / name / "journal.db").exists()


def test_a_relative_path_is_one_below_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with opened(Path("some/where")):
        pass
    assert (tmp_path / "some" / "where" / "journal.db").exists()


def test_a_journal_of_a_newer_format_is_left_as_it_is(data: Path) -> None:
    connection = apsw.Connection(str(data / "journal.db"))
    connection.pragma("user_version", 99)
    connection.close()
    before = (data / "journal.db").read_bytes()
    refusal = refused(data)
    assert isinstance(refusal, Conflict)
    assert (refusal.code, refusal.facts["format"]) == ("data.format", 99)
    assert (data / "journal.db").read_bytes() == before


def cut(length: int) -> Callable[[bytes], bytes]:
    return lambda database: database[:length]


def scrambled(database: bytes) -> bytes:
    """The first page as it is, so that only reading on finds it out."""
    return database[:4096] + bytes(byte ^ 0x55 for byte in database[4096:])


@pytest.mark.parametrize(
    "spoil",
    [cut(100), cut(1000), cut(4096), cut(20_000), lambda data: b"x" * len(data), scrambled],
    ids=["100", "1 kB", "a page", "20 kB", "text", "scrambled"],
)
def test_a_damaged_journal_is_told_as_damaged(data: Path, spoil: Callable[[bytes], bytes]) -> None:
    database = data / "journal.db"
    database.write_bytes(spoil(database.read_bytes()))
    spoilt = database.read_bytes()
    with pytest.raises(IntegrityError) as refusal, opened(data) as journal:
        # Whatever opening has not looked at, reading does.
        journal.actors()
        list(journal.events(actor_row(0).id))
        journal.waits()
        journal.messages()
        journal.content(DIGEST)
    assert refusal.value.code == "data.damaged"
    assert "backup" in refusal.value.message
    assert database.read_bytes() == spoilt


@pytest.mark.parametrize(
    "spoil", [Path.unlink, put_file, put_a_byte], ids=["gone", "empty", "short"]
)
def test_a_directory_whose_journal_is_gone_is_not_begun_anew(
    data: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(data / "journal.db")
    refusal = refused(data)
    assert (type(refusal), refusal.code) == (Conflict, "data.journal_gone")


def test_a_directory_that_never_had_a_journal_is_begun(tmp_path: Path) -> None:
    (tmp_path / "format").write_text("theater data format 1\n")
    with opened(tmp_path):
        pass


def test_a_lock_that_a_dead_process_left_holds_nobody(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from theater.journal.sqlite import SqliteJournal\n"
        "SqliteJournal.open(Path(sys.argv[1]))\nos._exit(9)\n"
    )
    died = subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=WAIT_S)
    assert died.returncode == 9
    assert (tmp_path / "lock").read_text().strip().isdecimal()
    with opened(tmp_path):
        pass


@pytest.mark.parametrize("name", [".", "lock", "format", "content", "journal.db"])
def test_what_this_user_may_not_touch_is_told_as_that(data: Path, name: str) -> None:
    (data / name).chmod(0o400 if name == "journal.db" else 0)
    user = os.geteuid()
    if user == 0:  # no permission stops root, so be somebody else for a moment
        for path in [data, *data.rglob("*")]:
            os.chown(path, 65534, 65534)
        data.parent.chmod(0o755)
        data.parent.parent.chmod(0o755)
        os.seteuid(65534)
    try:
        with pytest.raises((Denied, JournalFailed)) as refusal:
            SqliteJournal.open(data)
    finally:
        os.seteuid(user)
    assert "this user" in refusal.value.message


def test_an_actor_is_looked_for_by_whatever_text(data: Path) -> None:
    with opened(data) as journal:
        for text in ("\U0010ffff", "\ud7ff", "a\U0010ffff", "~", "\x7f", "%", "_", "\0", "é"):
            assert journal.find_actors(text) == []
        assert [row.number for row in journal.find_actors(actor_row(0).id[:8])] == [0]


def test_content_whose_file_was_lost_is_kept_again(data: Path) -> None:
    (file,) = (path for path in data.glob("content/*/*") if path.parent.name != "new")
    for spoil in (Path.unlink, put_file):
        spoil(file)
        with opened(data) as journal:
            assert not journal.has_content(DIGEST)
            journal.append((Keep(DIGEST, None, LARGE),))
            journal.wait(journal.appended(), WAIT_S)
            assert journal.has_content(DIGEST)
        assert file.read_bytes() == LARGE
