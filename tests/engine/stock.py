"""The binding's own way: its values and ours, what it can't tell apart, and an echo called by it.

What it lifts can always be told apart. What it lowers can't, where it looks for the case of a
variant, an option or a result by the value's Python class: it takes the first one that fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import wasmtime
from wasmtime.component import Component, Linker, ResourceAny, ResourceHost, ResourceType
from wasmtime.component import _types as stock

from tests.engine.echo import back
from theater.values.types import (
    BYTES,
    STATE,
    Case,
    EnumOf,
    Err,
    FlagsOf,
    ListOf,
    Ok,
    OptionOf,
    Prim,
    RecordOf,
    Resource,
    ResultOf,
    Some,
    TupleOf,
    VariantOf,
    WitType,
    nullable,
)

_THINGS = 0


def cases_of(wit: WitType) -> Mapping[str, WitType | None] | None:
    """The cases of what the binding takes for a variant; None for any other type."""
    match wit:
        case VariantOf(cases):
            return dict(cases)
        case OptionOf(inner):
            return {"none": None, "some": inner}
        case ResultOf(ok, err):
            return {"ok": ok, "err": err}
    return None


def ours(wit: WitType, value: Any, kind: Any, store: Any = None) -> Any:
    """The binding's value in our form; `kind` is the type as the binding has it."""
    match wit:
        case Prim() | EnumOf():
            return value
        case ListOf(element):
            if element is Prim.U8:
                return value
            return [ours(element, item, kind.element, store) for item in value]
        case TupleOf(items):
            parts = zip(items, value, kind.elements, strict=True)
            return tuple([ours(*part, store) for part in parts])
        case RecordOf(fields):
            types = dict(kind.fields)
            return {
                name: ours(field, getattr(value, name), types[name], store)
                for name, field in fields
            }
        case FlagsOf():
            return frozenset(value)
        case Resource():
            assert isinstance(value, ResourceAny)
            return value.to_host(store).rep
    types = dict(kind._cases())
    if kind._tagged():
        name, inner = value.tag, value.payload
    else:
        name, inner = _find(value, types), value
    case = cases_of(wit)[name]
    inner = None if case is None else ours(case, inner, types[name], store)
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


def _find(value: Any, types: Mapping[str, Any]) -> str:
    for name, inner in types.items():
        classes: set[type] = set()
        if inner is None:
            classes.add(object)
        else:
            inner.add_classes(classes)
        if type(value) in classes or (value is None and object in classes):
            return name
    raise AssertionError(value)


def theirs(wit: WitType, value: Any, kind: Any) -> Any:
    """Our value in the binding's form."""
    match wit:
        case Prim() | EnumOf():
            return value
        case ListOf(element):
            if element is Prim.U8:
                return value
            return [theirs(element, item, kind.element) for item in value]
        case TupleOf(items):
            parts = zip(items, value, kind.elements, strict=True)
            return tuple([theirs(*part) for part in parts])
        case RecordOf(fields):
            types = dict(kind.fields)
            record = stock.Record()
            for name, field in fields:
                setattr(record, name, theirs(field, value[name], types[name]))
            return record
        case FlagsOf():
            return set(value)
        case Resource(_, owned):
            return (ResourceHost.own if owned else ResourceHost.borrow)(value, _THINGS)
        case VariantOf():
            name, inner = value
        case ResultOf():
            name, inner = ("ok" if isinstance(value, Ok) else "err"), value.value
        case OptionOf():
            name, inner = ("none" if value is None else "some"), value
            inner = inner.value if isinstance(inner, Some) else inner
    types = dict(kind._cases())
    case = cases_of(wit)[name]
    inner = None if case is None else theirs(case, inner, types[name])
    return stock.Variant(name, inner) if kind._tagged() else inner


def _classes(wit: WitType) -> set[type]:
    """The Python classes that the binding expects of values of a type."""
    match wit:
        case Prim.BOOL:
            return {bool}
        case Prim.STRING | Prim.CHAR | EnumOf():
            return {str}
        case Prim.F32 | Prim.F64:
            return {float}
        case Prim():
            return {int}
        case ListOf():
            return {bytes} if wit == BYTES else {list}
        case TupleOf():
            return {tuple}
        case RecordOf():
            return {stock.Record}
        case FlagsOf():
            return {set}
        case Resource():
            return {ResourceAny, ResourceHost}
    each = _classes_of_cases(wit)
    return {stock.Variant} if _tagged(each) else set().union(*each)


def _classes_of_cases(wit: WitType) -> list[set[type]]:
    cases = cases_of(wit)
    assert cases is not None
    return [{object} if case is None else _classes(case) for case in cases.values()]


def _tagged(classes: list[set[type]]) -> bool:
    return any(one & other for at, one in enumerate(classes) for other in classes[:at])


def misled(wit: WitType) -> bool:
    """Whether the binding may take another case than the right one when it lowers such a value.

    It takes the first case with a class that the value is an instance of. So an absent value in an
    earlier case (class `object`) takes everything, and an integer takes a bool.
    """
    cases = cases_of(wit)
    if cases is None:
        match wit:
            case ListOf(element):
                return misled(element)
            case TupleOf(items):
                return any(misled(item) for item in items)
            case RecordOf(fields):
                return any(misled(field) for _, field in fields)
        return False
    classes = _classes_of_cases(wit)
    if not _tagged(classes):
        for at, (case, earlier) in enumerate(zip(cases.values(), classes, strict=True)):
            later = set().union(*classes[at + 1 :])
            if case is not None and later and object in earlier:
                return True
            if int in earlier and bool in later:
                return True
    return any(misled(case) for case in cases.values() if case is not None)


def returns(wit: WitType) -> WitType:
    """What the export and the import of `echo` for a type return."""
    return ResultOf(TupleOf((STATE, back(wit))), Prim.STRING)


class StockEcho:
    """The component of `echo`, compiled, linked and called by the binding alone."""

    def __init__(self, wasm: bytes, types: list[WitType]) -> None:
        engine = wasmtime.Engine()
        component = Component(engine, wasm)
        exports = component.type.exports(engine)
        self._types = types
        self._kinds = [exports[f"e{number}"].ty for number in range(len(types))]
        self._seen: Any = None
        self._answer: Any = None
        linker = Linker(engine)
        with linker.root() as root:
            for name, extern in component.type.imports(engine).items():
                if name == "thing":
                    root.add_resource(name, ResourceType.host(_THINGS), lambda store, number: None)
                elif name.startswith("f"):
                    root.add_func(name, self._serve(int(name[1:]), extern.ty))
        self._store = wasmtime.Store(engine)
        self._instance = linker.instantiate(self._store, component)

    def _serve(self, number: int, kind: Any) -> Any:
        wit = self._types[number]

        def serve(store: Any, state: Any, value: Any) -> Any:
            self._seen = state, ours(wit, value, kind.params[1][1], store)
            return theirs(returns(wit), self._answer, kind.result)

        return serve

    def call(self, number: int, state: Any, value: Any, answer: Any) -> tuple[Any, Any]:
        """What the host function saw, and what the export returned, when it answers with `answer`."""
        wit, kind = self._types[number], self._kinds[number]
        function = self._instance.get_func(self._store, f"e{number}")
        self._answer = answer
        returned = function(self._store, state, theirs(wit, value, kind.params[1][1]))
        return self._seen, ours(returns(wit), returned, kind.result, self._store)
