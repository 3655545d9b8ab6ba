"""`theater dead-letters` and `theater quarantine`, as people and programs meet them."""

from __future__ import annotations

import base64

from tests.cli.conftest import Shell


def poisoned(shell: Shell, name: str, body: str = "trap") -> str:
    """The id of a message that an actor of this name set aside."""
    shell.start(name)
    shell.run("request", name, body, code=1)
    (found,) = shell.json("quarantine", name)["messages"]
    message: str = found["id"]
    return message


def test_messages_are_listed_for_people(shell: Shell) -> None:
    message = poisoned(shell, "listed")
    head, *rows = shell.run("quarantine", "listed").stdout.splitlines()
    assert head.split() == [
        "ID",
        "RECEIVER",
        "FROM",
        "KIND",
        "REASON",
        "ATTEMPTS",
        "WHEN",
        "SIZE",
        "BEGINS",
    ]
    (row,) = rows
    assert row.split()[0] == message
    assert "client outside" in row
    assert row.split()[-1] == "trap"
    told = shell.run("dead-letters", "listed")
    assert (told.stdout, told.stderr) == ("", "There are no dead letters.\n")


def test_a_list_says_how_it_goes_on(shell: Shell) -> None:
    poisoned(shell, "long")
    shell.run("request", "long", "trap", code=1)
    told = shell.run("quarantine", "long", "--limit", "1")
    assert len(told.stdout.splitlines()) == 2
    after = told.stderr.strip().rpartition("--after ")[2]
    rest = shell.json("quarantine", "long", "--after", after)
    assert (len(rest["messages"]), rest["next"]) == (1, None)


def test_what_a_body_begins_with_moves_no_cursor(shell: Shell) -> None:
    shell.start("colourful")
    shell.run("send", "colourful", "-", stdin=b"\x1b[31m\xff")
    shell.run("stop", "colourful")
    poisoned(shell, "plain")
    assert "\x1b" not in shell.run("quarantine").stdout


def test_a_body_is_shown_as_it_is(shell: Shell) -> None:
    message = poisoned(shell, "shown")
    assert shell.run("quarantine", "--show", message).stdout_bytes == b"trap"
    told = shell.json("dead-letters", "--show", message)
    assert (base64.b64decode(told["body"]), told["text"]) == (b"trap", "trap")


def test_a_message_is_delivered_again_and_set_aside_again(shell: Shell) -> None:
    message = poisoned(shell, "again")
    key = ("--key", "cli-again")
    new = shell.json("quarantine", "--deliver", message, *key)["message"]
    assert shell.run("quarantine", "--deliver", message, *key).stdout.strip() == new
    assert shell.run("request", "again", "fine").stdout == "1"
    (found,) = shell.json("quarantine", "again")["messages"]
    assert (found["id"], found["attempts"]) == (new, 2)


def test_a_message_is_delivered_to_another_actor(shell: Shell) -> None:
    message = poisoned(shell, "gone")
    shell.run("stop", "gone")
    refused = shell.run("quarantine", "--deliver", message, code=3)
    assert "actor.ended" in refused.stderr
    shell.start("heir")
    shell.run("quarantine", "--deliver", message, "--to", "heir")
    assert shell.run("request", "heir", "fine").stdout == "1"
    assert len(shell.json("quarantine", "heir")["messages"]) == 1


def test_a_message_is_dropped(shell: Shell) -> None:
    message = poisoned(shell, "dropped")
    assert shell.json("quarantine", "--drop", message) == {"message": message}
    shell.run("quarantine", "--drop", message, code=3)
    assert shell.json("quarantine", "dropped")["messages"] == []
    assert "dropped so far" in shell.run("quarantine", "dropped").stderr


def test_what_does_not_go_together_is_wrong_usage(shell: Shell) -> None:
    shell.run("quarantine", "counter", "--drop", "msg_1", code=2)
    shell.run("quarantine", "--show", "msg_1", "--deliver", "msg_1", code=2)
    shell.run("dead-letters", "--to", "counter", code=2)
    shell.run("dead-letters", "--limit", "0", code=2)
