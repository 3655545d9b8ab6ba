"""`export`, `import`, and the commands that take a chain file for an actor."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests.chain.sample import Builder, realistic, without_data
from tests.cli.conftest import Shell
from tests.server.running import Running
from theater.chain import files, jsonl, shapes
from theater.chain.event import Event
from theater.chain.files import Form

FORMS = list(Form)
each_form = pytest.mark.parametrize("form", FORMS, ids=[form.value for form in FORMS])


def stranger(number: int, calls: int = 5) -> list[Event]:
    chain = Builder()
    chain.start(actor=actor_id(number), name=f"stranger-{number}")
    for event in realistic(calls)[1:]:
        chain.add(event.type, event.data or b"")
    return chain.events


def actor_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def put(path: Path, events: list[Event], form: Form) -> str:
    path.write_bytes(b"".join(files.write(events, form)))
    return str(path)


def read(path: Path) -> list[Event]:
    with path.open("rb") as file:
        return list(files.read(file))


# Without a server


@each_form
def test_verify_takes_files_of_any_form_under_any_name(alone: Shell, form: Form) -> None:
    events = stranger(1)
    path = put(alone.folder / "something", events, form)
    report = alone.json("verify", path, "--head", events[-1].hash.hex())
    assert (report["ok"], report["events"], report["against"]) == (True, len(events), "head")


@each_form
def test_verify_says_where_a_file_is_cut_off(alone: Shell, form: Form) -> None:
    path = alone.folder / "a"
    put(path, stranger(1), form)
    path.write_bytes(path.read_bytes()[:-20])
    report = alone.json("verify", str(path), code=1)
    assert report["problem"]["seq"] == len(stranger(1)) - 1
    assert "cut off" in report["problem"]["detail"]


def test_verify_of_a_folder_takes_every_chain_below_it(alone: Shell) -> None:
    deep = alone.folder / "chains" / "a" / "b"
    deep.mkdir(parents=True)
    for number, form in enumerate(FORMS):
        put(deep / f"x{form.suffix}", stranger(number), form)
    put(deep.parent / "bad.chain", stranger(7)[1:], Form.BLOCKS)
    (deep / "no.jsonl").write_bytes(b"PK\x03\x04")
    (deep / "x.meta.json").write_text("{}")
    reports = alone.json("verify", str(alone.folder / "chains"), code=1)
    found = {Path(each["path"]).name: each["ok"] for each in reports}
    assert found == {
        "x.jsonl": True,
        "x.chain": True,
        "x.cborseq": True,
        "bad.chain": False,
        "no.jsonl": False,
    }


@each_form
def test_events_of_a_file_are_those_that_a_server_would_print(alone: Shell, form: Form) -> None:
    events = stranger(1)
    path = put(alone.folder / f"a{form.suffix}", events, form)
    printed = alone.run("events", path, "--json").stdout
    assert printed.encode() == b"".join(jsonl.write(events))
    some = alone.run("events", path, "--from", "3", "--limit", "2", "--format", "jsonl").stdout
    assert [json.loads(line)["seq"] for line in some.splitlines()] == [3, 4]
    calls = alone.run("events", path, "--type", "wasm-c*", "--format", "jsonl").stdout
    assert {json.loads(line)["event_type"] for line in calls.splitlines()} == {"wasm-call"}
    assert "wasm-call" in alone.run("events", path).stdout
    assert events[2].hash.hex() in alone.run("events", path, "--format", "pretty").stdout
    alone.run("events", path, "--follow", code=2)


def test_events_with_the_last_of_all_times_are_printed(alone: Shell) -> None:
    chain = Builder(2**64 - 10)
    chain.start()
    path = put(alone.folder / "a.jsonl", chain.events, Form.JSONL)
    assert "586524-01-19 08:01:49" in alone.run("events", path).stdout


@each_form
def test_export_writes_a_file_in_any_other_form(alone: Shell, form: Form) -> None:
    chain = Builder()
    chain.start()
    chain.note(shapes.ACTOR_PAUSE)
    chain.add(shapes.CHAIN_REDACT, shapes.redact(chain.salt, "operator", "secret", [1]))
    events = without_data(chain.events, [1])
    path = put(alone.folder / f"a{form.suffix}", events, form)
    for other in FORMS:
        written = alone.json("export", path, "-o", str(alone.folder / f"b{other.suffix}"))
        assert written == {
            "chain": str(alone.folder / f"b{other.suffix}"),
            "meta": None,
            "events": 3,
        }
        assert read(Path(written["chain"])) == events
        put_out = alone.run("export", path, "--form", other.value, "-o", "-").stdout_bytes
        assert put_out == Path(written["chain"]).read_bytes()
    named = alone.json("export", path, "--form", "cborseq", "-o", str(alone.folder / "out"))
    assert named["chain"] == str(alone.folder / "out" / "a.cborseq")


def test_export_leaves_nothing_of_a_file_that_it_could_not_read(alone: Shell) -> None:
    path = alone.folder / "a.jsonl"
    put(path, stranger(1), Form.JSONL)
    path.write_bytes(path.read_bytes()[:-20])
    before = sorted(alone.folder.iterdir())
    alone.run("export", str(path), "-o", str(alone.folder / "b.chain"), code=1)
    alone.run("export", str(path), "-o", f"{path}/b.chain", code=2)
    alone.run("export", str(path), "-o", "-", "--json", code=2)
    assert sorted(alone.folder.iterdir()) == before


def test_a_file_that_is_no_chain_is_named_as_such(alone: Shell) -> None:
    path = alone.folder / "a.jsonl"
    path.write_bytes(b"\x7fELF")
    for words in (["events", str(path)], ["export", str(path)]):
        assert "encoding.not_a_chain" in alone.run(*words, code=1).stderr


# With a server


@each_form
def test_an_exported_actor_verifies_and_replays_in_any_form(
    shell: Shell, form: Form, served: Running
) -> None:
    actor = shell.start(f"exported-{form.value}")
    shell.run("request", actor, "x")
    written = shell.json(
        "export", actor, "--form", form.value, "-o", str(shell.folder / "out"), "--json"
    )
    path = shell.folder / "out" / f"{actor}{form.suffix}"
    assert written["chain"] == str(path)
    assert (written["meta"] is not None) == (form is Form.JSONL)
    assert read(path) == list(served.node.events(actor))
    assert shell.json("verify", str(path))["ok"]
    assert shell.json("replay", str(path))["equal"]
    if form is Form.JSONL:
        meta = jsonl.read_meta(Path(written["meta"]).read_bytes())
        assert (meta.actor_id, meta.actor_name) == (actor, f"exported-{form.value}")
    stream = shell.run("export", actor, "--form", form.value, "-o", "-").stdout_bytes
    assert stream == path.read_bytes()


@each_form
def test_an_imported_chain_is_shown_like_an_actor_that_ended(shell: Shell, form: Form) -> None:
    number = 100 + FORMS.index(form)
    actor = actor_id(number)
    events = stranger(number)
    path = put(shell.folder / f"a{form.suffix}", events, form)
    done = shell.json("import", path)
    assert (done["outcome"], done["content"], done["actor"]["id"]) == ("new", False, actor)
    assert "there already" in shell.run("import", path).stdout
    name = f"stranger-{number}"
    assert shell.run("status", name).stdout.strip() == "imported"
    assert actor in shell.run("list", "--all").stdout
    assert actor not in shell.run("list").stdout
    assert shell.json("inspect", name)["events"] == len(events)
    assert shell.run("events", name, "--json").stdout.encode() == b"".join(jsonl.write(events))
    assert len(shell.run("events", name, "--follow").stdout.splitlines()) == len(events)
    assert shell.json("verify", name) == {
        **shell.json("verify", path),
        "against": "nothing",
    }
    shell.run("logs", name)
    shell.run("wait", name, code=1)
    assert "came as a file" in shell.run("state", name, code=3).stderr
    assert "came as a file" in shell.run("replay", name, code=3).stderr
    shell.run("send", name, "x", code=3)
    out = shell.json("export", name, "--form", form.value, "-o", str(shell.folder / "again"))
    assert Path(out["chain"]).read_bytes() == Path(path).read_bytes()


def test_import_says_what_can_not_be_shown_without_content(shell: Shell) -> None:
    path = put(shell.folder / "a.jsonl", stranger(200), Form.JSONL)
    result = shell.run("import", path)
    assert "imported" in result.stdout
    assert "state and replay don't" in result.stderr


def test_an_imported_chain_has_no_end_to_wait_for(shell: Shell) -> None:
    shell.run("import", put(shell.folder / "w.jsonl", stranger(204), Form.JSONL))
    waited = shell.run("wait", "stranger-204", code=1)
    assert "never ran here" in waited.stderr
    assert not waited.stdout


@pytest.mark.parametrize("command", ["verify", "replay", "events", "export"])
def test_a_path_to_nothing_is_told_as_that(alone: Shell, command: str) -> None:
    assert "there is no file ./none.jsonl" in alone.run(command, "./none.jsonl", code=3).stderr


def test_import_reads_standard_input(shell: Shell) -> None:
    data = b"".join(files.write(stranger(201), Form.SEQUENCE))
    assert actor_id(201) in shell.run("import", "-", stdin=data).stdout


def test_a_chain_that_no_longer_says_whose_it_is_is_named_by_its_file(shell: Shell) -> None:
    chain = Builder()
    chain.start(actor=actor_id(202))
    chain.add(shapes.CHAIN_REDACT, shapes.redact(chain.salt, "operator", "secret", [0]))
    events = without_data(chain.events, [0])
    path = put(shell.folder / "a.jsonl", events, Form.JSONL)
    assert "encoding.actor" in shell.run("import", path, code=1).stderr
    path = put(shell.folder / f"{actor_id(202)}.jsonl", events, Form.JSONL)
    assert shell.json("import", path)["actor"]["id"] == actor_id(202)


def test_a_contradicting_chain_is_refused_with_the_first_event_that_differs(shell: Shell) -> None:
    shell.run("import", put(shell.folder / "a.jsonl", stranger(203), Form.JSONL))
    other = stranger(203)[:1]
    chain = Builder(other[-1].at)
    chain.events = other
    chain.note(shapes.ACTOR_PAUSE)
    path = put(shell.folder / "b.jsonl", chain.events, Form.JSONL)
    refused = shell.run("import", path, "--json", code=1)
    told = json.loads(refused.stderr)
    assert (told["code"], told["facts"]["seq"]) == ("import.different", 1)


@pytest.mark.parametrize("words", [["import", "none.jsonl"], ["import", "."], ["import"]])
def test_a_file_that_is_not_there_is_wrong_usage(shell: Shell, words: list[str]) -> None:
    shell.run(*words, code=2)


def test_a_file_is_not_taken_for_an_actor_of_its_name(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = shell.start("beside")
    monkeypatch.chdir(shell.folder)
    (shell.folder / "beside").write_bytes(b"not a chain")
    assert json.loads(shell.run("events", "beside", "--json").stdout.splitlines()[0])["seq"] == 0
    assert shell.json("export", "beside")["chain"] == f"{actor}.jsonl"


def test_what_was_imported_is_a_plain_file_that_verifies(shell: Shell, served: Running) -> None:
    shell.run("import", put(shell.folder / "a.chain", stranger(204), Form.BLOCKS))
    kept = served.data_dir / "imports" / f"{actor_id(204)}.cborseq"
    assert list(files.read(io.BytesIO(kept.read_bytes()))) == stranger(204)
    assert shell.json("verify", str(kept))["ok"]
