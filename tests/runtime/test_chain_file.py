"""What becomes of a streamed chain file that is not what the journal says it should be."""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.chain.sample import every_type, realistic, without_data
from theater.chain import jsonl
from theater.chain.event import Event
from theater.errors import Conflict
from theater.limits import SAVED_ASIDE_MAX
from theater.runtime.chain_file import ChainFile

EVENTS = realistic(160)
STEPS_MAX = 1000


def lines(events: list[Event]) -> bytes:
    return b"".join(jsonl.write(events))


@dataclass
class Disk:
    """A file that follows a list of events, on a disk with so many bytes left."""

    path: Path
    events: list[Event] = field(default_factory=lambda: list(EVENTS))
    left: int | None = None

    def __post_init__(self) -> None:
        self.reopen()

    def reopen(self) -> None:
        self.file = ChainFile(self.path, self._read, self._write)

    def bring_up(self) -> None:
        for _ in range(STEPS_MAX):
            if not self.file.step():
                return
        raise AssertionError("the file is never done")

    def asides(self) -> list[Path]:
        return sorted(self.path.parent.glob("*.differs-*"))

    def _read(self, start: int, limit: int) -> Iterator[Event]:
        return iter(self.events[start : start + limit])

    def _write(self, file: int, data: bytes | memoryview) -> int:
        if self.left is None:
            return os.write(file, data)
        if not self.left:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = os.write(file, data[: self.left])
        self.left -= done
        return done


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "chains" / "actor-a.jsonl")


def reopened(disk: Disk, data: bytes) -> None:
    """Bring up a file that was found with this in it."""
    disk.path.parent.mkdir(exist_ok=True)
    disk.path.write_bytes(data)
    disk.reopen()
    disk.bring_up()


def test_a_file_follows_the_events_as_they_come(disk: Disk) -> None:
    del disk.events[300:]
    disk.bring_up()
    assert disk.path.read_bytes() == lines(EVENTS[:300])
    disk.events.extend(EVENTS[300:])
    disk.bring_up()
    assert disk.path.read_bytes() == lines(EVENTS)
    assert disk.path.stat().st_mode & 0o777 == 0o600


WHOLE = lines(EVENTS[:40])
LAST = len(lines(EVENTS[39:40]))


@pytest.mark.parametrize("cut", [0, 1, len(WHOLE) - LAST - 1, len(WHOLE) - LAST, len(WHOLE) - 1])
def test_a_torn_line_is_completed_and_missing_ones_are_added(disk: Disk, cut: int) -> None:
    reopened(disk, WHOLE[:cut])
    assert disk.path.read_bytes() == lines(EVENTS)
    assert disk.asides() == []


def test_a_torn_last_line_is_completed_at_every_byte(disk: Disk) -> None:
    disk.events = EVENTS[:4]
    whole = lines(disk.events)
    for cut in range(len(whole) - LAST, len(whole)):
        reopened(disk, whole[:cut])
        assert disk.path.read_bytes() == whole
    assert disk.asides() == []


DIFFERENT = {
    "a line that the journal does not have": (
        lines(EVENTS) + lines(every_type()[1:2]),
        "does not have",
    ),
    "a torn line that the journal does not have": (lines(EVENTS) + b'{"hash"', "does not have"),
    "one byte in the middle": (WHOLE.replace(b"a line", b"a lime", 1), "at event"),
    "a block of zeros at the end": (WHOLE[:-100] + bytes(100), "at event 39"),
    "another chain": (lines(every_type()), "at event"),
    "a line too long": (b'{"hash":"' + b"a" * 3_000_000, "at event 0"),
    "a line left out": (lines(EVENTS[:7] + EVENTS[8:]), "at event 7"),
    "a line twice": (lines(EVENTS[:7] + EVENTS[6:]), "at event 7"),
    "nothing that is a chain": (b"\x00\xff\n" * 99, "at event 0"),
    "an empty line": (WHOLE + b"\n", "at event 40"),
}


@pytest.mark.parametrize(("found", "said"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_a_file_that_differs_is_kept_aside_and_written_again(
    disk: Disk, found: bytes, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    reopened(disk, found)
    assert disk.path.read_bytes() == lines(EVENTS)
    (aside,) = disk.asides()
    assert aside.read_bytes() == found
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert said in record.message
    assert aside.name in record.message
    disk.reopen()
    disk.bring_up()
    assert disk.asides() == [aside]


def test_a_journal_that_lost_its_tail_keeps_what_the_file_had(disk: Disk) -> None:
    disk.bring_up()
    del disk.events[200:]
    disk.reopen()
    disk.bring_up()
    assert disk.path.read_bytes() == lines(EVENTS[:200])
    (aside,) = disk.asides()
    assert aside.read_bytes() == lines(EVENTS)


def test_lines_that_only_look_otherwise_are_left_as_they_are(disk: Disk) -> None:
    spelled = b"".join(
        json.dumps(json.loads(line), ensure_ascii=True, sort_keys=True).encode() + b"\n"
        for line in jsonl.write(EVENTS[:30])
    )
    reopened(disk, spelled)
    assert disk.path.read_bytes() == spelled + lines(EVENTS[30:])
    assert disk.asides() == []


def test_data_that_the_journal_destroyed_goes_from_the_file_too(disk: Disk) -> None:
    disk.bring_up()
    disk.events = without_data(EVENTS, [3, 200])
    disk.reopen()
    disk.bring_up()
    assert disk.path.read_bytes() == lines(disk.events)
    assert disk.asides() == []


@pytest.mark.parametrize("change", ["deleted", "emptied", "longer", "replaced"])
def test_a_file_that_somebody_touched_while_it_was_written_is_repaired(
    disk: Disk, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    disk.events = EVENTS[:50]
    disk.bring_up()
    match change:
        case "deleted":
            disk.path.unlink()
        case "emptied":
            disk.path.write_bytes(b"")
        case "longer":
            disk.path.write_bytes(disk.path.read_bytes() + b"mine\n")
        case _:
            disk.path.write_bytes(b"mine\n")
    disk.events = EVENTS[:60]
    disk.bring_up()
    assert disk.path.read_bytes() == lines(EVENTS[:60])
    assert len(disk.asides()) == (change in ("longer", "replaced"))
    assert "compared again" in caplog.records[0].message


def test_a_full_disk_leaves_whole_lines_and_the_rest_follows(disk: Disk) -> None:
    disk.events = EVENTS[:10]
    disk.bring_up()
    disk.events = list(EVENTS)
    disk.left = 1000
    with pytest.raises(OSError):
        disk.bring_up()
    written = disk.path.read_bytes()
    assert lines(EVENTS).startswith(written)
    assert written.endswith(b"\n")
    disk.left = None
    disk.bring_up()
    assert disk.path.read_bytes() == lines(EVENTS)
    assert disk.asides() == []


@pytest.mark.parametrize("kind", ["a folder", "a pipe", "a link"])
def test_what_is_not_a_file_is_not_written_to(disk: Disk, kind: str) -> None:
    disk.path.parent.mkdir()
    target = disk.path.parent / "target"
    target.write_bytes(b"mine")
    match kind:
        case "a folder":
            disk.path.mkdir()
        case "a pipe":
            os.mkfifo(disk.path)
        case _:
            disk.path.symlink_to(target)
    with pytest.raises(OSError):
        disk.bring_up()
    assert target.read_bytes() == b"mine"


def test_files_are_not_kept_aside_without_end(disk: Disk) -> None:
    disk.path.parent.mkdir()
    for number in range(1, SAVED_ASIDE_MAX + 1):
        disk.path.with_name(f"{disk.path.name}.differs-{number}").touch()
    disk.path.write_bytes(b"mine\n")
    with pytest.raises(Conflict):
        disk.bring_up()
    assert disk.path.read_bytes() == b"mine\n"
