"""Commands about actors, against a real server."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.runtime.variants import COUNTS_ALIKE, COUNTS_BY_TWO
from tests.server.running import WAIT_S, Running, guest


def test_an_actors_whole_life_in_json(shell: Shell) -> None:
    actor = shell.json("start", shell.manifest, "--name", "life")
    assert (actor["name"], actor["status"]) == ("life", "running")
    assert shell.json("send", "life", "one")["message"].startswith("msg_")
    assert shell.json("request", "life", "two") == {
        "answer": base64.b64encode(b"2").decode(),
        "text": "2",
    }
    assert shell.json("state", "life")["text"] == "2"
    assert shell.json("state", "life", "--at", "0") == {"state": None, "text": None}
    assert shell.json("status", "life") == {"id": actor["id"], "status": "running"}
    assert shell.json("inspect", actor["id"][:13])["id"] == actor["id"]
    assert actor["id"] in [each["id"] for each in shell.json("list")]
    report = shell.json("verify", "life")
    assert (report["ok"], report["events"]) == (True, shell.json("inspect", "life")["events"])
    assert shell.json("replay", "life")["equal"]
    assert shell.json("pause", "life")["status"] == "paused"
    assert shell.json("status", "life")["status"] == "paused"
    assert shell.json("resume", "life")["status"] == "running"
    assert shell.json("restart", "life", "--keep-state")["status"] == "running"
    assert shell.json("state", "life")["text"] == "2"
    assert shell.json("restart", "life")["status"] == "running"
    assert shell.json("state", "life")["text"] == "0"
    assert shell.json("stop", "life")["status"] == "stopped"
    assert shell.json("wait", actor["id"])["status"] == "stopped"
    assert actor["id"] not in [each["id"] for each in shell.json("list")]
    assert actor["id"] in [each["id"] for each in shell.json("list", "--all")]


def test_an_actors_whole_life_for_people(shell: Shell) -> None:
    actor = shell.start("people")
    shell.run("send", "people", "hello")
    assert shell.run("request", "people", "x").stdout == "2"
    assert "people" in shell.run("list").stdout
    assert actor in shell.run("inspect", "people").stdout
    assert shell.run("status", "people").stdout == "running\n"
    assert shell.run("state", "people").stdout == "2"
    assert "hello" in shell.run("logs", "people").stdout
    told = shell.run("events", "people").stdout
    assert "actor-start" in told
    assert 'params [["hello"]]' in told
    assert "wasm-call" in shell.run("events", "people", "--format", "pretty").stdout
    assert "verifies" in shell.run("verify", "people").stdout
    assert "same head" in shell.run("replay", "people").stdout
    assert "paused" in shell.run("pause", "people").stdout
    assert "paused" in shell.run("list").stdout
    assert "paused" in shell.run("inspect", "people").stdout
    assert "running" in shell.run("resume", "people").stdout
    assert "running" in shell.run("restart", "people").stdout
    assert "stopped" in shell.run("stop", "people", "--force").stdout
    assert shell.run("wait", actor).stdout == ""


def test_an_actor_is_updated_or_the_difference_is_printed(shell: Shell) -> None:
    shell.start("upgraded")
    shell.run("send", "upgraded", "x")
    alike, other = shell.folder / "alike.wasm", shell.folder / "other.wasm"
    alike.write_bytes(COUNTS_ALIKE)
    other.write_bytes(COUNTS_BY_TWO)
    updated = shell.json("update", "upgraded", str(alike))
    assert (updated["status"], updated["component"]) == (
        "running",
        sha256(COUNTS_ALIKE).hexdigest(),
    )
    shell.run("send", "upgraded", "y")
    refused = shell.run("update", "upgraded", str(other), code=1)
    assert refused.stdout == ""
    for told in ("handle-send", "expected  the state 2", "actual    the state 3", "--force"):
        assert told in refused.stderr
    refused = shell.run("update", "upgraded", str(other), "--json", code=1)
    assert (refused.stdout, json.loads(refused.stderr)["code"]) == ("", "update.diverged")
    assert shell.json("inspect", "upgraded")["component"] == updated["component"]
    forced = shell.run("update", "upgraded", str(other), "--force").stdout
    assert sha256(COUNTS_BY_TWO).hexdigest() in forced
    assert shell.json("replay", "upgraded")["equal"]
    assert shell.json("verify", "upgraded")["ok"]
    shell.run("update", "upgraded", str(shell.folder / "none.wasm"), code=3)
    shell.run("update", "upgraded", shell.manifest, code=1)
    shell.run("update", "upgraded", str(shell.folder), code=2)
    shell.run("update", "nobody", str(alike), code=3)


def test_a_registered_name_reaches_its_holder_before_one_that_a_manifest_gives(
    shell: Shell, served: Running
) -> None:
    holder, bearer = served.start_named("front-desk"), shell.start("front-desk")
    assert shell.run("request", "front-desk", "who").stdout == "who"
    shell.run("send", "front-desk", "x")
    assert holder.id in shell.run("inspect", "front-desk").stdout
    shell.run("stop", "front-desk")
    assert bearer in shell.run("inspect", "front-desk").stdout
    assert shell.run("request", "front-desk", "who").stdout == "1"


def test_messages_come_from_arguments_files_and_standard_input(shell: Shell) -> None:
    shell.start("bodies")
    message = shell.folder / "message"
    message.write_text("from a file")
    shell.run("send", "bodies", "--file", str(message))
    shell.run("send", "bodies", "-", stdin="from standard input")
    shell.run("request", "bodies", "from an argument")
    told = shell.run("logs", "bodies").stdout
    assert told.index("from a file") < told.index("standard input") < told.index("an argument")


@pytest.mark.parametrize(
    ("words", "told"), [([], "Give the message"), (["x", "--file", "y"], "not both")]
)
def test_a_message_is_given_in_one_way(shell: Shell, words: list[str], told: str) -> None:
    assert told in shell.run("send", "anyone", *words, code=2).stderr


def test_an_id_can_come_from_a_pipe(shell: Shell) -> None:
    actor = shell.start("piped")
    assert shell.run("events", "-", "--limit", "1", stdin=f"{actor}\n").stdout
    shell.run("events", "-", stdin="", code=2)


def test_events_can_be_chosen(shell: Shell) -> None:
    shell.start("chosen")
    lines = shell.run("events", "chosen", "--from", "1", "--type", "wasm-*", "--json").stdout
    assert [json.loads(line)["event_type"] for line in lines.splitlines()] == [
        "wasm-call",
        "wasm-result",
    ]
    same = shell.run("events", "chosen", "--from", "1", "--type", "wasm-*", "--format", "jsonl")
    assert same.stdout == lines


def test_following_ends_with_the_actor(shell: Shell) -> None:
    shell.start("followed")
    shell.run("stop", "followed")
    assert "actor-stop" in shell.run("events", "followed", "--follow").stdout
    shell.run("logs", "followed", "--follow")


def test_a_guests_error_is_told_in_its_words(shell: Shell) -> None:
    shell.start("failing")
    result = shell.run("request", "failing", "fail", code=1)
    assert result.stdout == ""
    assert "failed as it was asked to" in result.stderr
    (event,) = shell.run("events", "failing", "--type", "wasm-error").stdout.splitlines()
    assert "wasm-error  kind error  message failed as it was asked to  function " in event


def test_what_a_guest_breaks_into_lines_can_not_be_taken_for_other_lines(shell: Shell) -> None:
    shell.start("talkative")
    shell.run("request", "talkative", "one\n2023-11-14 22:13:20  two\x1b[2J\n")
    first, second = shell.run("logs", "talkative").stdout.splitlines()[-2:]
    assert first.endswith("one")
    assert second == " " * 21 + "2023-11-14 22:13:20  two\N{REPLACEMENT CHARACTER}[2J"


def test_an_error_is_json_for_who_asked_for_json(shell: Shell) -> None:
    result = shell.run("inspect", "nobody", "--json", code=3)
    assert result.stdout == ""
    assert json.loads(result.stderr)["code"] == "actor.not_found"


def test_whoever_is_not_there_is_not_found(shell: Shell) -> None:
    for command in ("inspect", "status", "state", "logs", "events", "stop", "verify", "wait"):
        assert "nobody" in shell.run(command, "nobody", code=3).stderr


def test_a_start_takes_variables_before_the_environment(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = shell.folder / "variables.toml"
    text = (shell.folder / "manifest.toml").read_text()
    manifest.write_text(text.replace('"counter"', '"${WHO}-${WHERE:-here}"', 1))
    monkeypatch.setenv("WHO", "env")
    assert shell.json("start", str(manifest))["name"] == "env-here"
    words = ("--var", "WHO=ann", "--var", "WHERE=there")
    assert shell.json("start", str(manifest), *words)["name"] == "ann-there"
    shell.run("start", str(manifest), "--var", "nonsense", code=2)


def test_a_start_takes_its_state_from_a_file(shell: Shell) -> None:
    (shell.folder / "state").write_text("41")
    shell.run("start", shell.manifest, "--name", "given", "--state", str(shell.folder / "state"))
    assert shell.run("request", "given", "x").stdout == "42"
    named = shell.folder / "named.toml"
    named.write_text('initial_state = "state"\n' + (shell.folder / "manifest.toml").read_text())
    shell.run("start", str(named), "--name", "named")
    assert shell.run("request", "named", "x").stdout == "42"


def test_a_start_checks_the_pin_of_the_component(shell: Shell) -> None:
    text = (shell.folder / "manifest.toml").read_text()
    manifest = shell.folder / "pinned.toml"
    manifest.write_text(f'component_sha256 = "{"0" * 64}"\n{text}')
    assert "theater build" in shell.run("start", str(manifest), code=1).stderr


def test_a_start_without_its_files_says_which_is_missing(shell: Shell) -> None:
    assert "nowhere.toml" in shell.run("start", "nowhere.toml", code=3).stderr
    (shell.folder / "counter.wasm").unlink()
    assert "theater build" in shell.run("start", shell.manifest, code=3).stderr


def test_a_bad_manifest_is_told_with_line_and_column(shell: Shell) -> None:
    bad = shell.folder / "bad.toml"
    bad.write_text('name = "x"\ncomponent = "counter.wasm"\nnoname = 1\n')
    assert "3:1" in shell.run("start", str(bad), code=1).stderr


def test_an_export_verifies_and_replays(shell: Shell, tmp_path: Path) -> None:
    actor = shell.start("exported")
    shell.run("request", "exported", "x")
    folder = tmp_path / "out"
    told = shell.json("export", "exported", "-o", str(folder))
    assert (told["chain"], told["events"]) == (str(folder / f"{actor}.jsonl"), 7)
    meta = json.loads(Path(told["meta"]).read_text())
    assert (meta["actor_id"], meta["actor_name"]) == (actor, "exported")
    assert meta["manifest_path"] == shell.manifest
    head = shell.json("inspect", actor)["head"]
    assert shell.json("verify", told["chain"], "--head", head)["against"] == "head"
    assert shell.json("replay", told["chain"])["head"] == head
    assert shell.json("verify", "exported", "--head", head)["ok"]
    assert not shell.json("verify", "exported", "--head", "0" * 64, code=1)["ok"]


def ending(shell: Shell) -> str:
    """The manifest of an actor that ends with the message that it is sent."""
    text = (shell.folder / "manifest.toml").read_text()
    manifest = shell.folder / "ending.toml"
    (shell.folder / "ending.wasm").write_bytes(guest("ending"))
    manifest.write_text(text.replace("counter.wasm", "ending.wasm"))
    return str(manifest)


def test_waiting_gives_the_result(shell: Shell) -> None:
    actor = shell.run("start", ending(shell), "--id-only").stdout.strip()
    shell.run("wait", actor, "--timeout", "0.05", code=1)
    shell.run("send", actor, "the result")
    assert shell.run("wait", actor).stdout == "the result"
    assert shell.json("wait", actor)["outcome"] == {
        "ok": True,
        "body": base64.b64encode(b"the result").decode(),
        "text": "the result",
    }
    assert "the result" in shell.run("inspect", actor).stdout


def test_monitoring_goes_on_until_the_end_and_gives_the_result(shell: Shell) -> None:
    words = ["start", ending(shell), "--id-only", "--monitor"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from theater.cli import main; main()", *words],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        actor = process.stdout.readline().strip()
        shell.run("send", actor, "the result")
        assert process.stdout.read() == "the result"
        assert process.wait(WAIT_S) == 0
    finally:
        process.kill()
        process.communicate()


def test_subscribe_prints_the_events_of_what_was_just_started_from_the_first_on(
    shell: Shell,
) -> None:
    actor = shell.start("subscribed")
    shell.run("request", actor, "x")
    shell.run("stop", actor)
    lines = shell.run("subscribe", "-", "--json", stdin=f"{actor}\n").stdout.splitlines()
    told = [json.loads(line) for line in lines]
    assert {each["actor"] for each in told} == {actor}
    assert [each["event"]["seq"] for each in told] == list(range(len(told)))
    assert told[-1]["event"]["event_type"] == "actor-stop"
    same = shell.run("subscribe", actor, "--format", "json").stdout.splitlines()
    assert same == lines
    compact = shell.run("subscribe", actor, "--type", "actor-*").stdout.splitlines()
    assert [line.split()[3] for line in compact] == ["actor-start", "actor-stop"]
    assert "parent" in shell.run("subscribe", actor, "--format", "pretty", "--limit", "1").stdout


def test_subscribe_follows_several_actors_and_says_whose_each_event_is(shell: Shell) -> None:
    actors = [shell.start(f"several-{number}") for number in range(2)]
    for actor in actors:
        shell.run("stop", actor)
    lines = shell.run("subscribe", *actors, "--from", "2").stdout.splitlines()
    assert {line.split()[0] for line in lines} == {actor[:8] for actor in actors}
    piped = shell.run("subscribe", "-", "--from", "2", stdin="\n".join(actors)).stdout
    assert sorted(piped.splitlines()) == sorted(lines)


def test_subscribe_to_all_has_every_actor(shell: Shell) -> None:
    actor = shell.start("one-of-all")
    told = shell.run("subscribe", "--all", "--type", "actor-start", "--limit", "1", "--json").stdout
    assert json.loads(told)["event"]["event_type"] == "actor-start"
    count = len(shell.json("list", "--all"))
    lines = shell.run(
        *("subscribe", "--all", "--type", "actor-start", "--limit", str(count), "--json")
    ).stdout.splitlines()
    assert actor in [json.loads(line)["actor"] for line in lines]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["subscribe"], 2),
        (["subscribe", "--all", "somebody"], 2),
        (["subscribe", "somebody", "--from", "x"], 2),
        (["subscribe", "somebody", "--from", "-1"], 2),
        (["subscribe", "-"], 2),
        (["subscribe", "nobody-at-all"], 3),
        (["subscribe", "--all", "--type", "x" * 300], 2),
    ],
)
def test_a_subscription_that_makes_no_sense_is_told_so(
    shell: Shell, words: list[str], code: int
) -> None:
    shell.run(*words, code=code, stdin="")


def test_all_actors_and_some_are_not_asked_for_together(shell: Shell) -> None:
    told = shell.run("subscribe", "--all", "somebody", code=2).stderr
    assert "Name actors or say --all, not both." in told


def test_children_are_shown_below_their_parent(shell: Shell) -> None:
    handlers = '[[handler]]\ntype = "message-server"\n[[handler]]\ntype = "supervisor"\n'
    (shell.folder / "parent.wasm").write_bytes(guest("parent"))
    manifest = f'component = "parent.wasm"\n{handlers}'
    (shell.folder / "top.toml").write_text(f'name = "top"\n{manifest}')
    (shell.folder / "kid.toml").write_text(f'name = "kid"\n{manifest}')
    shell.run("start", str(shell.folder / "top.toml"))
    child = shell.run("request", "top", "ckid.toml").stdout
    grandchild = shell.run("request", child, "ckid.toml").stdout
    inspected = shell.run("inspect", "top").stdout
    assert f"child      {child} kid" in inspected
    parent = shell.json("inspect", "top")["id"]
    assert shell.json("inspect", child)["parent"] == parent
    assert f"{parent}\n" in shell.run("list").stdout
    tree = shell.run("list", "--tree").stdout.splitlines()
    at = next(number for number, line in enumerate(tree) if line.startswith(parent))
    assert tree[at + 1].startswith(f"{child}    kid")
    assert tree[at + 2].startswith(f"{grandchild}      kid")
    shell.run("stop", "top")
    assert shell.json("status", grandchild)["status"] == "stopped"
