"""A guest that kills the process natively, before the journal has its call: the second time is the last."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.crash import native
from tests.crash.scenario import Told
from tests.crash.test_every_record import Zygote
from tests.crash.zygote import FINISHED
from theater.runtime.deaths import DEATHS_MAX
from theater.runtime.node import Node
from theater.runtime.settings import NodeSettings

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", native.KINDS)
def test_a_message_that_kills_the_process_natively_is_set_aside_the_second_time(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, kind: str
) -> None:
    zygote = Zygote(tmp_path_factory.getbasetemp() / "components")
    told = Told(tmp_path / "told")
    try:
        codes = [zygote.run(tmp_path, native=kind)]
        while codes[-1] == -signal.SIGSEGV:
            assert len(codes) <= DEATHS_MAX, f"the node does not come up: {codes}"
            codes.append(zygote.run(tmp_path, native=kind))
    finally:
        zygote.close()
    assert codes == [-signal.SIGSEGV] * DEATHS_MAX + [FINISHED]
    node = Node.open(tmp_path / "data", NodeSettings(cache_dir=zygote.cache))
    try:
        native.check(node, told, kind)
    finally:
        node.close()
