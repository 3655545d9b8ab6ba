"""The byte bridge: the same values, events and ends with it as without it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import wasmtime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.guests import REQUEST, SEND, WAT, Host, binary
from tests.engine.interface_echo import GUEST, HOST, interface_echo
from tests.engine.strategies import random_type, values
from theater.engine import Component, Ended, Engine, Instance, InstanceLimits, Returned, wat
from theater.engine.bridge import BRIDGE, wrap
from theater.errors import CodecError, ComponentError
from theater.limits import KIB, MIB
from theater.values.codec import encoder
from theater.values.types import (
    BYTES,
    Err,
    FuncType,
    ListOf,
    Ok,
    OptionOf,
    Prim,
    RecordOf,
    ResultOf,
    TupleOf,
    VariantOf,
    WitType,
)

pytestmark = pytest.mark.slow

EVENT = RecordOf((("event-type", Prim.STRING), ("parent", OptionOf(Prim.U64)), ("data", BYTES)))
CHOSEN: list[WitType] = [
    BYTES,
    Prim.STRING,
    ListOf(BYTES),
    ListOf(EVENT),
    OptionOf(OptionOf(BYTES)),
    ResultOf(BYTES, Prim.STRING),
    ResultOf(OptionOf(BYTES), BYTES),
    TupleOf((Prim.STRING, BYTES, Prim.CHAR)),
    VariantOf((("nothing", None), ("bytes", BYTES), ("pair", TupleOf((Prim.S64, Prim.F32))))),
    TupleOf((BYTES,) * 8),
]


def _types() -> list[WitType]:
    chance = random.Random(11)
    return CHOSEN + [random_type(chance, 3) for _ in range(40)]


TYPES = _types()


@pytest.fixture(scope="module")
def plain(artifacts: Path) -> Iterator[Engine]:
    """An engine that passes bytes one by one."""
    with Engine(artifacts, bridge=False) as engine:
        yield engine


@pytest.fixture(scope="module")
def both(engine: Engine, plain: Engine) -> tuple[Component, Component]:
    """The echo of all types, with the bridge and without."""
    text = wat(interface_echo(TYPES))
    return engine.load(text), plain.load(text)


@pytest.fixture(scope="module")
def instances(both: tuple[Component, Component]) -> list[Instance]:
    return [component.instance(InstanceLimits(memory_bytes=64 * MIB)) for component in both]


def _echo(function: object, arguments: object, give: object) -> None:
    give(Ok(arguments))  # type: ignore[operator]


def test_a_component_has_the_same_type_with_the_bridge_as_without(
    both: tuple[Component, Component],
) -> None:
    bridged, plain = both
    assert (bridged.bridged, plain.bridged) == (True, False)
    assert bridged.exports == plain.exports
    assert bridged.sha256 == plain.sha256
    described = [[(f.index, f.name, f.type) for f in each.imports] for each in both]
    assert described[0] == described[1]


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_values_events_and_results_are_the_same_with_the_bridge_as_without(
    instances: list[Instance], data: st.DataObject
) -> None:
    number = data.draw(st.integers(0, len(TYPES) - 1))
    state = data.draw(st.none() | st.binary(max_size=10))
    value = data.draw(values(TYPES[number]))
    seen = []
    for instance in instances:
        host = Host(_echo)
        outcome = instance.call(f"{GUEST}/e{number}", [state, value], host, 10_000)
        assert isinstance(outcome, Returned), outcome
        (name, _, cbor) = host.calls[0]
        seen.append((name, cbor, outcome.state, outcome.rest_cbor))
    assert seen[0] == seen[1]
    assert seen[0][0] == f"{HOST}/f{number}"
    assert seen[0][3] == b"\x81" + encoder(TYPES[number])(value)


@pytest.mark.parametrize("size", [0, 1, 127, 128, 4096, 70_001, MIB])
@pytest.mark.parametrize("alphabet", [b"x", b"\xff", bytes(range(256)), b"\0", "€".encode()])
def test_bytes_of_any_size_and_kind_arrive_as_they_are(
    instances: list[Instance], size: int, alphabet: bytes
) -> None:
    value = (alphabet * (size // len(alphabet) + 1))[:size]
    host = Host(_echo)
    outcome = instances[0].call(f"{GUEST}/e0", [value, value], host, 10_000)
    assert isinstance(outcome, Returned)
    assert (outcome.state, outcome.rest) == (value, (value,))
    assert host.calls[0][1] == (value, value)


def test_texts_beside_bytes_keep_every_character(instances: list[Instance]) -> None:
    number = CHOSEN.index(TupleOf((Prim.STRING, BYTES, Prim.CHAR)))
    for text in ("", "plain", "Grüße", "€uro", "日本語", "😀" * 3000, "ÿ" * 70_000 + "😀"):
        value = (text, text.encode(), "😀")
        outcome = instances[0].call(f"{GUEST}/e{number}", [None, value], Host(_echo), 10_000)
        assert isinstance(outcome, Returned)
        assert outcome.rest == (value,)


def test_a_value_that_is_not_bytes_is_refused_before_anything_runs(
    instances: list[Instance],
) -> None:
    for wrong in ("text", bytearray(b"x"), [1, 2], None):
        with pytest.raises(CodecError):
            instances[0].call(f"{GUEST}/e0", [None, wrong], Host(_echo), 1000)
    assert not instances[0].dead


def test_a_warm_instance_takes_message_after_message_in_the_same_memory(engine: Engine) -> None:
    component = engine.load(wat(interface_echo([BYTES])))
    instance = component.instance(InstanceLimits(memory_bytes=4 * MIB))
    value = bytes(range(256)) * 1024
    for _ in range(100):
        outcome = instance.call(f"{GUEST}/e0", [None, value], Host(_echo), 10_000)
        assert isinstance(outcome, Returned), outcome


def test_more_bytes_than_the_memory_s_limit_end_the_call_and_nothing_else(engine: Engine) -> None:
    component = engine.load(wat(interface_echo([BYTES])))
    instance = component.instance(InstanceLimits(memory_bytes=2 * MIB))
    ended = instance.call(f"{GUEST}/e0", [None, bytes(4 * MIB)], Host(_echo), 10_000)
    assert isinstance(ended, Ended)
    assert ended.kind == "trap"
    assert instance.dead


def test_errors_and_traps_come_through(engine: Engine) -> None:
    component = engine.load(binary("counter"))
    assert component.bridged
    instance = component.instance()
    host = Host()
    assert instance.call(SEND, [b"41", (b"m",)], host, 1000) == Returned(b"42", (), b"\x80")
    assert "fail" in repr(instance.call(SEND, [b"41", (b"fail",)], host, 1000))
    ended = instance.call(REQUEST, [b"41", ("id", b"trap")], host, 1000)
    assert isinstance(ended, Ended)
    assert (ended.kind, ended.code) == ("trap", "unreachable")


def test_every_guest_that_tests_run_has_the_bridge_as_toolchains_guests_have() -> None:
    engine = wasmtime.Engine()
    for path in sorted(WAT.glob("*.wat")):
        wrapped = wrap(binary(path.stem))
        assert wrapped is not None, path.stem
        wasmtime.component.Component(engine, wrapped.wasm())  # as strict as the load is


def test_an_interface_with_resources_passes_through(engine: Engine, plain: Engine) -> None:
    wrapped = wrap(binary("things"))
    names = {interface for interface, _ in wrapped.bridge.imports} if wrapped else set()
    for component in (engine.load(binary("things")), plain.load(binary("things"))):
        held = {f.interface for f in component.imports if f.interface in component.resources}
        assert held.isdisjoint(names)
    assert engine.load(binary("things")).imports == plain.load(binary("things")).imports


def test_the_facts_tell_whether_there_is_a_bridge(engine: Engine, plain: Engine) -> None:
    assert engine.facts["bridge"] == BRIDGE
    assert plain.facts["bridge"] == 0


def test_the_original_is_nested_unchanged() -> None:
    original = wat(interface_echo([BYTES]))
    wrapped = wrap(original)
    assert wrapped is not None
    assert original in wrapped.wasm()
    both = (("state", OptionOf(BYTES)), ("value", BYTES))
    kept = TupleOf((OptionOf(BYTES), BYTES))
    original_type = FuncType(both, ResultOf(kept, Prim.STRING))
    assert wrapped.bridge.imports == {(HOST, "f0"): original_type}
    assert wrapped.bridge.exports == {(GUEST, "e0"): original_type}


@pytest.mark.parametrize(
    "wasm",
    [
        b"",
        b"\0asm",
        b"\0asm\1\0\0\0",
        wat("(component)"),
        wat('(component (import "test:a/b" (instance (export "f" (func (param "s" string))))))'),
        wat('(component (import "f" (func (param "b" (list u8)))))'),
        wat('(component (import "m" (core module)))'),
    ],
)
def test_what_gains_nothing_or_is_not_known_is_left_alone(wasm: bytes) -> None:
    assert wrap(wasm) is None


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damaged_components_are_left_alone_or_wrapped_but_never_raise(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([path.stem for path in sorted(WAT.glob("*.wat"))]))
    wasm = bytearray(binary(name))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(wasm) - 1))
        wasm[at] = data.draw(st.integers(0, 255))
    del wasm[data.draw(st.integers(0, len(wasm))) :]
    wrapped = wrap(bytes(wasm))
    if wrapped is not None:
        with suppress(ComponentError):
            assert bytes(wasm) in wrapped.wasm()


def _doubled(levels: int) -> str:
    types = ["(type $t0 (list u8))"]
    types += [f"(type $t{n} (tuple $t{n - 1} $t{n - 1}))" for n in range(1, levels)]
    return (
        f'(component (import "test:a/b" (instance {" ".join(types)} '
        f'(export "f" (func (param "x" $t{levels - 1}))))))'
    )


@pytest.mark.parametrize("levels, wrapped", [(4, True), (60, False)])
def test_types_that_share_parts_many_times_over_take_no_time(levels: int, wrapped: bool) -> None:
    assert (wrap(wat(_doubled(levels))) is not None) is wrapped


def test_types_nested_in_types_take_no_time() -> None:
    text = '(export "f" (func (param "x" (list u8))))'
    for _ in range(40):
        text = f'(export "i" (instance {text} (export "g" (func))))'
    assert wrap(wat(f'(component (import "test:a/b" (instance {text})))')) is None


def test_what_a_component_may_hold_is_counted_without_the_bridge(engine: Engine) -> None:
    component = engine.load(binary("counter"))
    limits = InstanceLimits(memories=1, core_instances=4, memory_bytes=256 * KIB)
    outcome = component.instance(limits).call(SEND, [b"1", (b"m",)], Host(), 1000)
    assert isinstance(outcome, Returned)


def test_an_error_of_a_host_function_reaches_the_guest(engine: Engine) -> None:
    component = engine.load(wat(interface_echo([BYTES])))

    def fail(function: object, arguments: object, give: object) -> None:
        give(Err("no: ñ €"))  # type: ignore[operator]

    outcome = component.instance().call(f"{GUEST}/e0", [None, b"\xff"], Host(fail), 1000)
    assert "no: ñ €" in repr(outcome)
