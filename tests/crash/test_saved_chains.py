"""A node that is killed while it streams a chain: the file is behind the journal, never before it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runtime.actors import guest, theater
from tests.runtime.test_chain_saving import caught_up, saved
from theater.chain import jsonl
from theater.journal.sqlite import SqliteJournal
from theater.runtime.node import Node
from theater.runtime.settings import NodeSettings

ROOT = Path(__file__).parents[2]
KILLS = 3


def work(data_dir: str, cache_dir: str) -> None:
    """Start an actor unless there is one, say its id, and give it messages without end."""
    node = Node.open(Path(data_dir), NodeSettings(cache_dir=Path(cache_dir)))
    living = node.list()
    actor = (
        living[0].id
        if living
        else node.start(saved(), component=node.add_component(guest("counter"))).result(60).id
    )
    print(actor, flush=True)
    while True:
        for _ in range(20):
            node.send(actor, b"")
        node.request(actor, b"").result(60)
        print("more", flush=True)


@pytest.mark.slow
def test_a_killed_node_leaves_a_file_that_the_next_one_completes(
    tmp_path: Path,
) -> None:
    data, cache_dir = tmp_path / "data", tmp_path / "cache"
    script = "import sys; from tests.crash.test_saved_chains import work; work(*sys.argv[1:])"
    longest = 0
    for kill in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(data), str(cache_dir)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        try:
            assert process.stdout is not None
            actor = process.stdout.readline().strip()
            for _ in range(1 + kill):
                assert process.stdout.readline()
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        path = data / "chains" / f"{actor}.jsonl"
        found = path.read_bytes() if path.exists() else b""
        journal = SqliteJournal.open(data)
        try:
            recorded = b"".join(jsonl.write(journal.events(actor)))
        finally:
            journal.close()
        assert recorded.startswith(found)
        longest = max(longest, len(found))
    assert longest > 0
    with theater(data, NodeSettings(cache_dir=cache_dir)) as stage:
        (info,) = stage.node.list()
        caught_up(stage, info, path)
        assert not list(path.parent.glob("*.differs-*"))
