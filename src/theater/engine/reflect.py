"""A component's type, as data: what it imports and exports, under recorded names.

Refused, because no recording could hold them: types beyond WASI 0.2 (`map`, `future`, `stream`,
`error-context`), async functions, names that don't fit into an event's type, and types whose CBOR
would be too deep to read back. An export outside Theater's package that has such a type is left
out instead, because toolchains export things of their own that nobody here calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import wasmtime
from wasmtime import _ffi
from wasmtime.component import Component as WasmComponent
from wasmtime.component import ResourceType
from wasmtime.component import _types as stock

from theater.engine.bridge import Bridge
from theater.engine.names import ROOT, recorded_interface, recorded_name
from theater.engine.outcome import ImportedFunction
from theater.errors import ComponentError
from theater.limits import FUNCTION_NAME_BYTES_MAX, TYPE_NODES_MAX
from theater.values.codec import TYPE_DEPTH_MAX, depth
from theater.values.types import (
    EnumOf,
    FlagsOf,
    FuncType,
    ListOf,
    OptionOf,
    Prim,
    RecordOf,
    Resource,
    ResultOf,
    TupleOf,
    VariantOf,
    WitType,
)


@dataclass(frozen=True, slots=True)
class ImportedResource:
    """A resource that the host provides; `index` tells its handles from those of others."""

    index: int
    name: str


@dataclass(frozen=True, slots=True)
class ImportedInstance:
    """What is to be linked under one imported name; the name None is the world itself."""

    name: str | None
    functions: tuple[tuple[str, ImportedFunction], ...]
    resources: tuple[tuple[str, ImportedResource], ...]


@dataclass(frozen=True, slots=True)
class ExportedFunction:
    """Where an export is found: its instance's name, None for the world, and its own."""

    instance: str | None
    function: str
    name: str
    type: FuncType
    bridged: bool = False


@dataclass(frozen=True, slots=True)
class Reflection:
    """The whole type of a component."""

    imports: tuple[ImportedInstance, ...]
    exports: tuple[ExportedFunction, ...]

    def bridged(self, bridge: Bridge) -> Reflection:
        """The type that the component has without the bridge, from the type that it has with it."""
        return Reflection(
            tuple(
                replace(instance, functions=tuple(_original(instance, bridge)))
                for instance in self.imports
            ),
            tuple(
                replace(export, type=original, bridged=True)
                if (original := bridge.exports.get((export.instance or "", export.function)))
                else export
                for export in self.exports
            ),
        )


def _original(instance: ImportedInstance, bridge: Bridge) -> Iterator[tuple[str, ImportedFunction]]:
    for name, function in instance.functions:
        original = bridge.imports.get((instance.name or "", name))
        if original is not None:
            function = replace(function, type=original, bridged=True)
        yield name, function


_PRIMITIVES: dict[type, Prim] = {
    stock.Bool: Prim.BOOL,
    stock.S8: Prim.S8,
    stock.S16: Prim.S16,
    stock.S32: Prim.S32,
    stock.S64: Prim.S64,
    stock.U8: Prim.U8,
    stock.U16: Prim.U16,
    stock.U32: Prim.U32,
    stock.U64: Prim.U64,
    stock.F32: Prim.F32,
    stock.F64: Prim.F64,
    stock.Char: Prim.CHAR,
    stock.String: Prim.STRING,
}

# No deeper tree can be within the codec's bound: a level of a type is none in CBOR only for an
# option, and options of options are arrays.
_LEVELS_MAX = 2 * TYPE_DEPTH_MAX


def reflect(
    component: WasmComponent,
    engine: wasmtime.Engine,
    recorded: Callable[[str], bool],
) -> Reflection:
    """The type of a component. ComponentError says what about it can't be accepted, and where."""
    return _Reader(engine, recorded).read(component.type)


class _Reader:
    def __init__(self, engine: wasmtime.Engine, recorded: Callable[[str], bool]) -> None:
        self._engine = engine
        self._recorded = recorded
        self._resources: list[tuple[Any, str, int | None]] = []
        self._imported: list[ImportedResource] = []
        self._functions = 0
        self._nodes = 0
        self._where = ""

    def read(self, component: stock.ComponentType) -> Reflection:
        imports = []
        root_functions: list[tuple[str, ImportedFunction]] = []
        root_resources: list[tuple[str, ImportedResource]] = []
        for name, extern in component.imports(self._engine).items():
            item = self._item(extern, f"the import `{name}`")
            if isinstance(item, stock.ComponentInstanceType):
                imports.append(self._imported_instance(name, item))
            else:
                self._import(ROOT, name, item, root_functions, root_resources)
        imports.append(ImportedInstance(None, tuple(root_functions), tuple(root_resources)))
        exports = [
            export
            for name, extern in component.exports(self._engine).items()
            for export in self._exports(name, extern)
        ]
        return Reflection(tuple(imports), tuple(exports))

    def _item(self, extern: stock.ComponentExtern, where: str) -> Any:
        self._where = where
        try:
            return extern.ty
        except TypeError:
            raise self._refused("is of a kind that this version of Theater doesn't know") from None

    def _imported_instance(
        self, name: str, instance: stock.ComponentInstanceType
    ) -> ImportedInstance:
        interface = recorded_interface(name)
        functions: list[tuple[str, ImportedFunction]] = []
        resources: list[tuple[str, ImportedResource]] = []
        for inner, extern in instance.exports(self._engine).items():
            item = self._item(extern, f"the import `{name}` · `{inner}`")
            self._import(interface, inner, item, functions, resources)
        return ImportedInstance(name, tuple(functions), tuple(resources))

    def _import(
        self,
        interface: str,
        name: str,
        item: Any,
        functions: list[tuple[str, ImportedFunction]],
        resources: list[tuple[str, ImportedResource]],
    ) -> None:
        if isinstance(item, stock.FuncType):
            recorded = self._name(interface, name)
            functions.append(
                (
                    name,
                    ImportedFunction(
                        index=self._functions,
                        interface=interface,
                        function=name,
                        name=recorded,
                        type=self._function(item),
                        recorded=self._recorded(recorded),
                    ),
                )
            )
            self._functions += 1
        elif isinstance(item, ResourceType):
            resources.append((name, self._imported_resource(interface, name, item)))
        elif isinstance(item, stock.ComponentType | stock.ModuleType | stock.ComponentInstanceType):
            raise self._refused("is a component, a module or a nested instance")

    def _imported_resource(self, interface: str, name: str, resource: Any) -> ImportedResource:
        # An interface that uses another's resource exports it again; it is one resource.
        for known, _, index in self._resources:
            if index is not None and known == resource:
                return self._imported[index]
        imported = ImportedResource(len(self._imported), recorded_name(interface, name))
        self._imported.append(imported)
        self._resources.append((resource, imported.name, imported.index))
        return imported

    def _exports(self, name: str, extern: stock.ComponentExtern) -> list[ExportedFunction]:
        ours = recorded_interface(name).startswith("theater:")
        where = f"the export `{name}`"
        try:
            item = self._item(extern, where)
            if isinstance(item, stock.FuncType):
                return [self._export(None, name, item)]
            if not isinstance(item, stock.ComponentInstanceType):
                return []
            inner = item.exports(self._engine)
        except ComponentError:
            if ours:
                raise
            return []
        found = []
        for function, inner_extern in inner.items():
            try:
                inner_item = self._item(inner_extern, f"{where} · `{function}`")
                if isinstance(inner_item, stock.FuncType):
                    found.append(self._export(name, function, inner_item))
                elif isinstance(inner_item, ResourceType):
                    named = recorded_name(recorded_interface(name), function)
                    self._resources.append((inner_item, named, None))
            except ComponentError:
                if ours:
                    raise
        return found

    def _export(self, instance: str | None, function: str, item: Any) -> ExportedFunction:
        interface = ROOT if instance is None else recorded_interface(instance)
        name = self._name(interface, function)
        return ExportedFunction(instance, function, name, self._function(item))

    def _name(self, interface: str, function: str) -> str:
        name = recorded_name(interface, function)
        if len(name.encode()) > FUNCTION_NAME_BYTES_MAX:
            raise self._refused(f"has a name longer than {FUNCTION_NAME_BYTES_MAX} bytes")
        return name

    def _function(self, function: stock.FuncType) -> FuncType:
        if _ffi.wasmtime_component_func_type_async(function.ptr()):
            raise self._refused("is async, which is beyond WASI 0.2")
        try:
            params = tuple((name, self._readable(inner)) for name, inner in function.params)
            result = function.result
            return FuncType(params, None if result is None else self._readable(result))
        except TypeError:
            # The binding has no class for a kind that it doesn't know; `map` is one.
            raise self._refused("has a type beyond WASI 0.2") from None

    def _readable(self, inner: Any) -> WitType:
        wit = self._type(inner, 0)
        if depth(wit) > TYPE_DEPTH_MAX:
            raise self._refused(f"has a type nested deeper than {TYPE_DEPTH_MAX} levels")
        return wit

    def _type(self, inner: Any, level: int) -> WitType:
        self._nodes += 1
        if self._nodes > TYPE_NODES_MAX:
            raise self._refused(f"brings the types above {TYPE_NODES_MAX} parts")
        if level > _LEVELS_MAX:
            raise self._refused(f"has a type nested deeper than {_LEVELS_MAX} levels")
        prim = _PRIMITIVES.get(type(inner))
        if prim is not None:
            return prim
        deeper = level + 1
        match inner:
            case stock.ListType():
                return ListOf(self._type(inner.element, deeper))
            case stock.RecordType():
                return RecordOf(tuple((n, self._type(t, deeper)) for n, t in inner.fields))
            case stock.TupleType():
                return TupleOf(tuple(self._type(t, deeper) for t in inner.elements))
            case stock.VariantType():
                return VariantOf(tuple((n, self._maybe(t, deeper)) for n, t in inner.cases))
            case stock.EnumType():
                return EnumOf(tuple(inner.names))
            case stock.OptionType():
                return OptionOf(self._type(inner.payload, deeper))
            case stock.ResultType():
                return ResultOf(self._maybe(inner.ok, deeper), self._maybe(inner.err, deeper))
            case stock.FlagsType():
                return FlagsOf(tuple(inner.names))
            case stock.OwnType() | stock.BorrowType():
                return self._handle(inner)
        raise self._refused(f"has a type beyond WASI 0.2 ({type(inner).__name__})")

    def _maybe(self, inner: Any, level: int) -> WitType | None:
        return None if inner is None else self._type(inner, level)

    def _handle(self, inner: Any) -> Resource:
        for known, name, _ in self._resources:
            if known == inner.ty:
                return Resource(name, isinstance(inner, stock.OwnType))
        raise self._refused("has a handle of a resource that it doesn't name")

    def _refused(self, why: str) -> ComponentError:
        return ComponentError(
            f"{self._where} {why}; build the component for WASI 0.2", code="component.unsupported"
        )
