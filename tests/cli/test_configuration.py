"""config.toml, environment and flags; secrets; finding the server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.server.running import Running
from theater.cli.configuration import config_file, load, secret_values
from theater.errors import UsageError
from theater.server.credentials import read_token


def write(text: str) -> None:
    config_file().parent.mkdir(parents=True, exist_ok=True)
    config_file().write_text(text)


def test_without_anything_the_data_directory_is_xdgs(home: Path) -> None:
    assert load().data_directory() == home / "share" / "theater"


def test_the_environment_comes_before_the_file_and_flags_before_both(home: Path) -> None:
    write('server_address = "http://file:1"\ndata_dir = "/file"\n')
    assert load({}).server_address == "http://file:1"
    assert load({}).data_directory() == Path("/file")
    known = load({"THEATER_SERVER_ADDRESS": "http://env:1", "THEATER_DATA_DIR": "/env"})
    assert known.server_address == "http://env:1"
    assert known.data_directory() == Path("/env")
    assert known.data_directory(Path("/flag")) == Path("/flag")


@pytest.mark.parametrize(
    "text",
    [
        "server_adress = 1",
        "token = 1",
        'log_level = "loud"',
        "= 1",
        "[secrets]\nA = 1",
        'chain_dirs = "/a"',
        'chain_dirs = ["relative"]',
        "chain_dirs = [1]",
        '[secrets]\nA = {x="y"}',
    ],
)
def test_what_is_wrong_in_the_file_is_told(home: Path, text: str) -> None:
    write(text)
    with pytest.raises(UsageError) as caught:
        load({})
    assert "config.toml" in caught.value.message


def test_secrets_come_from_variables_files_and_commands(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "key").write_text("from a file\n")
    monkeypatch.setenv("KEY", "from a variable")
    write(
        f'[secrets]\nA = {{env = "KEY"}}\nB = {{file = "{home}/key"}}\nC = {{command = "echo made"}}\n'
    )
    assert secret_values(load({})) == {"A": "from a variable", "B": "from a file", "C": "made"}


@pytest.mark.parametrize(
    "where", ['env = "NO_SUCH_VARIABLE"', 'file = "/no/such/file"', 'command = "exit 3"']
)
def test_a_secret_that_can_not_be_fetched_is_told_without_its_value(home: Path, where: str) -> None:
    write(f"[secrets]\nKEY = {{{where}}}\n")
    with pytest.raises(UsageError) as caught:
        secret_values(load({}))
    assert "KEY" in caught.value.message


def test_a_server_is_found_by_address_variable_file_or_data_directory(
    alone: Shell, served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = read_token(served.data_dir)
    assert token is not None
    alone.run("list", "--data-dir", str(served.data_dir))
    monkeypatch.setenv("THEATER_TOKEN", token)
    alone.run("list", "--address", served.address)
    write(f'server_address = "{served.address}"\n')
    alone.run("list")
    write('server_address = "http://127.0.0.1:1"\n')
    alone.run("list", code=4)
    monkeypatch.setenv("THEATER_SERVER_ADDRESS", served.address)
    alone.run("list")


def test_without_the_token_the_command_fails_and_says_where_it_is(
    alone: Shell, served: Running
) -> None:
    assert "token" in alone.run("list", "--address", served.address, code=1).stderr


def test_folders_for_chains_are_absolute_paths(home: Path) -> None:
    write('chain_dirs = ["/var/log/theater", "~/chains"]')
    assert load({}).chain_dirs == (Path("/var/log/theater"), Path.home() / "chains")
