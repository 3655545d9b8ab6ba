"""The compiled conversion against the binding's own, over generated types and values.

The binding's conversion can't tell all cases of variants apart when it lowers (a result of an
option, for one), so that direction leaves such types out.
"""

from __future__ import annotations

import ctypes

import pytest
import wasmtime
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from wasmtime import _ffi
from wasmtime.component import _types as stock

from tests.engine.echo import echo
from tests.engine.strategies import values
from tests.engine.test_conversion import TYPES
from theater.engine import native, wat
from theater.engine.lift import lifter
from theater.engine.lower import lowerer
from theater.values.codec import encoder
from theater.values.types import (
    Case,
    EnumOf,
    Err,
    FlagsOf,
    ListOf,
    Ok,
    OptionOf,
    Prim,
    RecordOf,
    ResultOf,
    Some,
    TupleOf,
    VariantOf,
    nullable,
)


@pytest.fixture(scope="module")
def stock_types():
    engine = wasmtime.Engine()
    component = wasmtime.component.Component(engine, wat(echo(TYPES)))
    exports = component.type.exports(engine)
    return [exports[f"e{number}"].ty.params[1][1] for number in range(len(TYPES))]


def _cases(wit):
    match wit:
        case VariantOf(cases):
            return dict(cases)
        case OptionOf(inner):
            return {"none": None, "some": inner}
        case ResultOf(ok, err):
            return {"ok": ok, "err": err}
    return None


def ours(wit, value, stock_type):
    """The binding's value in our form."""
    match wit:
        case Prim() | EnumOf():
            return value
        case ListOf(element):
            if element is Prim.U8:
                return value
            return [ours(element, item, stock_type.element) for item in value]
        case TupleOf(items):
            parts = zip(items, value, stock_type.elements, strict=True)
            return tuple(ours(*part) for part in parts)
        case RecordOf(fields):
            types = dict(stock_type.fields)
            return {name: ours(field, getattr(value, name), types[name]) for name, field in fields}
        case FlagsOf():
            return frozenset(value)
    types = dict(stock_type._cases())
    if stock_type._tagged():
        name, inner = value.tag, value.payload
    else:
        name, inner = _find(wit, value, types), value
    case = _cases(wit)[name]
    inner = None if case is None else ours(case, inner, types[name])
    match wit:
        case VariantOf():
            return Case(name, inner)
        case ResultOf():
            return Ok(inner) if name == "ok" else Err(inner)
        case OptionOf(some):
            if name == "none":
                return None
            return Some(inner) if nullable(some) else inner
    raise AssertionError(wit)


def _find(wit, value, types):
    for name, inner in types.items():
        classes: set[type] = set()
        if inner is None:
            if value is None:
                return name
            continue
        inner.add_classes(classes)
        if type(value) in classes:
            return name
    raise AssertionError((wit, value))


def theirs(wit, value, stock_type):
    """Our value in the binding's form."""
    match wit:
        case Prim() | EnumOf():
            return value
        case ListOf(element):
            if element is Prim.U8:
                return value
            return [theirs(element, item, stock_type.element) for item in value]
        case TupleOf(items):
            parts = zip(items, value, stock_type.elements, strict=True)
            return tuple(theirs(*part) for part in parts)
        case RecordOf(fields):
            types = dict(stock_type.fields)
            record = stock.Record()
            for name, field in fields:
                setattr(record, name, theirs(field, value[name], types[name]))
            return record
        case FlagsOf():
            return set(value)
        case VariantOf():
            name, inner = value
        case ResultOf():
            name, inner = ("ok" if isinstance(value, Ok) else "err"), value.value
        case OptionOf():
            name, inner = ("none" if value is None else "some"), value
            inner = inner.value if isinstance(inner, Some) else inner
    types = dict(stock_type._cases())
    case = _cases(wit)[name]
    inner = None if case is None else theirs(case, inner, types[name])
    return stock.Variant(name, inner) if stock_type._tagged() else inner


def ambiguous(wit) -> bool:
    """Whether the binding may take a value of this type for another case."""
    match wit:
        case Prim() | EnumOf() | FlagsOf():
            return False
        case ListOf(element):
            return ambiguous(element)
        case TupleOf(items):
            return any(ambiguous(item) for item in items)
        case RecordOf(fields):
            return any(ambiguous(field) for _, field in fields)
    cases = [case for case in _cases(wit).values() if case is not None]
    return any(_cases(case) is not None or ambiguous(case) for case in cases)


RELAXED = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@RELAXED
@given(data=st.data())
def test_the_binding_reads_what_we_wrote(stock_types, data):
    number = data.draw(st.integers(0, len(TYPES) - 1))
    wit, stock_type = TYPES[number], stock_types[number]
    assume(not ambiguous(wit))
    value = data.draw(values(wit))
    slot = native.Buffer(native.VAL_BYTES)
    lowerer(wit, {})(slot.address >> 3, value, lambda _: None, 0)
    read = stock_type.convert_from_c(_ffi.wasmtime_component_val_t.from_address(slot.address))
    write = encoder(wit)
    assert write(ours(wit, read, stock_type)) == write(value)


@RELAXED
@given(data=st.data())
def test_we_read_what_the_binding_wrote(stock_types, data):
    number = data.draw(st.integers(0, len(TYPES) - 1))
    wit, stock_type = TYPES[number], stock_types[number]
    assume(not ambiguous(wit))
    value = data.draw(values(wit))
    slot = native.Buffer(native.VAL_BYTES)
    pointer = ctypes.pointer(_ffi.wasmtime_component_val_t.from_address(slot.address))
    stock_type.convert_to_c(None, theirs(wit, value, stock_type), pointer)
    parts: list[bytes] = []
    lifted = lifter(wit)(slot.address >> 3, parts.append, 0)
    native.delete_value(slot.address)
    write = encoder(wit)
    assert b"".join(parts) == write(value) == write(lifted)
