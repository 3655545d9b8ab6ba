"""`save_chain` at a running node: its files follow the journal and nothing waits for them."""

from __future__ import annotations

import errno
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runtime.actors import WAIT_S, Theater, guest, theater
from theater.chain import files, jsonl
from theater.chain.verify import verify
from theater.errors import Denied, ManifestError
from theater.handlers.grant_types import GRANT_TYPES
from theater.manifest import parse
from theater.manifest.model import Manifest
from theater.runtime import chain_saving
from theater.runtime.info import ActorInfo
from theater.runtime.settings import NodeSettings

GRANT = '[[handler]]\ntype = "message-server"\n'


def saved(folder: str | None = None) -> Manifest:
    where = "" if folder is None else f"chain_dir = {json.dumps(folder)}\n"
    text = f'name = "counter"\ncomponent = "unused.wasm"\nsave_chain = true\n{where}{GRANT}'
    return parse(text, grant_types=GRANT_TYPES)


def path_of(stage: Theater, actor: ActorInfo, folder: str = "") -> Path:
    return stage.data_dir / "chains" / folder / f"{actor.id}.jsonl"


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something comes true that no commit tells of."""
    end = time.monotonic() + WAIT_S
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        pause.wait(0.01)


def in_journal(stage: Theater, actor: ActorInfo) -> bytes:
    return b"".join(jsonl.write(stage.node.events(actor.id)))


def caught_up(stage: Theater, actor: ActorInfo, path: Path) -> None:
    eventually(lambda: path.is_file() and path.read_bytes() == in_journal(stage, actor))


def test_a_chain_is_streamed_while_its_actor_runs(stage: Theater) -> None:
    actor = stage.start("counter", saved())
    path = path_of(stage, actor)
    caught_up(stage, actor, path)
    for _ in range(5):
        stage.ask(actor, b"")
    caught_up(stage, actor, path)
    with path.open("rb") as file:
        assert verify(files.read(file)).problem is None
    meta = jsonl.read_meta(path.with_suffix(".meta.json").read_bytes())
    assert (meta.actor_id, meta.actor_name) == (actor.id, "counter")
    assert meta.started_at == actor.started_at // 1_000_000


def test_nothing_is_saved_of_actors_that_do_not_ask_for_it(stage: Theater) -> None:
    stage.start("counter")
    asked = stage.start("counter", saved())
    caught_up(stage, asked, path_of(stage, asked))
    assert {path.name.split(".")[0] for path in (stage.data_dir / "chains").iterdir()} == {asked.id}


def test_no_line_is_there_before_its_event_is_on_disk(tmp_path: Path, cache_dir: Path) -> None:
    seen: list[tuple[int, int]] = []

    def look(point: str, _number: int) -> None:
        for stage in opened if point == "written" else ():
            for path in (tmp_path / "data" / "chains").glob("*.jsonl"):
                lines = path.read_bytes().count(b"\n")
                row = stage.node.journal.actor(path.stem)
                assert row is not None
                seen.append((lines, row.tip.seq + 1))

    opened: list[Theater] = []
    settings = NodeSettings(cache_dir=cache_dir, failpoint=look)
    with theater(tmp_path / "data", settings) as stage:
        opened.append(stage)
        actor = stage.start("counter", saved())
        caught_up(stage, actor, path_of(stage, actor))
        for _ in range(50):
            stage.ask(actor, b"")
        caught_up(stage, actor, path_of(stage, actor))
    assert len(seen) > 50
    assert all(lines <= durable for lines, durable in seen)


def test_an_orderly_close_leaves_a_whole_file(stage: Theater) -> None:
    actor = stage.start("counter", saved())
    for _ in range(20):
        stage.tell(actor, b"")
    stage.node.close()
    with path_of(stage, actor).open("rb") as file:
        events = list(files.read(file))
    stage.reopen()
    assert events == list(stage.node.events(actor.id))[: len(events)]
    assert events[-1].type in ("wasm-result", "actor-start", "wasm-call")
    caught_up(stage, actor, path_of(stage, actor))


def test_the_file_of_an_actor_that_ended_is_finished_and_left_alone(stage: Theater) -> None:
    actor = stage.start("counter", saved())
    stage.node.stop(actor.id).result(WAIT_S)
    notes = stage.data_dir / chain_saving.SAVING
    eventually(lambda: not list(notes.iterdir()))
    path = path_of(stage, actor)
    assert path.read_bytes() == in_journal(stage, actor)
    path.unlink()
    stage.reopen()
    other = stage.start("counter", saved())
    caught_up(stage, other, path_of(stage, other))
    assert not path.exists()


def test_the_file_of_an_actor_that_ended_is_finished_by_the_next_node(
    tmp_path: Path, cache_dir: Path
) -> None:
    def full(_file: int, _data: bytes | memoryview) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    settings = NodeSettings(cache_dir=cache_dir, chain_write=full)
    with theater(tmp_path / "data", settings) as stage:
        actor = stage.start("counter", saved())
        stage.node.stop(actor.id).result(WAIT_S)
        stage.settings = replace(settings, chain_write=os.write)
        stage.reopen()
        caught_up(stage, actor, path_of(stage, actor))
        eventually(lambda: not list((stage.data_dir / chain_saving.SAVING).iterdir()))


def test_a_file_found_different_is_repaired_when_a_node_opens(
    stage: Theater, caplog: pytest.LogCaptureFixture
) -> None:
    actor = stage.start("counter", saved())
    stage.ask(actor, b"")
    path = path_of(stage, actor)
    caught_up(stage, actor, path)
    stage.node.close()
    changed = path.read_bytes().replace(b"actor-start", b"actor-stark", 1)
    path.write_bytes(changed)
    stage.reopen()
    caught_up(stage, actor, path)
    assert path.with_name(f"{path.name}.differs-1").read_bytes() == changed
    assert any("differs from the journal at event 0" in each.message for each in caplog.records)


def test_a_full_disk_is_said_once_and_made_good(
    tmp_path: Path,
    cache_dir: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chain_saving, "RETRY_S", 0.05)
    space = [False]
    tries = [0]

    def write(file: int, data: bytes | memoryview) -> int:
        tries[0] += 1
        if not space[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(file, data)

    with theater(tmp_path / "data", NodeSettings(cache_dir=cache_dir, chain_write=write)) as stage:
        actors = [stage.start("counter", saved()) for _ in range(3)]
        for actor in actors:
            stage.ask(actor, b"")
        eventually(lambda: tries[0] > 9)
        assert [path_of(stage, actor).read_bytes() for actor in actors] == [b""] * 3
        space[0] = True
        for actor in actors:
            stage.ask(actor, b"")
            caught_up(stage, actor, path_of(stage, actor))
        eventually(lambda: "written again" in caplog.text)
    said = [each.message for each in caplog.records if each.levelno >= logging.WARNING]
    assert len(said) == 2
    assert "No space left on device" in said[0]
    assert "written again" in said[1]


def test_a_folder_that_is_none_does_not_stop_an_actor(
    stage: Theater, caplog: pytest.LogCaptureFixture
) -> None:
    (stage.data_dir / "chains").write_text("not a folder")
    actor = stage.start("counter", saved())
    stage.ask(actor, b"")
    eventually(lambda: "can't be written" in caplog.text)
    stage.ask(actor, b"")
    assert caplog.text.count("can't be written") == 1


def test_a_node_that_can_not_note_what_it_saves_runs_all_the_same(
    stage: Theater, caplog: pytest.LogCaptureFixture
) -> None:
    stage.node.close()
    (stage.data_dir / chain_saving.SAVING).rmdir()
    (stage.data_dir / chain_saving.SAVING).write_text("not a folder")
    stage.reopen()
    assert caplog.text.count("no chains are saved") == 1
    actor = stage.start("counter", saved())
    stage.ask(actor, b"")
    assert not (stage.data_dir / "chains").exists()


def test_a_relative_folder_is_below_the_nodes_chains(stage: Theater) -> None:
    actor = stage.start("counter", saved("agents/red"))
    caught_up(stage, actor, path_of(stage, actor, "agents/red"))


def test_an_absolute_folder_is_the_operators_to_allow(tmp_path: Path, cache_dir: Path) -> None:
    allowed = tmp_path / "logs"
    settings = NodeSettings(cache_dir=cache_dir, chain_dirs=(allowed,))
    with theater(tmp_path / "data", settings) as stage:
        actor = stage.start("counter", saved(str(allowed / "a")))
        caught_up(stage, actor, allowed / "a" / f"{actor.id}.jsonl")
        (allowed / "out").symlink_to(tmp_path)
        for outside in (tmp_path, tmp_path / "logs-2", allowed / "out" / "x"):
            with pytest.raises(Denied) as refused:
                stage.start("counter", saved(str(outside)))
            assert refused.value.code == "permission.chain_dir"
        assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "folder", ["", "..", "../x", "a/../../x", "/a/..", "a//b", "a/", ".", "a\nb", "a" * 300]
)
def test_a_way_out_of_the_folder_is_refused_with_the_manifest(folder: str) -> None:
    with pytest.raises(ManifestError):
        saved(folder)


def test_a_folder_without_saving_is_a_warning() -> None:
    text = f'name = "counter"\ncomponent = "unused.wasm"\nchain_dir = "a"\n{GRANT}'
    (warning,) = parse(text, grant_types=GRANT_TYPES).warnings
    assert "save_chain" in warning.message


def test_a_note_of_an_actor_that_was_never_recorded_goes(stage: Theater) -> None:
    stage.node.close()
    notes = stage.data_dir / chain_saving.SAVING
    for name in ("b7f1c9ee-0000-4000-8000-000000000000", "x.part", "actor"):
        (notes / name).touch()
    stage.reopen()
    eventually(lambda: not list(notes.iterdir()))


def test_a_long_file_is_compared_while_its_actor_works(stage: Theater) -> None:
    wasm = guest("counter")
    actor = stage.start(wasm, saved())
    for _ in range(300):
        stage.tell(actor, b"")
    stage.ask(actor, b"")
    path = path_of(stage, actor)
    caught_up(stage, actor, path)
    inode = path.stat().st_ino
    stage.reopen()
    stage.ask(actor, b"")
    caught_up(stage, actor, path)
    assert path.stat().st_ino == inode


def test_a_manifest_read_again_still_says_where() -> None:
    again = parse(saved("x").text, grant_types=GRANT_TYPES)
    assert (again.save_chain, again.chain_dir) == (True, "x")
