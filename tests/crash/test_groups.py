"""The process ends at every record of a restart of a group; recovery goes on with it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import groups
from tests.crash.scenario import Told
from tests.crash.test_every_record import RECORDS_MIN, Zygote
from tests.crash.zygote import CRASHED, FINISHED
from theater.runtime.node import Node
from theater.runtime.settings import NodeSettings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    opened = Zygote(tmp_path_factory.mktemp("components"))
    yield opened
    opened.close()


def test_a_group_is_restarted_once_wherever_the_process_ends(
    forked: Zygote, tmp_path: Path
) -> None:
    (tmp_path / "prepared").mkdir()
    assert forked.run(tmp_path / "prepared", groups="prepare") == FINISHED
    shutil.copytree(tmp_path / "prepared", tmp_path / "undisturbed")
    assert forked.run(tmp_path / "undisturbed", groups=True) == FINISHED
    known = Told(tmp_path / "undisturbed" / "told").all()
    crashes = 0
    for number in range(1, int(known["settled"]) + 1):
        directory = tmp_path / str(number)
        shutil.copytree(tmp_path / "prepared", directory)
        code = forked.run(directory, groups=True, point="committed", number=number)
        assert code in (CRASHED, FINISHED)  # who is restarted once for two failures is chance
        crashes += code == CRASHED
        told = Told(directory / "told")
        before = told.all()
        node = Node.open(directory / "data", NodeSettings(cache_dir=forked.cache))
        try:
            groups.play(node, told)
            groups.check(node, told)
        finally:
            node.close()
        after = told.all()
        for moment in ("records", "settled"):
            before.pop(moment, None)
        assert {each: after[each] for each in before} == before
    assert crashes >= RECORDS_MIN
