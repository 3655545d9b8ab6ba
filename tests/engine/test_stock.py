"""The compiled conversion against the binding's own, in memory, over generated types and values.

What the binding lifts can always be told apart, so whatever we write is read by it. What it writes
is read by us where it can be right; where it can't, a table says what it does instead, so that a
binding that was mended shows itself here.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest
import wasmtime
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from wasmtime import _ffi
from wasmtime.component import Component, Linker
from wasmtime.component import _enter as stock_enter

from tests.engine.echo import echo
from tests.engine.generated import plain_types
from tests.engine.guests import SEND, Host
from tests.engine.starting import STARTING
from tests.engine.stock import misled, ours, theirs
from tests.engine.strategies import values
from theater.engine import native, wat
from theater.engine.lift import lifter
from theater.engine.lower import lowerer
from theater.errors import CodecError
from theater.values.codec import encoder
from theater.values.types import (
    BYTES,
    Case,
    EnumOf,
    Err,
    FlagsOf,
    Ok,
    OptionOf,
    Prim,
    ResultOf,
    Some,
    VariantOf,
)

TYPES = plain_types(7, 60)


def kinds_of(types):
    """The types as the binding has them."""
    engine = wasmtime.Engine()
    component = Component(engine, wat(echo(types)))
    exports = component.type.exports(engine)
    return [exports[f"e{number}"].ty.params[1][1] for number in range(len(types))]


@pytest.fixture(scope="module")
def stock_types():
    return kinds_of(TYPES)


RELAXED = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@RELAXED
@given(data=st.data())
def test_the_binding_reads_what_we_wrote(stock_types, data):
    number = data.draw(st.integers(0, len(TYPES) - 1))
    wit, stock_type = TYPES[number], stock_types[number]
    value = data.draw(values(wit))
    slot = native.Buffer(native.VAL_BYTES)
    lowerer(wit, {})(slot.address >> 3, value, lambda _: None, 0)
    read = stock_type.convert_from_c(_ffi.wasmtime_component_val_t.from_address(slot.address))
    write = encoder(wit)
    assert write(ours(wit, read, stock_type)) == write(value)


def written_by_the_binding(stock_type, wit, value):
    """What we read of a value that the binding wrote, and its CBOR."""
    slot = native.Buffer(native.VAL_BYTES)
    pointer = ctypes.pointer(_ffi.wasmtime_component_val_t.from_address(slot.address))
    stock_type.convert_to_c(None, theirs(wit, value, stock_type), pointer)
    parts: list[bytes] = []
    try:
        lifted = lifter(wit)(slot.address >> 3, parts.append, 0)
    finally:
        native.delete_value(slot.address)
    return lifted, b"".join(parts)


@RELAXED
@given(data=st.data())
def test_we_read_what_the_binding_wrote(stock_types, data):
    number = data.draw(st.integers(0, len(TYPES) - 1))
    wit, stock_type = TYPES[number], stock_types[number]
    assume(not misled(wit))
    value = data.draw(values(wit))
    lifted, cbor = written_by_the_binding(stock_type, wit, value)
    write = encoder(wit)
    assert cbor == write(value) == write(lifted)


TAKES_ANOTHER_CASE = [
    # An absent value in an earlier case takes everything: `store.get-by-label` can't say its error.
    (ResultOf(OptionOf(Prim.U8), Prim.STRING), Err("no"), ValueError),
    (ResultOf(OptionOf(BYTES), Prim.STRING), Err("no"), ValueError),
    (OptionOf(ResultOf(OptionOf(Prim.U8), Prim.STRING)), Err("no"), ValueError),
    (VariantOf((("a", OptionOf(Prim.U8)), ("b", Prim.STRING))), Case("b", "x"), ValueError),
    # A bool is an int in Python.
    (ResultOf(Prim.U32, Prim.BOOL), Err(True), Ok(1)),
    (VariantOf((("n", Prim.S8), ("t", Prim.BOOL))), Case("t", False), Case("n", 0)),
    (OptionOf(VariantOf((("n", Prim.S8), ("t", Prim.BOOL)))), Case("t", True), Case("n", 1)),
]
"""A type, a value of it, and what the binding makes of it."""

TAKES_WHAT_IS_NO_VALUE = [
    (Prim.U8, 300, 44),
    (Prim.U8, -1, 255),
    (Prim.S16, 2**15, -(2**15)),
    (Prim.S64, 2**63, -(2**63)),
    (Prim.U32, True, 1),
    (Prim.F32, 0.1, 0.10000000149011612),
    (Prim.F32, 1e300, float("inf")),
    (FlagsOf(("a", "b")), frozenset({"c"}), frozenset({"c"})),
    (EnumOf(("a", "b")), "c", KeyError),
]
"""A type, a value that is not of it, and what the binding makes of it. KeyError: an unknown name."""


def binding_makes(wit, value):
    try:
        return written_by_the_binding(kinds_of([wit])[0], wit, value)[0]
    except (ValueError, KeyError) as error:
        return type(error)


@pytest.mark.parametrize("wit, value, made", TAKES_ANOTHER_CASE)
def test_where_the_binding_takes_another_case_the_engine_takes_the_right_one(wit, value, made):
    assert misled(wit)
    assert binding_makes(wit, value) == made
    slot = native.Buffer(native.VAL_BYTES)
    lowerer(wit, {})(slot.address >> 3, value, lambda _: None, 0)
    assert lifter(wit)(slot.address >> 3, lambda _: None, 0) == value
    read = kinds_of([wit])[0].convert_from_c(
        _ffi.wasmtime_component_val_t.from_address(slot.address)
    )
    assert ours(wit, read, kinds_of([wit])[0]) == value


@pytest.mark.parametrize("wit, value, made", TAKES_WHAT_IS_NO_VALUE)
def test_where_the_binding_takes_what_is_no_value_the_engine_refuses_it(wit, value, made):
    assert binding_makes(wit, value) == made
    slot = native.Buffer(native.VAL_BYTES)
    with pytest.raises(CodecError):
        lowerer(wit, {})(slot.address >> 3, value, lambda _: None, 0)


@pytest.mark.parametrize(
    "wit",
    [
        OptionOf(OptionOf(Prim.U8)),
        ResultOf(Prim.STRING, OptionOf(Prim.U8)),
        ResultOf(Prim.BOOL, Prim.U32),
        VariantOf((("a", None), ("b", Prim.U8), ("c", Prim.STRING))),
        ResultOf(None, None),
    ],
)
def test_where_the_classes_tell_cases_apart_the_binding_is_right(wit):
    assert not misled(wit)
    for value in (Some(None), Some(1), None, Ok("x"), Err(None), Ok(True), Err(5), Ok(), Err()):
        try:
            expected = encoder(wit)(value)
        except CodecError:
            continue
        assert written_by_the_binding(kinds_of([wit])[0], wit, value)[1] == expected


class Instantiating(Exception):
    """What the host function raises during the instantiation."""


def test_an_error_that_the_binding_keeps_for_another_call_stays_with_its_own(engine):
    def fail(*_):
        raise Instantiating

    component = engine.load(wat(STARTING))
    ended = component.instance().call(SEND, [None, (b"",)], Host(fail), 1000)
    assert (ended.kind, type(ended.cause)) == ("host", Instantiating)
    ended = component.instance().call(SEND, [None, (b"",)], Host(), 1000)
    assert (ended.kind, ended.code, ended.cause) == ("trap", "unreachable", None)

    stock_engine = wasmtime.Engine()
    stock_component = Component(stock_engine, wat(STARTING))
    failing = [True]

    def log(store, message):
        if failing[0]:
            raise Instantiating

    linker = Linker(stock_engine)
    with linker.root() as root, root.add_instance("theater:simple/runtime") as runtime:
        runtime.add_func("log", log)
    with pytest.raises(wasmtime.WasmtimeError):
        linker.instantiate(wasmtime.Store(stock_engine), stock_component)
    failing[0] = False
    store = wasmtime.Store(stock_engine)
    instance = linker.instantiate(store, stock_component)
    outer = instance.get_export_index(store, "theater:simple/message-server-client")
    index = instance.get_export_index(store, "handle-send", outer)
    function = instance.get_func(store, index)
    try:
        with pytest.raises(Instantiating):
            function(store, None, (b"",))
    finally:
        stock_enter.LAST_EXCEPTION = None


ENDING = f"""
import wasmtime
from wasmtime.component import Component, Linker
def log(store, message):
    raise KeyboardInterrupt
engine = wasmtime.Engine()
linker = Linker(engine)
with linker.root() as root, root.add_instance("theater:simple/runtime") as runtime:
    runtime.add_func("log", log)
try:
    linker.instantiate(wasmtime.Store(engine), Component(engine, {STARTING!r}))
except BaseException as error:
    print("raised", type(error).__name__)
else:
    print("nothing was raised")
"""


def test_what_is_no_exception_ends_the_binding_s_process_or_is_lost_and_here_ends_the_call(engine):
    child = subprocess.run(
        [sys.executable, "-c", ENDING], capture_output=True, text=True, timeout=60
    )
    assert child.returncode < 0 or child.stdout == "nothing was raised\n"

    def interrupt(*_):
        raise KeyboardInterrupt

    ended = engine.load(wat(STARTING)).instance().call(SEND, [None, (b"",)], Host(interrupt), 1000)
    assert (ended.kind, type(ended.cause)) == ("host", KeyboardInterrupt)
