"""What is told about a component, and which components are refused."""

from __future__ import annotations

import pytest

from tests.engine.echo import echo
from tests.engine.guests import INIT, REQUEST, SEND
from theater.engine import wat
from theater.engine.names import recorded_interface
from theater.errors import ComponentError
from theater.limits import TYPE_NODES_MAX
from theater.values.types import (
    BYTES,
    STATE,
    FuncType,
    ListOf,
    OptionOf,
    Prim,
    RecordOf,
    ResultOf,
    TupleOf,
)


@pytest.mark.parametrize(
    "name, recorded",
    [
        ("wasi:io/streams@0.2.3", "wasi:io/streams@0.2"),
        ("wasi:io/streams@0.2.10", "wasi:io/streams@0.2"),
        ("wasi:http/types@0.2.0-rc-2023-11-10", "wasi:http/types@0.2"),
        ("theater:simple/store", "theater:simple/store"),
        ("ntwk:theater/store", "theater:simple/store"),
        ("ntwk:theater/store@0.1.0", "theater:simple/store"),
        ("theater:agent/context@0.1.0", "theater:agent/context@0.1"),
        ("plain", "plain"),
    ],
)
def test_recorded_names_have_no_patch_version(name, recorded):
    assert recorded_interface(name) == recorded


def test_a_component_tells_its_functions_and_their_types(guest):
    component = guest("counter")
    (log,) = component.imports
    assert (log.index, log.interface, log.function, log.name) == (
        0,
        "theater:simple/runtime",
        "log",
        "theater:simple/runtime/log",
    )
    assert log.type == FuncType((("msg", Prim.STRING),), None)
    kept = ResultOf(TupleOf((STATE,)), Prim.STRING)
    assert component.exports == {
        INIT: FuncType((("state", STATE), ("params", TupleOf((Prim.STRING,)))), kept),
        SEND: FuncType((("state", STATE), ("params", TupleOf((BYTES,)))), kept),
        REQUEST: FuncType(
            (("state", STATE), ("params", TupleOf((Prim.STRING, BYTES)))),
            ResultOf(TupleOf((STATE, TupleOf((OptionOf(BYTES),)))), Prim.STRING),
        ),
    }


def test_functions_of_the_world_stand_under_root_and_types_need_no_definition(engine):
    record = RecordOf((("a", Prim.U8),))
    component = engine.load(wat(echo([record])))
    assert [function.name for function in component.imports] == ["$root/f0"]
    assert component.imports[0].interface == "$root"
    assert list(component.exports) == ["$root/e0"]


def test_an_older_package_name_is_recorded_as_the_new_one(engine):
    component = engine.load(
        wat('(component (import "ntwk:theater/runtime" (instance (export "log" (func)))))')
    )
    assert [function.name for function in component.imports] == ["theater:simple/runtime/log"]


def test_an_instance_that_only_brings_types_is_no_matter(engine):
    component = engine.load(
        wat(
            '(component (import "theater:simple/types" (instance'
            ' (type $r (record (field "a" u8))) (export "event" (type (eq $r))))))'
        )
    )
    assert component.imports == ()


@pytest.mark.parametrize(
    "text",
    [
        '(import "f" (func async))',
        '(import "f" (func (param "x" (future u8))))',
        '(import "f" (func (param "x" (stream u8))))',
        '(import "f" (func (param "x" error-context)))',
        '(import "f" (func (param "x" (map string u8))))',
        '(import "theater:simple/store" (instance (export "f" (func (param "x" (stream u8))))))',
        '(import "m" (core module))',
        '(import "c" (component))',
    ],
)
def test_what_is_beyond_wasi_0_2_is_refused_with_a_text(engine, text):
    with pytest.raises(ComponentError) as caught:
        engine.load(wat(f"(component {text})"))
    assert caught.value.code in ("component.unsupported", "component.invalid")
    assert len(caught.value.message) > 20


def test_a_name_that_is_too_long_for_an_event_is_refused(engine):
    def text(size: int) -> bytes:
        # The recorded name is `$root/` and this.
        return wat(f'(component (import "{"a" * (size - 6)}" (func)))')

    assert len(engine.load(text(254)).imports) == 1
    with pytest.raises(ComponentError) as caught:
        engine.load(text(255))
    assert caught.value.code == "component.unsupported"


def _nested(levels: int) -> bytes:
    wit = Prim.U8
    for _ in range(levels):
        wit = ListOf(wit) if wit is not Prim.U8 else ListOf(Prim.STRING)
    return wat(echo([wit]))


def test_a_type_that_is_too_deep_to_read_back_is_refused(engine):
    # The result and the tuple around it are two of the 62 that the codec allows.
    engine.load(_nested(60))
    with pytest.raises(ComponentError) as caught:
        engine.load(_nested(61))
    assert caught.value.code in ("component.unsupported", "component.invalid")


def test_a_type_that_doubles_again_and_again_is_refused(engine):
    # Sixteen levels of two: small in the binary, 65,536 parts when it is written out.
    types = ["(type $t0 (tuple u8 u8))"] + [
        f"(type $t{level} (tuple $t{level - 1} $t{level - 1}))" for level in range(1, 16)
    ]
    assert TYPE_NODES_MAX < 2**16
    with pytest.raises(ComponentError) as caught:
        engine.load(wat(f'(component {" ".join(types)} (import "f" (func (param "x" $t15))))'))
    assert caught.value.code == "component.unsupported"
