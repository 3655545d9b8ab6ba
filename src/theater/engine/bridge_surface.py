"""What a component imports and exports, read from its binary without compiling it.

Only what the byte bridge needs is evaluated: the component's outermost level, the types of its
imports, and of the small components that a toolchain puts around each exported interface. A
resource is named by the import that it comes from, patch version and all, so that equal names mean
the same resource. Whatever is not known here raises Unsupported.

Source: Component Model, `Binary.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from theater.engine.bridge_reader import Budget, Reader, Unsupported
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

CORE, FUNCTION, VALUE, TYPE, COMPONENT, INSTANCE = range(6)

PREAMBLE: Final = b"\0asm\x0d\0\1\0"
DEPTH_MAX: Final = 8

_PRIMITIVES: Final = {
    0x7F: Prim.BOOL, 0x7E: Prim.S8, 0x7D: Prim.U8, 0x7C: Prim.S16, 0x7B: Prim.U16, 0x7A: Prim.S32,
    0x79: Prim.U32, 0x78: Prim.S64, 0x77: Prim.U64, 0x76: Prim.F32, 0x75: Prim.F64,
    0x74: Prim.CHAR, 0x73: Prim.STRING,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A resource, by the name of where it comes from."""

    name: str


@dataclass(frozen=True, slots=True)
class Shape:
    """An instance's exports by name, in order: FuncType, WitType, ResourceType, Shape."""

    items: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Surface:
    """A component's imports and exports. Of the exports `kind` is the sort."""

    imports: tuple[tuple[str, Any], ...]
    exports: tuple[tuple[str, int, Any], ...]


@dataclass(frozen=True, slots=True)
class _Type:
    """An instance's or a component's type, evaluated where it is used: each use has its own resources."""

    make: Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class _Component:
    """Where a nested component's bytes are, and what it is nested in."""

    begin: int
    end: int
    home: _Scope


@dataclass(slots=True)
class _Scope:
    """The index spaces of one component, component type or instance type."""

    path: str
    outer: _Scope | None
    depth: int
    types: list[Any] = field(default_factory=list)
    functions: list[Any] = field(default_factory=list)
    components: list[Any] = field(default_factory=list)
    instances: list[Callable[[], Shape]] = field(default_factory=list)
    imports: list[tuple[str, Any]] = field(default_factory=list)
    exports: list[tuple[str, int, Any]] = field(default_factory=list)

    def space(self, sort: int) -> list[Any]:
        match sort:
            case 1:
                return self.functions
            case 3:
                return self.types
            case 4:
                return self.components
            case 5:
                return self.instances
        raise Unsupported(f"items of sort {sort}")

    def get(self, sort: int, index: int) -> Any:
        space = self.space(sort)
        if index >= len(space):
            raise Unsupported("an index that names nothing")
        return space[index]

    def add(self, sort: int, item: Any) -> None:
        """Add an item of the sort that it is said to be."""
        expected = _ITEMS.get(sort)
        if expected is None or not isinstance(item, expected):
            raise Unsupported(f"an item that is not of sort {sort}")
        self.space(sort).append((lambda: item) if sort == INSTANCE else item)

    def inner(self, path: str) -> _Scope:
        if self.depth >= DEPTH_MAX:
            raise Unsupported("components nested too deep")
        return _Scope(path, self, self.depth + 1)


def surface(wasm: bytes) -> Surface:
    """What a component imports and exports."""
    scope = _Scope("", None, 0)
    _component(Reader(wasm, 0, len(wasm), Budget()), scope)
    return Surface(tuple(scope.imports), tuple(scope.exports))


def _component(reader: Reader, scope: _Scope) -> None:
    start = reader.skip(len(PREAMBLE))
    if reader.data[start : reader.at] != PREAMBLE:
        raise Unsupported("not a component of the known version")
    while not reader.done:
        kind = reader.byte()
        size = reader.number()
        begin = reader.skip(size)
        if kind in {0, 1, 2, 3}:
            continue
        if kind == 4:
            scope.components.append(_Component(begin, begin + size, scope))
            continue
        read = _SECTIONS.get(kind)
        if read is None:
            raise Unsupported(f"a section of kind {kind}")
        inner = reader.part(begin, begin + size)
        for _ in range(inner.number()):
            read(inner, scope)


def _read_import(reader: Reader, scope: _Scope) -> None:
    name = reader.extern_name()
    sort, item = _extern(reader, scope, f"{scope.path}{name}")
    scope.add(sort, item)
    scope.imports.append((name, item))


def _read_export(reader: Reader, scope: _Scope) -> None:
    name = reader.extern_name()
    sort = reader.byte()
    if sort == CORE:
        raise Unsupported("an exported core module")
    item = scope.get(sort, reader.number())
    if sort == INSTANCE:
        item = item()
    if reader.byte() == 1:
        _, item = _extern(reader, scope, f"{scope.path}{name}")
    scope.add(sort, item)
    scope.exports.append((name, sort, item))


def _extern(reader: Reader, scope: _Scope, path: str) -> tuple[int, Any]:
    """An `externdesc`: the sort and the type of what it describes."""
    sort = reader.byte()
    match sort:
        case 1:
            return sort, scope.get(TYPE, reader.number())
        case 3:
            if reader.byte() == 0:
                return sort, scope.get(TYPE, reader.number())
            return sort, ResourceType(path)
        case 5:
            kind = scope.get(TYPE, reader.number())
            if not isinstance(kind, _Type):
                raise Unsupported("an instance of what is no instance type")
            return sort, kind.make(path + "/")
    raise Unsupported(f"an import or export of sort {sort}")


def _read_alias(reader: Reader, scope: _Scope) -> None:
    sort = reader.byte()
    core = sort == CORE
    if core:
        reader.byte()
    match reader.byte():
        case 0 if not core:
            instance = reader.number()
            scope.add(sort, _exported(scope.get(INSTANCE, instance)(), reader.name()))
        case 1 if core:
            reader.number()
            reader.skip(reader.number())
        case 2:
            count, index = reader.number(), reader.number()
            if core:
                return
            # Compared before it is counted down: it may be any number.
            if count > scope.depth:
                raise Unsupported("an alias out of the component")
            outer: _Scope | None = scope
            for _ in range(count):
                outer = outer and outer.outer
            assert outer is not None, "as many scopes are around one as it is deep"
            scope.space(sort).append(outer.get(sort, index))
        case _:
            raise Unsupported("an alias of a newer form")


def _exported(shape: Shape, name: str) -> Any:
    if name not in shape.items:
        raise Unsupported(f"an instance without `{name}`")
    return shape.items[name]


def _read_instance(reader: Reader, scope: _Scope) -> None:
    if reader.byte() == 0:
        component = scope.get(COMPONENT, reader.number())
        for _ in range(reader.number()):
            reader.name()
            reader.byte()
            reader.number()
        path = f"{scope.path}?{len(scope.instances)}/"

        @cache
        def instantiated() -> Shape:
            inner = component.home.inner(path)
            _component(reader.part(component.begin, component.end), inner)
            return Shape({name: item for name, _, item in inner.exports})

        scope.instances.append(instantiated)
        return
    named = []
    for _ in range(reader.number()):
        name = reader.extern_name()
        sort = reader.byte()
        if sort == CORE:
            raise Unsupported("a core module in an instance")
        named.append((name, sort, reader.number()))

    def gathered() -> Shape:
        items = {}
        for name, sort, index in named:
            item = scope.get(sort, index)
            items[name] = item() if sort == INSTANCE else item
        return Shape(items)

    scope.instances.append(gathered)


def _read_canon(reader: Reader, scope: _Scope) -> None:
    kind = reader.byte()
    match kind:
        case 0:
            reader.byte()
            reader.number()
            _options(reader)
            scope.add(FUNCTION, scope.get(TYPE, reader.number()))
        case 1:
            reader.byte()
            reader.number()
            _options(reader)
        case 2 | 3 | 4 | 7:
            reader.number()
        case _:
            raise Unsupported(f"a canonical function of kind {kind}")


def _options(reader: Reader) -> None:
    for _ in range(reader.number()):
        kind = reader.byte()
        if kind in {3, 4, 5}:
            reader.number()
        elif kind > 2:
            raise Unsupported("an option of asynchronous functions")


def _read_type(reader: Reader, scope: _Scope) -> None:
    scope.types.append(_type(reader, scope))


def _type(reader: Reader, scope: _Scope) -> Any:
    kind = reader.byte()
    match kind:
        case 0x40:
            return _function(reader, scope)
        case 0x41 | 0x42:
            return _declared(reader, scope)
        case 0x3F:
            reader.byte()
            if reader.byte() == 1:
                reader.number()
            return ResourceType(f"{scope.path}?type{len(scope.types)}")
    return _defined(kind, reader, scope)


def _function(reader: Reader, scope: _Scope) -> FuncType:
    params = tuple((reader.name(), _value(reader, scope)) for _ in range(reader.number()))
    if reader.byte() == 0:
        return FuncType(params, _value(reader, scope))
    if reader.number() != 0:
        raise Unsupported("a function with named results")
    return FuncType(params, None)


def _declared(reader: Reader, scope: _Scope) -> _Type:
    """An instance's or component's type: passed over now, evaluated for each use."""
    begin = reader.at

    def make(path: str) -> Shape:
        inner = scope.inner(path)
        _declarations(reader.part(begin, reader.end), inner)
        return Shape({name: item for name, _, item in inner.exports})

    _declarations(reader, scope.inner(scope.path))
    return _Type(make)


def _declarations(reader: Reader, scope: _Scope) -> None:
    for _ in range(reader.number()):
        match reader.byte():
            case 1:
                _read_type(reader, scope)
            case 2:
                _read_alias(reader, scope)
            case 3:
                _read_import(reader, scope)
            case 4:
                name = reader.extern_name()
                sort, item = _extern(reader, scope, f"{scope.path}{name}")
                scope.add(sort, item)
                scope.exports.append((name, sort, item))
            case _:
                raise Unsupported("a declaration of a core type")


def _value(reader: Reader, scope: _Scope) -> WitType:
    at = reader.at
    byte = reader.byte()
    if byte in _PRIMITIVES:
        return _PRIMITIVES[byte]
    if byte >= 0x40 and byte < 0x80:
        raise Unsupported("a type beyond WASI 0.2")
    reader.at = at
    wit: Any = scope.get(TYPE, reader.number())
    if not isinstance(wit, _VALUES):
        raise Unsupported("a value of what is no value type")
    return wit


def _maybe(reader: Reader, scope: _Scope) -> WitType | None:
    return _value(reader, scope) if reader.byte() else None


def _case(reader: Reader, scope: _Scope) -> tuple[str, WitType | None]:
    label = reader.name()
    value = _maybe(reader, scope)
    if reader.byte() != 0:
        raise Unsupported("a case that refines another")
    return label, value


def _resource(reader: Reader, scope: _Scope, owned: bool) -> Resource:
    resource = scope.get(TYPE, reader.number())
    if not isinstance(resource, ResourceType):
        raise Unsupported("a handle of what is no resource")
    return Resource(resource.name, owned)


def _defined(kind: int, reader: Reader, scope: _Scope) -> WitType:
    if kind in _PRIMITIVES:
        return _PRIMITIVES[kind]
    match kind:
        case 0x72:
            return RecordOf(
                tuple((reader.name(), _value(reader, scope)) for _ in range(reader.number()))
            )
        case 0x71:
            return VariantOf(tuple(_case(reader, scope) for _ in range(reader.number())))
        case 0x70:
            return ListOf(_value(reader, scope))
        case 0x6F:
            return TupleOf(tuple(_value(reader, scope) for _ in range(reader.number())))
        case 0x6E:
            return FlagsOf(tuple(reader.name() for _ in range(reader.number())))
        case 0x6D:
            return EnumOf(tuple(reader.name() for _ in range(reader.number())))
        case 0x6B:
            return OptionOf(_value(reader, scope))
        case 0x6A:
            return ResultOf(_maybe(reader, scope), _maybe(reader, scope))
        case 0x69 | 0x68:
            return _resource(reader, scope, kind == 0x69)
    raise Unsupported(f"a type of kind {kind:#x}")


_VALUES = (
    Prim,
    ListOf,
    TupleOf,
    RecordOf,
    VariantOf,
    EnumOf,
    OptionOf,
    ResultOf,
    FlagsOf,
    Resource,
)
_ITEMS: Final[dict[int, Any]] = {
    FUNCTION: FuncType,
    TYPE: (ResourceType, *_VALUES),
    COMPONENT: _Component,
    INSTANCE: Shape,
}
_SECTIONS: Final[dict[int, Callable[[Reader, _Scope], None]]] = {
    5: _read_instance,
    6: _read_alias,
    7: _read_type,
    8: _read_canon,
    10: _read_import,
    11: _read_export,
}
