"""The command in this process, against a real server, in a home of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.server.running import MANIFEST, Running, guest, running
from theater.cli.program import theater


@dataclass
class Shell:
    """Runs commands; `folder` has counter.wasm with its manifest."""

    folder: Path

    def run(self, *words: str, code: int = 0, stdin: str | bytes | None = None) -> Result:
        result = CliRunner().invoke(theater, list(words), input=stdin, prog_name="theater")
        assert result.exit_code == code, (result.stdout, result.stderr)
        assert "Traceback" not in result.stderr
        return result

    def json(self, *words: str, code: int = 0) -> Any:
        """What stands on standard output, which must be JSON and nothing else."""
        result = self.run(*words, "--json", code=code)
        return json.loads(result.stdout)

    @property
    def manifest(self) -> str:
        return str(self.folder / "manifest.toml")

    def start(self, name: str) -> str:
        return self.run("start", self.manifest, "--name", name, "--id-only").stdout.strip()


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("components")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("data"), cache_dir) as opened:
        yield opened


@pytest.fixture
def home(tmp_path: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, so that nothing of this machine's user matters."""
    for name in ("SERVER_ADDRESS", "DATA_DIR", "TOKEN"):
        monkeypatch.delenv(f"THEATER_{name}", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_dir))
    return tmp_path


@pytest.fixture
def alone(home: Path) -> Shell:
    """The command without a server."""
    folder = home / "project"
    folder.mkdir()
    (folder / "counter.wasm").write_bytes(guest("counter"))
    (folder / "manifest.toml").write_text(MANIFEST)
    return Shell(folder)


@pytest.fixture
def shell(alone: Shell, served: Running, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """The command with a server that it finds by its data directory."""
    monkeypatch.setenv("THEATER_DATA_DIR", str(served.data_dir))
    return alone
