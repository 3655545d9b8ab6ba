"""A hostile component hurts itself only: every way a call can end, seen from the node."""

from __future__ import annotations

import time

import pytest

from tests.runtime.actors import WAIT_S, Theater, manifest, until
from theater.chain import shapes
from theater.errors import ActorFailed, Denied
from theater.handlers.runtime import handler as runtime_handler


def last_error(stage: Theater, actor: str) -> tuple[str, str | None]:
    errors = [e for e in stage.node.events(actor) if e.type == shapes.WASM_ERROR]
    assert errors[-1].data is not None
    form = shapes.parse(errors[-1].type, errors[-1].data)
    assert isinstance(form, shapes.Error)
    return form.kind, form.code


def bystander_is_unharmed(stage: Theater) -> None:
    """Another actor answers, and its count goes on."""
    actor = stage.start("counter")
    assert stage.ask(actor, b"still here?") == b"1"
    stage.prove(actor)


def test_an_endless_loop_ends_at_its_deadline_and_its_message_is_set_aside(
    stage: Theater,
) -> None:
    actor = stage.start("loop", manifest("loop", deadline_ms=150))
    stage.tell(actor, b"go")
    until(lambda: stage.types(actor).count(shapes.WASM_ERROR) == 2, stage.node)
    assert last_error(stage, actor.id) == ("deadline", None)
    asides = [m for m in stage.node.journal.messages(actor.id) if m.state == "aside"]
    assert [m.body for m in asides] == [b"go"]
    bystander_is_unharmed(stage)
    stage.prove(actor)


def test_an_endless_loop_delays_others_by_no_more_than_their_share(stage: Theater) -> None:
    loops = [stage.start("loop", manifest("loop", deadline_ms=2000)) for _ in range(8)]
    other = stage.start("counter")
    for loop in loops:
        stage.tell(loop, b"go")
    assert stage.ask(other, b"?") == b"1"


@pytest.mark.parametrize("name", ["grow", "recurse"])
def test_memory_and_stack_without_end_hurt_only_the_guest(stage: Theater, name: str) -> None:
    actor = stage.start(name, manifest(name, memory=8 * 1024 * 1024, deadline_ms=5000))
    stage.tell(actor, b"go")
    until(lambda: stage.types(actor).count(shapes.WASM_ERROR) == 2, stage.node)
    assert last_error(stage, actor.id)[0] in {"grow": {"trap"}, "recurse": {"stack"}}[name]
    bystander_is_unharmed(stage)
    stage.prove(actor)


def test_a_component_with_twenty_memories_does_not_start(stage: Theater) -> None:
    with pytest.raises(ActorFailed) as failure:
        stage.start("memories")
    assert failure.value.code == "actor.init_failed"
    bystander_is_unharmed(stage)


def test_sixteen_inline_calls_deep_unbounded_recursion_ends_as_stack(stage: Theater) -> None:
    deepest = stage.start("recurse", manifest("recurse", deadline_ms=5000))
    relay = deepest
    relays = []
    for _ in range(16):
        relay = stage.start("relay", state=relay.id.encode())
        relays.append(relay)
    with pytest.raises(ActorFailed) as failure:
        stage.ask(relay, b"deep")
    assert "stack" in failure.value.message
    assert last_error(stage, deepest.id) == ("stack", None)
    bystander_is_unharmed(stage)
    for each in relays:
        stage.prove(each)


def test_a_trap_is_named_and_a_message_that_trapped_twice_is_set_aside(stage: Theater) -> None:
    actor = stage.start("counter")
    stage.tell(actor, b"one")
    with pytest.raises(ActorFailed) as failure:
        stage.ask(actor, b"trap")
    assert "trap" in failure.value.message
    assert last_error(stage, actor.id) == ("trap", "unreachable")
    assert stage.ask(actor, b"three") == b"2"
    assert [m.attempt for m in stage.node.journal.messages(actor.id)] == [1]
    stage.prove(actor)


def test_a_guests_error_is_the_requesters_error_and_the_state_stays(stage: Theater) -> None:
    actor = stage.start("counter")
    with pytest.raises(ActorFailed) as failure:
        stage.ask(actor, b"fail")
    assert failure.value.message == "failed as it was asked to"
    assert stage.ask(actor, b"?") == b"1"
    stage.prove(actor)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit, GeneratorExit, RuntimeError])
def test_whatever_a_host_function_raises_ends_only_the_call(
    stage: Theater, monkeypatch: pytest.MonkeyPatch, raised: type[BaseException]
) -> None:
    actor = stage.start("counter")
    table = runtime_handler._FUNCTIONS[runtime_handler.INTERFACE]
    log = table["log"]

    def explode(_call: object, message: str) -> None:
        if message == "explode":
            raise raised("from inside a host function")

    object.__setattr__(log, "run", explode)
    try:
        with pytest.raises(ActorFailed):
            stage.ask(actor, b"explode")
        assert last_error(stage, actor.id) == ("host", None)
        bystander_is_unharmed(stage)
    finally:
        object.__setattr__(log, "run", runtime_handler._log)
    assert stage.ask(actor, b"?") == b"1"
    stage.prove(actor)


def test_an_actor_whose_imports_are_not_granted_does_not_start(stage: Theater) -> None:
    with pytest.raises(Denied) as refused:
        stage.start("relay", manifest("relay", handlers=""))
    assert 'type = "message-server"' in refused.value.message


def test_stopping_by_force_kills_a_call_that_computes(stage: Theater) -> None:
    actor = stage.start("loop", manifest("loop", deadline_ms=2000))
    stage.tell(actor, b"go")
    until(lambda: stage.types(actor)[-1] == shapes.WASM_CALL, stage.node)
    began = time.monotonic()
    assert stage.node.stop(actor.id, force=True).result(WAIT_S).status == "stopped"
    assert time.monotonic() - began < 1.5
    assert last_error(stage, actor.id) == ("killed", None)
    stage.prove(actor)
