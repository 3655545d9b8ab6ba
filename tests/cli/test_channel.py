"""`theater channel`: lines out, messages in, and how it ends."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Shell
from tests.server.running import Running


@pytest.fixture
def talker(served: Running) -> str:
    return served.start("talker", "channels").id


def test_lines_are_sent_and_what_comes_is_printed(shell: Shell, talker: str) -> None:
    said = shell.run("channel", talker, "yhello", stdin="eone\neé\nc\nnever heard\n").stdout
    assert said == "hello\none\né\n"


def test_the_end_of_the_input_closes_it_after_a_while(shell: Shell, talker: str) -> None:
    words = ["channel", talker, "yhello", "--json", "--linger", "0.2"]
    lines = shell.run(*words, stdin=b"e\xff").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [
        {"body": "aGVsbG8=", "text": "hello"},
        {"body": "/w==", "text": None},
    ]


def test_a_refusal_is_an_error(shell: Shell, talker: str) -> None:
    assert "not today" in shell.run("channel", talker, "nnot today", code=1).stderr
    shell.run("channel", "nobody", code=3)
    shell.run("channel", talker, "-", code=2)
