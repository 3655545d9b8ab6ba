"""A life over several server processes, one of them killed, with the installed command beside them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.servers import Executed, Server, environment
from tests.runtime.variants import COUNTS_ALIKE, COUNTS_BY_TWO
from tests.server.running import MANIFEST, guest
from theater.client import Client
from theater.errors import Conflict, Diverged
from theater.server.credentials import read_token

pytestmark = pytest.mark.slow
RUN_S = 60.0


def client_of(server: Server, data: Path) -> Client:
    address = server.address()
    assert address is not None
    return Client(address, read_token(data))


def test_pauses_updates_and_ends_are_the_same_for_whoever_comes_after_a_kill(
    tmp_path: Path, cache_dir: Path
) -> None:
    data = tmp_path / "data"
    mine = environment(cache_dir, tmp_path)
    servers = Executed(mine, tmp_path / "server.log")
    arguments = ["server", "--port", "0", "--data-dir", str(data)]
    theater = str(Path(sys.executable).parent / "theater")
    first = servers.start(arguments)
    with client_of(first, data) as client:
        actor = client.start(
            MANIFEST, path="/m.toml", component=client.add_component(guest("counter"))
        ).id
        client.send(actor, b"one")
        assert client.request(actor, b"?") == b"2"
        alike = client.add_component(COUNTS_ALIKE)
        assert client.update(actor, alike).component == alike
        assert client.pause(actor).status == "paused"
        client.send(actor, b"waits")
    first.kill()
    second = servers.start(arguments)
    try:
        with client_of(second, data) as client:
            shown = client.actor(actor)
            assert (shown.status, shown.component, shown.mailbox) == ("paused", alike, 1)
            assert client.resume(actor).status == "running"
            assert client.request(actor, b"?") == b"4"
            with pytest.raises(Diverged):
                client.update(actor, client.add_component(COUNTS_BY_TWO))
            assert client.restart(actor, keep_state=True).status == "running"
            assert client.replay(actor).equal
            ending = client.start(
                MANIFEST.replace('"counter"', '"ending"'),
                path="/m.toml",
                component=client.add_component(guest("ending")),
            ).id
            words = [theater, "wait", ending, "--data-dir", str(data)]
            waiting = [
                subprocess.Popen(words, stdout=subprocess.PIPE, env={**os.environ, **mine})
                for _ in range(2)
            ]
            client.send(ending, b"the result")
            for each in waiting:
                told, _ = each.communicate(timeout=RUN_S)
                assert (each.returncode, told) == (0, b"the result")
            stopping = [theater, "stop", actor, "--force", "--data-dir", str(data)]
            done = subprocess.run(stopping, env=mine, timeout=RUN_S, stdout=subprocess.PIPE)
            assert done.returncode == 0
            assert b"stopped" in done.stdout
            with pytest.raises(Conflict):
                client.update(actor, alike)
            assert client.verify(actor).complete
    finally:
        second.stop()
