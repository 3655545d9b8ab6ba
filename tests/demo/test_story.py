"""The whole demo, with a scripted model in place of the language model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demo.ledger import read

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "demo", "--model", "scripted"]
STORY_S = 270.0
PATIENCE_S = 240.0


def processes_naming(folder: Path) -> list[str]:
    """Command lines of running processes that mention a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line and int(entry.parent.name) != os.getpid():
            found.append(line)
    return found


@pytest.mark.slow
def test_the_story_holds_from_the_build_to_the_proof(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    picture = tmp_path / "demo.svg"
    done = subprocess.run(
        [*COMMAND, "--folder", str(folder), "--svg", str(picture)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=STORY_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("kill -9") == 2
    assert "<svg" in picture.read_text()
    assert "url(http" not in picture.read_text(), "a picture fetches nothing"

    log = read(folder / "gate.jsonl")
    held = [line.key for line in log if line.kind == "held"]
    assert [line.key for line in log if line.kind == "repeated"] == held
    assert len(held) == 1
    (copy,) = (folder / "copy").glob("*.jsonl")
    chain = [json.loads(line) for line in copy.read_text().splitlines()]
    assert chain[-1]["event_type"] == "actor-stop"
    assert processes_naming(folder) == []


@pytest.mark.slow
def test_an_interrupted_demo_leaves_nothing_running(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with subprocess.Popen(
        [*COMMAND, "--folder", str(folder)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as demo:
        until = time.monotonic() + PATIENCE_S
        while not (folder / "server.log").exists():
            assert time.monotonic() < until
            assert demo.poll() is None
        demo.send_signal(signal.SIGINT)
        assert demo.wait(PATIENCE_S) == 130
    assert processes_naming(folder) == []


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    done = subprocess.run(
        [*COMMAND, "--folder", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 2
    assert (tmp_path / "precious").read_text() == "mine"
