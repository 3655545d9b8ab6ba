"""The token and the notice by which clients on this machine find the server."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from theater.errors import IntegrityError
from theater.server.credentials import (
    Running,
    ensure_token,
    read_running,
    read_token,
    remove_running,
    write_running,
)


def test_a_token_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    token = ensure_token(tmp_path)
    assert len(token) >= 43
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
    assert ensure_token(tmp_path) == read_token(tmp_path) == token


def test_two_data_directories_have_two_tokens(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert ensure_token(tmp_path / "a") != ensure_token(tmp_path / "b")


def test_an_empty_token_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "token").touch()
    with pytest.raises(IntegrityError):
        ensure_token(tmp_path)


def test_a_server_is_found_until_it_takes_its_notice_away(tmp_path: Path) -> None:
    assert read_running(tmp_path) is None
    write_running(tmp_path, Running(address="http://127.0.0.1:1", pid=1))
    write_running(tmp_path, Running(address="http://127.0.0.1:2", pid=2))
    remove_running(tmp_path, 1)
    assert read_running(tmp_path) == Running(address="http://127.0.0.1:2", pid=2)
    remove_running(tmp_path, 2)
    assert read_running(tmp_path) is None


def test_a_notice_that_is_none_is_nobodys(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text("{")
    assert read_running(tmp_path) is None
