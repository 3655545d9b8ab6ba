"""A trace of system calls shows that nothing leaves a node before it is on disk."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from tests.chaos.gate import Gate
from tests.chaos.run import compile_for
from tests.chaos.tally import Tally
from tests.guests.components import built
from tests.trace.calls import ARGUMENTS, read_trace
from tests.trace.order import Promise, Trace
from theater.client import Client
from theater.server.credentials import read_running

ROOT = Path(__file__).resolve().parents[2]
MESSAGES = 8
END_S = 60.0
MANIFEST = """
name = "courier"
component = "courier.wasm"
[[handler]]
type = "message-server"
[[handler]]
type = "context"
[[handler]]
type = "store"
[[handler]]
type = "http-client"
allowed_hosts = ["127.0.0.1:*"]
allow_private = true
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def strace() -> str:
    found = shutil.which("strace")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("strace is not installed: in CI this proof must not be left out")
        pytest.skip("strace is not installed; with it this test shows what is on disk when")
    return found


@dataclass(frozen=True)
class Story:
    """What a client did with a traced server, and what the trace says."""

    trace: Trace
    sends: list[Promise]
    requests: list[Promise]
    posts: list[str]
    port: int
    gate_port: int


@contextmanager
def traced(strace: str, way: str, folder: Path, cache: Path) -> Iterator[str]:
    command = [strace, *ARGUMENTS, "-o", str(folder / "trace")]
    command += [sys.executable, "-m", "tests.trace.traced", way, str(folder / "data")]
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "XDG_CONFIG_HOME": str(folder)}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        try:
            assert address, "the traced server did not start"
            yield address
        finally:
            running = read_running(folder / "data")
            try:
                if running is not None:
                    os.kill(running.pid, signal.SIGTERM)
                    process.wait(END_S)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def play(strace: str, way: str, folder: Path, cache: Path) -> Story:
    """One client sends and asks, one message after the other, under the eyes of strace."""
    courier = built("courier", cache).read_bytes()
    compile_for([courier], cache)
    sends, requests = [], []
    with Gate(1, Tally()) as gate:
        with traced(strace, way, folder, cache) as address:
            token = (folder / "data" / "token").read_text().strip()
            with Client(address, token, retries=0) as client:
                digest = client.add_component(courier)
                state = json.dumps({"gate": gate.address}).encode()
                actor = client.start(MANIFEST, path="/", component=digest, state=state).id
                for _ in range(MESSAGES):
                    _, job, key = _job()
                    client.send(actor, job, key=key)
                    sends.append(Promise(key, key))
                    name, job, key = _job()
                    client.request(actor, job, key=key)
                    requests.append(Promise(key, sha256(name.encode()).hexdigest()))
        with (folder / "trace").open() as lines:
            trace = Trace(read_trace(lines))
        posts = [arrival.key for arrival in gate.arrivals]
        gate_port = gate.server_address[1]
    port = int(address.rpartition(":")[2])
    return Story(trace, sends, requests, posts, port, int(gate_port))


def _job() -> tuple[str, bytes, str]:
    """A job's name, the job as a message, and a key for it."""
    name = secrets.token_hex(8)
    job = {"name": name, "posts": True, "bytes": 100, "later": False}
    return name, json.dumps(job).encode(), secrets.token_hex(16)


@pytest.fixture
def cache(request: pytest.FixtureRequest) -> Path:
    assert request.config.cache is not None
    return request.config.cache.mkdir("guests")


def test_no_answer_and_no_request_leaves_before_the_sync_that_covers_it(
    strace: str, tmp_path: Path, cache: Path
) -> None:
    story = play(strace, "careful", tmp_path, cache)
    assert story.trace.early_answers([*story.sends, *story.requests], story.port) == []
    assert len(story.posts) == 2 * MESSAGES
    assert story.trace.early_requests(story.posts, story.gate_port) == []


def test_a_journal_that_does_not_sync_is_found_out(
    strace: str, tmp_path: Path, cache: Path
) -> None:
    story = play(strace, "careless", tmp_path, cache)
    promises = [*story.sends, *story.requests]
    assert len(story.trace.early_answers(promises, story.port)) == len(promises)
    assert len(story.trace.early_requests(story.posts, story.gate_port)) == len(story.posts)


def test_an_answer_that_does_not_wait_for_the_journal_is_found_out(
    strace: str, tmp_path: Path, cache: Path
) -> None:
    story = play(strace, "hasty", tmp_path, cache)
    assert len(story.trace.early_answers(story.sends, story.port)) > MESSAGES / 2
    assert story.trace.early_answers(story.requests, story.port) == []


def test_an_effect_that_does_not_wait_for_its_intent_is_found_out(
    strace: str, tmp_path: Path, cache: Path
) -> None:
    story = play(strace, "eager", tmp_path, cache)
    assert story.trace.early_answers([*story.sends, *story.requests], story.port) == []
    assert len(story.trace.early_requests(story.posts, story.gate_port)) > MESSAGES / 2
