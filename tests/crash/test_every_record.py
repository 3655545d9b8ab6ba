"""The process ends, or the power goes, at every record of a scenario; recovery equals the oracle."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import (
    channels,
    families,
    holding,
    languages,
    lives,
    names,
    poison,
    timers,
    waiting,
)
from tests.crash.scenario import Told, check, play
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
    (tmp_path / "undisturbed").mkdir()
    assert zygote.run(tmp_path / "undisturbed", poison=True) == FINISHED
    records = int(Told(tmp_path / "undisturbed" / "told").all()["records"])
    assert records >= POISON_RECORDS_MIN
    for number in range(1, records + 1):
        directory = tmp_path / str(number)
        directory.mkdir()
        code = zygote.run(directory, point=point, number=number, poison=True)
        assert code == CRASHED or (code == FINISHED and number > records - 3)
        told = Told(directory / "told")
        before = told.all()
        node = Node.open(directory / "data", NodeSettings(cache_dir=zygote.cache))
        try:
            poison.check(node, poison.play(node, told), told)
        finally:
            node.close()
        after = told.all()
        assert {each: after[each] for each in before} == before


def recover_and_check(directory: Path, cache: Path) -> None:
    told = Told(directory / "told")
    before = told.all()
    node = Node.open(directory / "data", NodeSettings(cache_dir=cache))
    try:
        check(node, play(node, told), told)
    finally:
        node.close()
    after = told.all()
    for name, value in before.items():
        assert after[name] == value, f"{name} was acknowledged and is otherwise now"


def records_of(zygote: Zygote, directory: Path) -> int:
    directory.mkdir()
    assert zygote.run(directory) == FINISHED
    return int(Told(directory / "told").all()["records"])


@pytest.mark.parametrize("point", ["before", "queued", "written", "committed"])
def test_a_process_that_ends_at_any_record_is_recovered_to_the_oracles_state(
    zygote: Zygote, tmp_path: Path, point: str
) -> None:
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
    (tmp_path / "undisturbed").mkdir()
    assert zygote.run(tmp_path / "undisturbed", lives=True) == FINISHED
    records = int(Told(tmp_path / "undisturbed" / "told").all()["records"])
    crashes = 0
    for number in range(1, records + 1):
        directory = tmp_path / str(number)
        directory.mkdir()
        crashes += zygote.run(directory, lives=True, point="committed", number=number) == CRASHED
        told = Told(directory / "told")
        before = told.all()
        node = Node.open(directory / "data", NodeSettings(cache_dir=zygote.cache))
        try:
            lives.check(node, lives.play(node, told), told)
        finally:
            node.close()
        after = told.all()
        assert {each: after[each] for each in before} == before
    assert crashes >= RECORDS_MIN


def test_what_waits_without_a_thread_is_asked_once_wherever_the_process_ends(
    zygote: Zygote, tmp_path: Path
) -> None:
    (tmp_path / "undisturbed").mkdir()
    assert zygote.run(tmp_path / "undisturbed", waiting=True) == FINISHED
    records = int(Told(tmp_path / "undisturbed" / "told").all()["records"])
    chosen = NodeSettings(cache_dir=zygote.cache, workers_max=waiting.WORKERS_MAX)
    crashes = 0
    for number in range(20, records + 1):  # before it everybody starts
        directory = tmp_path / str(number)
        directory.mkdir()
        code = zygote.run(directory, waiting=True, point="committed", number=number)
        assert code in (CRASHED, FINISHED)  # how many were taken up is chance
        crashes += code == CRASHED
        told = Told(directory / "told")
        before = told.all()
        node = Node.open(directory / "data", chosen)
        try:
            waiting.check(node, waiting.play(node, told), told)
        finally:
            node.close()
        after = told.all()
        assert {each: after[each] for each in before} == before
    assert crashes >= RECORDS_MIN


@pytest.mark.parametrize("part", range(2))
def test_children_are_started_restarted_and_stopped_once_wherever_the_process_ends(
    zygote: Zygote, tmp_path: Path, part: int
) -> None:
    (tmp_path / "undisturbed").mkdir()
    assert zygote.run(tmp_path / "undisturbed", families=True) == FINISHED
    records = int(Told(tmp_path / "undisturbed" / "told").all()["records"])
    crashes = 0
    for number in range(1 + part, records + 1, 2):
        directory = tmp_path / str(number)
        directory.mkdir()
        crashes += zygote.run(directory, families=True, point="committed", number=number) == CRASHED
        told = Told(directory / "told")
        before = told.all()
        node = Node.open(directory / "data", NodeSettings(cache_dir=zygote.cache))
        try:
            families.check(node, families.play(node, told), told)
        finally:
            node.close()
        after = told.all()
        assert {each: after[each] for each in before} == before
    assert crashes >= RECORDS_MIN


def test_a_sleep_and_a_full_mailbox_hold_a_call_up_once_wherever_the_process_ends(
    zygote: Zygote, tmp_path: Path
) -> None:
    (tmp_path / "undisturbed").mkdir()
    assert zygote.run(tmp_path / "undisturbed", holding=True) == FINISHED
    records = int(Told(tmp_path / "undisturbed" / "told").all()["records"])
    crashes = 0
    for number in range(1, records + 1):
        directory = tmp_path / str(number)
        directory.mkdir()
        code = zygote.run(directory, holding=True, point="committed", number=number)
        assert code == CRASHED or (code == FINISHED and number > records - 3)
        crashes += code == CRASHED
        told = Told(directory / "told")
        before = told.all()
        node = Node.open(directory / "data", NodeSettings(cache_dir=zygote.cache))
        try:
            holding.check(node, holding.play(node, told), told)
        finally:
            node.close()
        after = told.all()
        assert {each: after[each] for each in before} == before
    assert crashes >= HOLDING_RECORDS_MIN


def test_a_conversation_on_channels_goes_on_wherever_the_process_ends(
    zygote: Zygote, tmp_path: Path
) -> None:
    (tmp_path / "undisturbed").mkdir()
    assert zygote.run(tmp_path / "undisturbed", channels=True) == FINISHED
    records = int(Told(tmp_path / "undisturbed" / "told").all()["records"])
    crashes = 0
    for number in range(1, records + 1):
        directory = tmp_path / str(number)
        directory.mkdir()
        code = zygote.run(directory, channels=True, point="committed", number=number)
        assert code == CRASHED or (code == FINISHED and number > records - 3)
        crashes += code == CRASHED
        told = Told(directory / "told")
        before = told.all()
        node = Node.open(directory / "data", NodeSettings(cache_dir=zygote.cache))
        try:
            channels.check(node, channels.play(node, told), told)
        finally:
            node.close()
        after = told.all()
        assert {each: after[each] for each in before} == before
    assert crashes >= RECORDS_MIN


@pytest.mark.parametrize("point", ["queued", "committed"])
def test_a_timer_comes_once_for_each_time_at_whatever_record_the_process_ends(
    zygote: Zygote, tmp_path: Path, point: str
) -> None:
    (tmp_path / "undisturbed").mkdir()
    assert zygote.run(tmp_path / "undisturbed", timers=True) == FINISHED
    records = int(Told(tmp_path / "undisturbed" / "told").all()["records"])
    crashes = 0
    for number in range(1, records + 1):
        directory = tmp_path / str(number)
        directory.mkdir()
        code = zygote.run(directory, timers=True, point=point, number=number)
        assert code in (CRASHED, FINISHED)  # how often a period came in between is chance
        crashes += code == CRASHED
        told = Told(directory / "told")
        before = told.all()
        node = Node.open(directory / "data", NodeSettings(cache_dir=zygote.cache))
        try:
            timers.check(node, told, timers.play(node, told))
        finally:
            node.close()
        after = told.all()
        assert {each: after[each] for each in before} == before
    assert crashes >= RECORDS_MIN


def test_a_name_has_one_holder_and_a_request_stays_with_it_wherever_the_process_ends(
    zygote: Zygote, tmp_path: Path
) -> None:
    (tmp_path / "undisturbed").mkdir()
    assert zygote.run(tmp_path / "undisturbed", names=True) == FINISHED
    records = int(Told(tmp_path / "undisturbed" / "told").all()["records"])
    crashes = 0
    for number in range(1, records + 1):
        directory = tmp_path / str(number)
        directory.mkdir()
        code = zygote.run(directory, names=True, point="committed", number=number)
        assert code == CRASHED or (code == FINISHED and number > records - 3)
        crashes += code == CRASHED
        told = Told(directory / "told")
        before = told.all()
        node = Node.open(directory / "data", NodeSettings(cache_dir=zygote.cache))
        try:
            names.check(node, told, names.play(node, told))
        finally:
            node.close()
        after = told.all()
        assert {each: after[each] for each in before} == before
    assert crashes >= RECORDS_MIN


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


@pytest.mark.parametrize("part", range(4))
def test_what_was_acknowledged_survives_a_loss_of_power_at_any_file_operation(
    zygote: Zygote, tmp_path: Path, part: int
) -> None:
    code, cut_after, crashes = CRASHED, part, 0
    while code == CRASHED:
        directory = tmp_path / str(cut_after)
        directory.mkdir()
        code = zygote.run(directory, cut_after=cut_after)
        recover_and_check(directory, zygote.cache)
        crashes += code == CRASHED
        cut_after += 4
    assert code == FINISHED
    assert crashes >= RECORDS_MIN
