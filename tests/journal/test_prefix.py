"""Whatever is appended, what is read after reopening is the fold of what was durable."""

from __future__ import annotations

import random
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.journal.making import KINDS, folded, picture, random_plan, records
from theater.journal.memory import MemoryJournal
from theater.journal.sqlite import SqliteJournal
from theater.testing.lossy_files import LossyFiles
from theater.testing.lossy_vfs import LossyVfs, Power

pytestmark = pytest.mark.slow

small = st.integers(0, 5)
plans = st.lists(st.tuples(st.sampled_from(KINDS), small, small, st.booleans()), max_size=40)
WAIT_S = 60


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plan=plans, group=st.sampled_from([1, 3, 1000]))
def test_both_backends_hold_the_fold_of_the_records_after_reopening(
    plan: list[tuple[str, int, int, bool]], group: int
) -> None:
    made = records(plan)
    expected = folded(made)
    memory = MemoryJournal(group_records_max=group)
    with tempfile.TemporaryDirectory() as folder:
        journal = SqliteJournal.open(Path(folder), group_records_max=group)
        for record in made:
            memory.append(record)
            journal.append(record)
        journal.close()
        journal = SqliteJournal.open(Path(folder))
        try:
            assert picture(journal) == expected
        finally:
            journal.close()
    assert picture(memory) == expected
    assert picture(memory.reopened()) == expected


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plan=plans)
def test_one_group_has_the_effect_of_its_records_one_by_one(
    plan: list[tuple[str, int, int, bool]],
) -> None:
    made = records(plan)
    with tempfile.TemporaryDirectory() as folder:
        queued = threading.Event()

        def failpoint(point: str, number: int) -> None:
            if point == "written" and number == 1:
                assert queued.wait(WAIT_S)

        gathered = SqliteJournal.open(Path(folder), failpoint=failpoint)
        gathered.append(())
        for record in made:
            gathered.append(record)
        queued.set()
        gathered.wait(gathered.appended(), WAIT_S)
        assert gathered.statistics().groups <= 2
        try:
            assert picture(gathered) == folded(made)
        finally:
            gathered.close()


@pytest.mark.parametrize("torn", [False, True], ids=["dropped", "torn"])
@pytest.mark.parametrize("group", [1, 5])
@pytest.mark.parametrize("seed", range(4))
def test_what_was_reported_durable_survives_a_loss_of_power_at_any_operation(
    tmp_path: Path, seed: int, group: int, torn: bool
) -> None:
    made = records(random_plan(seed, 60))
    chance = random.Random(seed)
    for turn in range(25):
        power = Power(
            cut_after=30 + turn * 7 + chance.randrange(7),
            chance=random.Random(turn) if torn else None,
        )
        folder = tmp_path / str(turn)
        reported, appended = _write_until_dark(folder, made, power, group)
        journal = SqliteJournal.open(folder)
        try:
            found = picture(journal)
        finally:
            journal.close()
        assert any(found == folded(made[:n]) for n in range(reported, appended + 1)), turn


def _write_until_dark(
    folder: Path, made: list[tuple[object, ...]], power: Power, group: int
) -> tuple[int, int]:
    """Append until the power fails: how many records were reported durable, how many appended."""
    vfs = LossyVfs(power)
    try:
        journal = SqliteJournal.open(
            folder, vfs=vfs.name, files=LossyFiles(power), group_records_max=group
        )
    except Exception:
        assert not power.on
        return 0, 0
    reported = [0]
    try:
        for number, record in enumerate(made, start=1):
            journal.append(record)  # type: ignore[arg-type]
            journal.when_durable(
                number, lambda error, n=number: None if error else reported.append(n)
            )
            if number % 4 == 0:
                journal.wait(number, WAIT_S)
        journal.wait(len(made), WAIT_S)
    except Exception:
        assert not power.on
    appended = journal.appended()
    with power.lock:
        durable = max(reported)
        power.cut()
    journal.close()
    vfs.unregister()
    return durable, appended
