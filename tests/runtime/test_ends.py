"""What stands in a chain when a call ends badly, and what a death at any record makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.actors import GUESTS, WAIT_S, Theater, manifest, until
from theater import limits
from theater.chain import shapes
from theater.engine import instance as engine_instance
from theater.engine import live_instances, wat
from theater.errors import ActorFailed, TheaterError
from theater.journal.memory import MemoryJournal
from theater.journal.sqlite import SqliteJournal
from theater.runtime import recovery
from theater.runtime.black_box import FILE
from theater.runtime.node import Node
from theater.runtime.settings import NodeSettings

COUNTER = (GUESTS / "counter.wat").read_text()
TRAPS_IN_INIT = wat(
    COUNTER.replace("(call $log (local.get $id) (local.get $id-size))", "(unreachable)", 1)
)
RECORDS_OF_A_BAD_START = 4


def printing(then: str) -> bytes:
    """A counter whose `handle-send` writes a letter without a line's end, and then does something."""
    streams = """(component
  (import "wasi:io/error@0.2.0" (instance $errors (export "error" (type (sub resource)))))
  (alias export $errors "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer 1 $error (type $error'))
    (export "output-stream" (type $stream (sub resource)))
    (type $failure' (variant (case "last-operation-failed" (own $error')) (case "closed")))
    (export "stream-error" (type $failure (eq $failure')))
    (export "[method]output-stream.blocking-write-and-flush" (func
      (param "self" (borrow $stream)) (param "contents" (list u8))
      (result (result (error $failure)))))))
  (alias export $streams "output-stream" (type $stream))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $stream (type $stream'))
    (export "get-stdout" (func (result (own $stream'))))))
  (import "wasi:cli/exit@0.2.0" (instance $exit
    (export "exit" (func (param "status" (result))))))
"""
    lowered = """  (core func $get (canon lower (func $stdout "get-stdout")))
  (core func $write (canon lower
    (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $leave (canon lower (func $exit "exit")))
  (core func $log (canon lower"""
    imported = """(core module $main
    (import "host" "get" (func $get (result i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "leave" (func $leave (param i32)))"""
    given = """(with "host" (instance (export "log" (func $log)) (export "get" (func $get))
      (export "write" (func $write)) (export "leave" (func $leave))))"""
    body = f"""(param $some i32) (param $at i32) (param $size i32) (param $msg i32) (param $msg-size i32)
      (result i32)
      (local $out i32)
      (local.set $out (call $get))
      (call $write (local.get $out) (local.get $msg) (i32.const 1) (i32.const 512))
      {then}"""
    text = COUNTER.replace("(component\n", streams, 1)
    text = text.replace("  (core func $log (canon lower", lowered, 1)
    text = text.replace("(core module $main", imported, 1)
    text = text.replace('(with "host" (instance (export "log" (func $log))))', given, 1)
    head = """(param $some i32) (param $at i32) (param $size i32) (param $msg i32) (param $msg-size i32)
      (result i32)"""
    assert head in text
    return wat(text.replace(head, body, 1))


DOTS = """(loop $dots
        (call $write (local.get $out) (local.get $msg) (i32.const 1) (i32.const 512))
        (br $dots))"""


@pytest.mark.parametrize(
    ("then", "end"),
    [
        ("(call $leave (i32.const 1))", ("trap", "exit")),
        ("(unreachable)", ("trap", "unreachable")),
        (DOTS, ("deadline", None)),
        ("", None),
    ],
)
def test_output_without_a_line_s_end_leaves_a_chain_that_verifies_and_replays(
    stage: Theater, then: str, end: tuple[str, str | None] | None
) -> None:
    actor = stage.start(printing(then), manifest("prints", deadline_ms=200, instance_calls=1))
    stage.tell(actor, b".")
    until(lambda: stage.node.info(actor.id).mailbox == 0, stage.node)
    ends = (shapes.WASM_RESULT, shapes.WASM_ERROR)
    until(
        lambda: sum(t in ends for t in stage.types(actor)) == (2 if end is None else 3), stage.node
    )
    stage.prove(actor)
    lines = [t for t in stage.types(actor) if t.endswith("stdout@0.2/line")]
    if then != DOTS:
        assert len(lines) == {None: 1, "unreachable": 2, "exit": 0}[end and end[1]]


def test_a_bad_init_is_recorded_with_the_actor_s_failure(stage: Theater) -> None:
    with pytest.raises(ActorFailed):
        stage.start(TRAPS_IN_INIT)
    actor = stage.node.list(ended=True)[0]
    assert actor.status == "failed"
    assert stage.types(actor) == ["actor-start", "wasm-call", "wasm-error", "actor-fail"]
    stage.reopen()
    assert len(stage.types(actor)) == 4
    stage.prove(actor)


@pytest.mark.parametrize("last", range(2, RECORDS_OF_A_BAD_START + 1))
def test_wherever_the_process_ends_a_bad_init_fails_its_actor_once(
    cache_dir: Path, last: int
) -> None:
    def failpoint(point: str, number: int) -> None:
        if point == "written" and number >= last:
            raise OSError("the process ends here")

    settings = NodeSettings(cache_dir=cache_dir)
    journal = MemoryJournal(failpoint=failpoint, group_records_max=1)
    node = Node.over(journal, settings)
    started = node.start(manifest("bad"), component=node.add_component(TRAPS_IN_INIT))
    assert isinstance(started.exception(WAIT_S), TheaterError)
    again = Node.over(journal.reopened(), settings)
    try:
        for actor in again.list(ended=True):
            until(lambda actor=actor: again.info(actor.id).status == "failed", again)  # type: ignore[misc]
            types = [event.type for event in again.events(actor.id)]
            assert types.count(shapes.WASM_ERROR) == types.count(shapes.ACTOR_FAIL) == 1
            assert types.count(shapes.WASM_CALL) == 1
            assert again.verify(actor.id).problem is None
    finally:
        again.close()
        node.close()


def test_a_message_that_is_set_aside_is_noted(stage: Theater) -> None:
    actor = stage.start("counter")
    with pytest.raises(ActorFailed):
        stage.ask(actor, b"trap")
    types = stage.types(actor)
    assert types.count(shapes.MESSAGE_ASIDE) == 1
    assert types.count(shapes.ACTOR_RESTART) == 2
    note = next(e for e in stage.node.events(actor.id) if e.type == shapes.MESSAGE_ASIDE)
    form = shapes.parse(note.type, note.data or b"")
    assert isinstance(form, shapes.Note)
    assert form.fields["message"] == stage.node.journal.messages(actor.id)[0].id
    stage.prove(actor)


def test_without_room_for_instances_actors_take_turns_and_none_is_lost(
    stage: Theater, monkeypatch: pytest.MonkeyPatch
) -> None:
    actors = [stage.start("counter", manifest("counter")) for _ in range(6)]
    for actor in actors:
        stage.node.passivate(actor.id)
    room = live_instances() + 2
    monkeypatch.setattr(engine_instance, "LIVE_INSTANCES_MAX", room)
    monkeypatch.setattr(limits, "LIVE_INSTANCES_MAX", room)
    for expected in (b"1", b"2"):
        for actor in actors:
            assert stage.ask(actor, b"more") == expected
    assert live_instances() <= room
    for actor in actors:
        assert stage.node.info(actor.id).status == "running"


def test_two_orderly_closes_in_one_call_are_no_deaths(stage: Theater) -> None:
    actor = stage.start("loop", manifest("loop", deadline_ms=2500))
    stage.tell(actor, b"go")
    for _ in range(3):
        until(lambda: stage.types(actor)[-1] == shapes.WASM_CALL, stage.node)
        stage.reopen()
    until(lambda: shapes.WASM_ERROR in stage.types(actor), stage.node)
    errors = [e for e in stage.node.events(actor.id) if e.type == shapes.WASM_ERROR]
    form = shapes.parse(errors[0].type, errors[0].data or b"")
    assert isinstance(form, shapes.Error)
    assert form.kind == "deadline"


def test_what_an_orderly_close_interrupts_is_nobody_s_fault(stage: Theater) -> None:
    actor = stage.start("loop", manifest("loop", deadline_ms=60_000))
    stage.tell(actor, b"go")
    until(lambda: stage.types(actor)[-1] == shapes.WASM_CALL, stage.node)
    assert any((stage.data_dir / FILE).read_bytes())
    stage.node.close()
    assert not any((stage.data_dir / FILE).read_bytes())
    journal = SqliteJournal.open(stage.data_dir)
    try:
        assert [row.deaths for row in journal.actors()] == [0]
    finally:
        journal.close()


def test_an_error_of_the_runtime_in_recovery_ends_the_open_call_and_answers_its_message(
    stage: Theater, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = stage.start("loop", manifest("loop", deadline_ms=60_000))
    stage.node.send(actor.id, b"go", key="kept").result(WAIT_S)
    until(lambda: stage.types(actor)[-1] == shapes.WASM_CALL, stage.node)

    def broken(*_: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(recovery, "_run_again", broken)
    stage.reopen()
    until(lambda: stage.node.info(actor.id).status == "failed", stage.node)
    ends = [shapes.WASM_ERROR, shapes.MESSAGE_ASIDE, shapes.ACTOR_FAIL]
    assert stage.types(actor)[-3:] == ends
    assert stage.node.verify(actor.id).problem is None
    assert {m.state for m in stage.node.journal.messages(actor.id)} == {"aside"}
