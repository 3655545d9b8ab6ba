"""A disk that fills up under load: the server stops with a sentence, and all that it acknowledged is kept.

The disk is a bound on how large a file may grow (RLIMIT_FSIZE), which every machine has; whoever
writes meets it as one meets a full disk.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server.running import MANIFEST, WAIT_S, guest, running
from theater.client import Client
from theater.errors import TheaterError
from theater.limits import KIB, MIB

pytestmark = pytest.mark.slow

SCRIPT = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
from theater.cli import main
main()
"""


def command(file_bytes: int, cache: Path, *words: str) -> tuple[list[str], dict[str, str]]:
    """The command under a bound on files, with its environment."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "XDG_CONFIG_HOME": str(cache)}
    return [sys.executable, "-c", SCRIPT, str(file_bytes), *words], environment


@contextmanager
def bounded_server(
    data_dir: Path, cache: Path, file_bytes: int
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    words, environment = command(
        file_bytes, cache, "server", "--port", "0", "--data-dir", str(data_dir)
    )
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("body_bytes", [2 * KIB, 300 * KIB], ids=["database", "content-files"])
def test_what_was_acknowledged_is_kept_when_the_disk_fills_up(
    tmp_path: Path, cache_dir: Path, body_bytes: int
) -> None:
    data = tmp_path / "data"
    accepted: list[str] = []
    answered = 0
    with bounded_server(data, cache_dir, 2 * MIB) as (process, address):
        with Client(address, (data / "token").read_text().strip(), retries=0) as client:
            actor = client.start(
                MANIFEST,
                path="/somewhere/manifest.toml",
                component=client.add_component(guest("counter")),
            ).id
            with pytest.raises(TheaterError):
                for number in range(5_000):
                    body = f"{number:>{body_bytes}}".encode()
                    if number % 2:
                        answered = int(client.request(actor, body))
                    else:
                        accepted.append(client.send(actor, body))
        _, said = process.communicate(timeout=WAIT_S)
    assert process.returncode == 1
    assert "what was acknowledged is" in said
    assert "Traceback" not in said
    assert accepted
    assert answered
    with running(data, cache_dir) as served, served.client() as client:
        assert int(client.request(actor, b"and now")) > answered
        taken = [str(event.data) for event in client.events(actor, type="wasm-call")]
        assert [each for each in accepted if not any(each in call for call in taken)] == []
        assert client.verify(actor).ok


SERVER = ("server", "--port", "0")
RUN = ("run", "manifest.toml")


@pytest.mark.parametrize(
    ("words", "file_bytes"),
    [(SERVER, 0), (SERVER, 10), (SERVER, 30), (SERVER, 20_000), (RUN, 10), (RUN, 120_000)],
)
def test_a_disk_without_room_is_told_when_a_node_is_opened(
    tmp_path: Path, cache_dir: Path, words: tuple[str, ...], file_bytes: int
) -> None:
    (tmp_path / "counter.wasm").write_bytes(guest("counter"))
    (tmp_path / "manifest.toml").write_text(MANIFEST)
    data = tmp_path / "data"
    line, environment = command(file_bytes, cache_dir, *words, "--data-dir", str(data))
    done = subprocess.run(
        line, env=environment, capture_output=True, text=True, timeout=WAIT_S, cwd=tmp_path
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "a bug in Theater" not in done.stderr
    assert "start again" in done.stderr or "start the node again" in done.stderr
    # With room again it is opened, whatever the first try has left.
    with running(data, cache_dir) as served:
        served.start()
