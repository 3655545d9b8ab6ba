"""The process ends, or the power goes, at every record of a scenario; recovery equals the oracle."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import languages
from tests.crash.scenario import Told
from tests.crash.scenarios import SCENARIOS
from tests.crash.zygote import CRASHED, FINISHED
from tests.runtime.languages import LANGUAGES
from theater.runtime.node import Node
from theater.runtime.settings import NodeSettings

pytestmark = pytest.mark.slow

RECORDS_MIN = 25
POISON_RECORDS_MIN = 15
HOLDING_RECORDS_MIN = 20
CRASHES = 3
ROOT = Path(__file__).parents[2]


class Zygote:
    """Runs the scenario in forked children."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.zygote"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, directory: Path, **order: object) -> int:
        """Run a child over `directory`; returns its exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        whole = {
            "data": str(directory / "data"),
            "told": str(directory / "told"),
            "cache": str(self.cache),
            **order,
        }
        self._process.stdin.write(json.dumps(whole) + "\n")
        self._process.stdin.flush()
        code = json.loads(self._process.stdout.readline())["code"]
        assert isinstance(code, int)
        return code

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


@pytest.fixture(scope="module")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    opened = Zygote(tmp_path_factory.mktemp("components"))
    yield opened
    opened.close()


@pytest.mark.parametrize("point", ["written", "committed"])
def test_a_message_is_delivered_again_once_wherever_the_process_ends(
    zygote: Zygote, tmp_path: Path, point: str
) -> None:
    copied_at_every_record(zygote, tmp_path, "poison", POISON_RECORDS_MIN, point=point)


def recover_and_check(
    directory: Path, cache: Path, name: str = "clients", ignored: tuple[str, ...] = ()
) -> None:
    scenario = SCENARIOS[name]
    told = Told(directory / "told")
    before = {each: value for each, value in told.all().items() if each not in ignored}
    chosen = NodeSettings(cache_dir=cache, workers_max=scenario.workers_max)
    node = Node.open(directory / "data", chosen)
    try:
        scenario.finish(node, told)
    finally:
        node.close()
    after = told.all()
    for each, value in before.items():
        assert after[each] == value, f"{each} was acknowledged and is otherwise now"


def copied_at_every_record(
    zygote: Zygote,
    tmp_path: Path,
    name: str,
    records_min: int = RECORDS_MIN,
    *,
    point: str = "committed",
    between: tuple[str, str] | None = None,
) -> None:
    """Play a scenario once, and finish it over each copy of what a SIGKILL would have left.

    The writer makes the copies while it holds still, so nothing is on disk, or told, that comes
    after. `between`: only from the record to the one that the scenario has noted under these names.
    """
    copies = tmp_path / "copies"
    copies.mkdir()
    order = {"scenario": name, "point": point, "copies": str(copies)}
    assert zygote.run(tmp_path, **order) == FINISHED
    known = Told(tmp_path / "told").all()
    first, last = (
        (1, int(known["records"])) if between is None else map(int, map(known.get, between))
    )
    ignored = ("records", *(between or ()))
    checked = 0
    for copy in copies.iterdir():
        if first <= int(copy.name) <= last:
            recover_and_check(copy, zygote.cache, name, ignored)
            checked += 1
        shutil.rmtree(copy)
    assert checked >= records_min


def records_of(zygote: Zygote, directory: Path) -> int:
    directory.mkdir()
    assert zygote.run(directory) == FINISHED
    return int(Told(directory / "told").all()["records"])


@pytest.mark.parametrize("point", ["before", "queued", "written", "committed"])
def test_a_process_that_ends_at_any_record_is_recovered_to_the_oracles_state(
    zygote: Zygote, tmp_path: Path, point: str
) -> None:
    if point in ("written", "committed"):  # on the thread that writes, which holds still
        copied_at_every_record(zygote, tmp_path, "clients", point=point)
        return
    records = records_of(zygote, tmp_path / "undisturbed")
    assert records >= RECORDS_MIN
    crashes = 0
    for number in range(1, records + 1):
        directory = tmp_path / str(number)
        directory.mkdir()
        code = zygote.run(directory, point=point, number=number)
        # Threads may need a record less or more than the undisturbed run did.
        assert code == CRASHED or (code == FINISHED and number > records - 3)
        crashes += code == CRASHED
        recover_and_check(directory, zygote.cache)
    assert crashes >= RECORDS_MIN


def test_pauses_and_restarts_are_done_once_wherever_the_process_ends(
    zygote: Zygote, tmp_path: Path
) -> None:
    copied_at_every_record(zygote, tmp_path, "lives", RECORDS_MIN)


def test_what_waits_without_a_thread_is_asked_once_wherever_the_process_ends(
    zygote: Zygote, tmp_path: Path
) -> None:
    copied_at_every_record(zygote, tmp_path, "waiting", RECORDS_MIN)


def test_children_are_started_restarted_and_stopped_once_wherever_the_process_ends(
    zygote: Zygote, tmp_path: Path
) -> None:
    copied_at_every_record(zygote, tmp_path, "families", RECORDS_MIN)


def test_a_sleep_and_a_full_mailbox_hold_a_call_up_once_wherever_the_process_ends(
    zygote: Zygote, tmp_path: Path
) -> None:
    copied_at_every_record(zygote, tmp_path, "holding", HOLDING_RECORDS_MIN)


def test_a_conversation_on_channels_goes_on_wherever_the_process_ends(
    zygote: Zygote, tmp_path: Path
) -> None:
    copied_at_every_record(zygote, tmp_path, "channels", RECORDS_MIN)


def test_a_timer_comes_once_for_each_time_at_whatever_record_the_process_ends(
    zygote: Zygote, tmp_path: Path
) -> None:
    copied_at_every_record(zygote, tmp_path, "timers", RECORDS_MIN)


def test_a_name_has_one_holder_and_a_request_stays_with_it_wherever_the_process_ends(
    zygote: Zygote, tmp_path: Path
) -> None:
    copied_at_every_record(zygote, tmp_path, "names", RECORDS_MIN)


def test_a_group_is_restarted_once_wherever_the_process_ends(
    zygote: Zygote, tmp_path: Path
) -> None:
    copied_at_every_record(zygote, tmp_path, "groups", between=("begun", "settled"))


@pytest.mark.parametrize("instance_calls", [1, 3, 64])
@pytest.mark.parametrize("name", LANGUAGES)
def test_a_conversation_in_any_language_goes_on_where_the_process_ended(
    request: pytest.FixtureRequest, tmp_path: Path, name: str, instance_calls: int
) -> None:
    builds = Path(request.config.cache.mkdir("guests"))
    order = {"language": name, "builds": str(builds), "instance_calls": instance_calls}
    zygote = Zygote(builds / "compiled")
    try:
        (tmp_path / "undisturbed").mkdir()
        assert zygote.run(tmp_path / "undisturbed", **order) == FINISHED
        records = int(Told(tmp_path / "undisturbed" / "told").all()["records"])
        chance = random.Random(f"{name} {instance_calls}")
        for number in chance.sample(range(2, records - 2), CRASHES):
            directory = tmp_path / str(number)
            directory.mkdir()
            point = chance.choice(["before", "queued", "written", "committed"])
            assert zygote.run(directory, point=point, number=number, **order) == CRASHED
            told = Told(directory / "told")
            before = told.all()
            node = Node.open(directory / "data", NodeSettings(cache_dir=zygote.cache))
            try:
                actor = languages.play(node, told, name, builds, instance_calls)
                languages.check(node, told, name, actor)
            finally:
                node.close()
            after = told.all()
            assert {each: after[each] for each in before} == before
    finally:
        zygote.close()


def cuts(zygote: Zygote, directory: Path) -> list[int]:
    """After how many file operations the power is to go: around all that may change what survives.

    What is only written is lost whole, wherever between two syncs the power goes.
    """
    directory.mkdir()
    told = directory / "operations"
    assert zygote.run(directory, operations=str(told)) == FINISHED
    operations: list[str] = json.loads(told.read_text())
    changing = [n for n, name in enumerate(operations, 1) if name != "write"]
    return sorted({cut for n in changing for cut in (n - 1, n)})


@pytest.mark.parametrize("part", range(2))
def test_what_was_acknowledged_survives_a_loss_of_power_at_any_file_operation(
    zygote: Zygote, tmp_path: Path, part: int
) -> None:
    crashes = 0
    for cut_after in cuts(zygote, tmp_path / "undisturbed")[part::2]:
        directory = tmp_path / str(cut_after)
        directory.mkdir()
        crashes += zygote.run(directory, cut_after=cut_after) == CRASHED
        recover_and_check(directory, zygote.cache)
    assert crashes >= RECORDS_MIN
