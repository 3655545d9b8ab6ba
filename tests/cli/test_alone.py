"""Commands that need no server, and what all commands do alike."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tests.cli.conftest import Shell
from tests.server.running import WAIT_S, guest
from theater.chain import jsonl, shapes
from theater.chain.event import ZERO_HASH, Event, make_event
from theater.cli.program import COMMANDS, theater

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"
SCRIPT = "from theater.cli import main; main()"


def command(name: str) -> click.Command:
    found = theater.get_command(click.Context(theater), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    text = DOCS.read_text()
    section = re.search(rf"^### `theater {name}\b.*?(?=^##|\Z)", text, re.M | re.S)
    assert section is not None, f"docs/cli.md has no section on theater {name}"
    for parameter in command(name).params:
        if isinstance(parameter, click.Option) and parameter.name != "no_color":
            spelled = max(parameter.opts, key=len)
            if spelled not in ("--no-color", "--address", "--data-dir"):
                assert f"`{spelled}" in section[0], f"{name} {spelled} is not documented"


def test_nothing_is_documented_that_is_not_there() -> None:
    named = re.findall(r"^### `theater ([\w-]+)", DOCS.read_text(), re.M)
    assert named == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(alone: Shell, name: str) -> None:
    told = alone.run(name, "--help").stdout
    assert "Examples:" in told
    assert f"theater {name}" in told.split("Examples:")[1]
    short = COMMANDS[name][1]
    assert short.endswith(".")
    assert len(short) < 60


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_only_use_what_there_is(name: str) -> None:
    for example in command(name).examples:  # type: ignore[attr-defined]
        for part in re.split(r"[|>]", example):
            words = shlex.split(part)
            if words[:1] == ["theater"]:
                known = {o for p in command(words[1]).params for o in (*p.opts, *p.secondary_opts)}
                assert {w for w in words[2:] if w.startswith("--")} <= known


MODULES = """
import sys
before = set(sys.modules)
from theater.cli import main
try:
    main()
finally:
    print("imported", *sorted(set(sys.modules) - before))
"""

HELP_IMPORTS = {
    "click",
    "theater",
    "theater.cli",
    "theater.cli.command",
    "theater.cli.exits",
    "theater.cli.program",
    "theater.errors",
}
LIST_IMPORTS = HELP_IMPORTS | {
    "msgspec",
    "typing_extensions",  # msgspec's
    "theater.cli.commands",
    "theater.cli.commands.looking",
    "theater.cli.configuration",
    "theater.cli.files",
    "theater.cli.options",
    "theater.cli.output",
    "theater.cli.plain",
    "theater.client",
    "theater.client.address",
    "theater.client.blocking",
    "theater.client.calls",
    "theater.client.following",
    "theater.ids",
    "theater.limits",
    "theater.protocol",
    "theater.protocol.actors",
    "theater.protocol.errors",
    "theater.protocol.history",
    "theater.protocol.messages",
    "theater.protocol.names",
    "theater.server",
    "theater.server.credentials",
}
"""Each of these is paid for with every `theater list`; a new one is a decision (docs/adr/0008)."""

DEAR = {
    "asyncio",
    "concurrent",
    "cProfile",
    "http",
    "json",
    "logging",
    "multiprocessing",
    "pdb",
    "secrets",
    "sqlite3",
    "subprocess",
    "tempfile",
    "tomllib",
    "unittest",
    "xml",
}
"""What of the standard library takes milliseconds and can wait until it is needed."""


def imported(*words: str) -> tuple[int, str, set[str], set[str]]:
    """Exit code and output of a command, and what it imported: our modules and others, the dear ones."""
    done = subprocess.run(
        [sys.executable, "-c", MODULES, *words], capture_output=True, text=True, timeout=WAIT_S
    )
    output, _, listed = done.stdout.rpartition("imported ")
    found = set(listed.split())
    foreign = {
        name if name.startswith("theater") else name.partition(".")[0]
        for name in found
        if name.partition(".")[0] not in sys.stdlib_module_names
    }
    return done.returncode, output, foreign, {name.partition(".")[0] for name in found} & DEAR


def test_help_lists_all_commands_and_imports_nothing_else() -> None:
    code, output, ours, dear = imported("--help")
    assert code == 0
    assert all(name in output for name in COMMANDS)
    assert ours <= HELP_IMPORTS
    assert dear == set()


def test_list_imports_what_it_needs_and_nothing_else(alone: Shell) -> None:
    code, _, ours, dear = imported("list", "--address", "http://127.0.0.1:1")
    assert code == 4
    assert ours <= LIST_IMPORTS
    assert dear == {"http"}


def test_a_server_that_is_not_there_is_exit_code_4_and_says_what_to_do(alone: Shell) -> None:
    told = alone.run("list", "--address", "http://127.0.0.1:1", code=4).stderr
    assert "theater server" in told


@pytest.mark.parametrize("words", [["frobnicate"], ["list", "--frob"], ["inspect"], ["send", "a"]])
def test_wrong_usage_is_exit_code_2(alone: Shell, words: list[str]) -> None:
    alone.run(*words, code=2)


def test_a_bug_is_a_sentence_and_not_a_traceback(
    alone: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["theater.manifest.parse"], "tomllib", None)
    told = alone.run("validate", alone.manifest, code=1).stderr
    assert "a bug in Theater" in told
    assert "THEATER_TRACEBACK" in told


def test_colours_are_for_terminals_that_want_them(
    alone: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    def told(*words: str) -> str:
        return CliRunner().invoke(theater, list(words), color=True, prog_name="theater").stdout

    assert "\x1b[" in told("--help")
    assert "\x1b[" not in told("--no-color", "--help")
    assert "\x1b[" in told("list", "--help")
    assert "\x1b[" not in told("list", "--no-color", "--help")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in told("--help")


def test_validate_finds_every_problem_with_its_place(alone: Shell) -> None:
    assert alone.json("validate", alone.manifest) == {"ok": True, "problems": [], "warnings": []}
    bad = alone.folder / "bad.toml"
    bad.write_text('name = ""\nnoname = 1\n')
    report = alone.json("validate", str(bad), code=1)
    assert not report["ok"]
    assert len(report["problems"]) >= 3
    assert f"{bad}:2:1" in alone.run("validate", str(bad), code=1).stdout


def test_validate_compares_imports_with_grants(alone: Shell) -> None:
    alone.run("validate", alone.manifest, "--check-interfaces")
    text = Path(alone.manifest).read_text()
    (alone.folder / "needs.wasm").write_bytes(needs_store())
    needs = alone.folder / "needs.toml"
    needs.write_text(text.replace("counter.wasm", "needs.wasm"))
    alone.run("validate", str(needs))
    told = alone.run("validate", str(needs), "--check-interfaces", code=1).stderr
    assert 'type = "store"' in told


def needs_store() -> bytes:
    """The counter with an import that its manifest does not grant."""
    from theater.engine import wat

    text = (Path(__file__).parents[2] / "guests" / "wat" / "counter.wat").read_text()
    imported = (
        '(component\n  (import "theater:simple/store" (instance $store\n'
        '    (export "new" (func (result (result string (error string)))))))\n'
    )
    return wat(text.replace("(component\n", imported, 1))


def test_run_answers_a_request_and_logs_on_standard_error(alone: Shell) -> None:
    result = alone.run("run", alone.manifest, "--request", "hello")
    assert result.stdout == "1"
    assert "hello" in result.stderr


def test_run_keeps_its_history_where_it_is_told_to(alone: Shell) -> None:
    for _ in range(2):
        alone.run("run", alone.manifest, "--request", "x", "--data-dir", str(alone.folder / "d"))
    assert (alone.folder / "d" / "journal.db").exists()


def test_run_prints_the_result_of_an_actor_that_ends(alone: Shell) -> None:
    (alone.folder / "counter.wasm").write_bytes(guest("ending"))
    (alone.folder / "state").write_text("the result")
    words = ("run", alone.manifest, "--state", str(alone.folder / "state"))
    assert alone.run(*words).stdout == "the result"
    assert alone.json(*words)["outcome"]["text"] == "the result"
    assert alone.json("run", alone.manifest, "--request", "bye")["text"] == "bye"


def test_run_fails_as_its_actor_does(alone: Shell) -> None:
    result = alone.run("run", alone.manifest, "--request", "fail", code=1)
    assert result.stdout == ""
    assert "failed as it was asked to" in result.stderr


def test_run_stops_its_actor_when_it_is_interrupted(alone: Shell) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "run", alone.manifest],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ.copy(),
    )
    try:
        assert process.stderr is not None
        assert process.stderr.readline()  # the counter logs its id when it starts
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=WAIT_S)
        assert process.returncode == 130
        assert "Traceback" not in said
    finally:
        process.kill()
        process.communicate()


def chain() -> list[Event]:
    events: list[Event] = []
    parent = ZERO_HASH
    start = shapes.start(
        bytes(16),
        actor="a",
        name="a",
        component=bytes(32),
        manifest=(bytes(32), 1),
        grants=(bytes(32), 1),
        limits={},
        engine={"name": "x", "version": "1", "arch": "y", "bridge": 1, "fuel": False},
        state=None,
    )
    note = shapes.note(bytes(16), by="me", why="tests")
    for seq, (type_, data) in enumerate(
        [("actor-start", start), *[("actor-pause", note), ("actor-resume", note)] * 3]
    ):
        events.append(make_event(seq, 1000 + seq, parent, type_, data))
        parent = events[-1].hash
    return events


def test_verify_checks_files_and_folders_without_a_server(alone: Shell) -> None:
    folder = alone.folder / "chains"
    folder.mkdir()
    path = folder / "a.jsonl"
    path.write_bytes(b"".join(jsonl.write(chain())))
    head = chain()[-1].hash.hex()
    report = alone.json("verify", str(path))
    assert (report["ok"], report["head"], report["against"]) == (True, head, "nothing")
    assert "--head" in alone.run("verify", str(path)).stdout
    assert alone.json("verify", str(path), "--head", head)["against"] == "head"
    assert alone.json("verify", str(folder))[0]["path"] == str(path)
    alone.run("verify", str(path), "--head", "zz", code=2)


@pytest.mark.parametrize("dropped", [1, 3, 5])
def test_verify_names_the_event_at_which_a_chain_breaks(alone: Shell, dropped: int) -> None:
    events = chain()
    del events[dropped]
    path = alone.folder / "a.jsonl"
    path.write_bytes(b"".join(jsonl.write(events)))
    report = alone.json("verify", str(path), code=1)
    assert (report["ok"], report["problem"]["seq"]) == (False, dropped)


@pytest.mark.parametrize("seq", [0, 2, 6])
def test_verify_names_the_line_that_was_changed(alone: Shell, seq: int) -> None:
    lines = list(jsonl.write(chain()))
    fields = json.loads(lines[seq])
    fields["data"]["changed"] = 1
    lines[seq] = json.dumps(fields).encode() + b"\n"
    path = alone.folder / "a.jsonl"
    path.write_bytes(b"".join(lines))
    report = alone.json("verify", str(path), code=1)
    assert (report["ok"], report["problem"]["seq"]) == (False, seq)
    assert f"event {seq}" in alone.run("verify", str(path), code=1).stdout


def test_verify_of_a_folder_without_chains_finds_nothing(alone: Shell) -> None:
    alone.run("verify", str(alone.folder), code=3)


def test_a_reader_that_leaves_early_gets_no_complaint(alone: Shell) -> None:
    path = alone.folder / "a.jsonl"
    path.write_bytes(b"".join(jsonl.write(chain())))
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "verify", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(WAIT_S) in (0, 1)


@pytest.mark.parametrize("kind", ["bash", "zsh", "fish"])
def test_shells_get_a_completion(kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "_THEATER_COMPLETE": f"{kind}_source"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert "_THEATER_COMPLETE" in done.stdout


def test_a_completion_knows_commands_and_options() -> None:
    def completed(words: str, place: int) -> list[str]:
        variables = {
            "_THEATER_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(place),
        }
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
        )
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert completed("theater st", 1) == ["start", "status", "state", "stop"]
    assert "--force" in completed("theater stop --f", 2)


def test_run_saves_the_chain_that_a_manifest_wants_saved(alone: Shell) -> None:
    path = Path(alone.manifest)
    path.write_text(path.read_text().replace("[[handler]]", "save_chain = true\n[[handler]]", 1))
    data = alone.folder / "kept"
    told = alone.run("run", str(path), "--request", "x", "--data-dir", str(data)).stderr
    assert "temporary" not in told
    (chain,) = (data / "chains").glob("*.jsonl")
    assert alone.json("verify", str(chain))["complete"]
    assert "temporary" in alone.run("run", str(path), "--request", "x").stderr
