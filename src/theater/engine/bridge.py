"""The byte bridge: a component in an outer one whose functions have `string` for every `list<u8>`.

The library makes each byte of a list a value of 32 bytes; a string is one copy. So the component is
nested unchanged in a generated one, between two shims:

    host → exports with strings → shim → the component → shim → imports with strings → host

What the shims pass through looks the same in memory, so they only hand pointers on. An interface
takes part if at least one of its functions has a byte list and none has to do with resources; all
others pass through as they are. A component that the bridge doesn't understand is left unbridged.

Why it is worth it, what it costs and what was rejected: docs/adr/0004-byte-bridge.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from theater.engine.bridge_reader import Budget, Reader, Unsupported
from theater.engine.bridge_shim import shim
from theater.engine.bridge_surface import (
    FUNCTION,
    INSTANCE,
    PREAMBLE,
    TYPE,
    ResourceType,
    Shape,
    Surface,
    surface,
)
from theater.engine.bridge_text import Types, function_with_text, quoted
from theater.engine.wat import wat
from theater.limits import CBOR_DEPTH_MAX, TYPE_NODES_MAX
from theater.values.types import (
    BYTES,
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

BRIDGE: Final = 1
"""The version of the bridge, as an `actor-start` has it; 0 stands for none."""

EXTRA_MEMORIES: Final = 2
EXTRA_CORE_INSTANCES: Final = 4
"""What the shims take of an instance's limits."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """The original types of the functions whose byte lists are strings in a wrapped component.

    By the name of the interface, as the component spells it, and the function's.
    """

    imports: Mapping[tuple[str, str], FuncType]
    exports: Mapping[tuple[str, str], FuncType]


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A wrapped component, and what it stands for. Its bytes are made when they are asked for."""

    bridge: Bridge
    text: str
    """The outer component, with an empty one in the place of the original."""
    original: bytes

    def digest(self, sha256: bytes) -> bytes:
        """What tells wrapped components apart, from the hash of the original."""
        return hashlib.sha256(sha256 + self.text.encode()).digest()

    def wasm(self) -> bytes:
        """The binary. ComponentError if it can't be made of names like those of the original."""
        return _nest(wat(self.text), 1 if self.bridge.imports else 0, self.original)


def wrap(wasm: bytes) -> Wrapped | None:
    """The wrapped component, None if nothing would be gained or the bridge doesn't understand it."""
    try:
        found = surface(wasm)
        survey = _Survey()
        imports = survey.taking_part(found.imports)
        exports = survey.taking_part((name, item) for name, _, item in found.exports)
        if not imports and not exports:
            return None
        text = _Outer(found, imports, exports).text()
    except Unsupported:
        return None
    return Wrapped(Bridge(_functions(imports), _functions(exports)), text, wasm)


def _functions(shapes: Mapping[str, Shape]) -> dict[tuple[str, str], FuncType]:
    return {(interface, name): item for interface, name, item in _each(shapes)}


class _Survey:
    """Which interfaces take part, and whether all types together are within their bounds.

    The bounds are checked before anything is done that walks through types, because a component
    can share one part many times over.
    """

    def __init__(self) -> None:
        self._nodes = 0

    def taking_part(self, interfaces: Iterable[tuple[str, Any]]) -> dict[str, Shape]:
        return {name: item for name, item in interfaces if self._takes_part(item)}

    def _takes_part(self, shape: Any) -> bool:
        if not isinstance(shape, Shape):
            return False
        gains = False
        apart = True
        for item in shape.items.values():
            if isinstance(item, ResourceType | Shape):
                apart = False
                continue
            nodes = self._parts(item)
            apart = apart and not any(isinstance(node, Resource) for node in nodes)
            gains = gains or (isinstance(item, FuncType) and BYTES in map(_shallow, nodes))
        return apart and gains

    def _parts(self, item: FuncType | WitType) -> list[WitType]:
        """All parts of a type."""
        found: list[WitType] = []
        waiting: list[tuple[WitType | None, int]]
        if isinstance(item, FuncType):
            waiting = [(item.result, 0), *((wit, 0) for _, wit in item.params)]
        else:
            waiting = [(item, 0)]
        while waiting:
            wit, depth = waiting.pop()
            if wit is None:
                continue
            found.append(wit)
            self._nodes += 1
            if self._nodes > TYPE_NODES_MAX or depth > CBOR_DEPTH_MAX:
                raise Unsupported("the types are too large")
            waiting += [(part, depth + 1) for part in _inner(wit)]
        return found


def _inner(wit: WitType) -> Iterable[WitType | None]:
    match wit:
        case ListOf(inner) | OptionOf(inner):
            return (inner,)
        case TupleOf(items):
            return items
        case RecordOf(fields):
            return [part for _, part in fields]
        case VariantOf(cases):
            return [part for _, part in cases]
        case ResultOf(ok, err):
            return ok, err
    return ()


def _shallow(wit: WitType) -> WitType | None:
    """The type itself if comparing it costs nothing."""
    return wit if isinstance(wit, ListOf) and isinstance(wit.element, Prim) else None


@dataclass(slots=True)
class _Outer:
    """Writes the outer component, with an empty one where the original is to be nested."""

    found: Surface
    imports: Mapping[str, Shape]
    exports: Mapping[str, Shape]
    lines: list[str] = field(default_factory=list)
    types: Types = field(init=False)
    instances: dict[str, str] = field(default_factory=dict)
    """What stands for an import: the identifier of an instance."""

    def __post_init__(self) -> None:
        self.types = Types("w", self.lines, lambda identifier: identifier)

    def text(self) -> str:
        for number, (name, shape) in enumerate(self.found.imports):
            if not isinstance(shape, Shape):
                raise Unsupported(f"an import of the world, `{name}`")
            self._import(f"m{number}", name, shape)
        self._bridge_imports()
        given = [
            f"(with {quoted(name)} (instance {identifier}))"
            for name, identifier in self.instances.items()
        ]
        self.lines.append("(component $original)")
        self.lines.append(f"(instance $inner (instantiate $original {' '.join(given)}))")
        self._bridge_exports()
        return "(component\n" + "\n".join(self.lines) + ")"

    def _import(self, identifier: str, name: str, shape: Shape) -> None:
        lines: list[str] = []
        count = 0

        def named(defined: str) -> str:
            nonlocal count
            count += 1
            lines.append(f'(export "bridge{count}" (type {defined}-named (eq {defined})))')
            return f"{defined}-named"

        types = Types(f"{identifier}-", lines, named, dict(self.types.resources))
        bridged = name in self.imports
        for number, (inner, item) in enumerate(shape.items.items()):
            place = f"${identifier}-item{number}"
            if isinstance(item, FuncType):
                kind = types.function(function_with_text(item) if bridged else item)
                lines.append(f"(export {quoted(inner)} (func (type {kind})))")
            elif isinstance(item, Shape):
                raise Unsupported("an instance in an instance")
            elif isinstance(item, ResourceType):
                known = types.resources.get(item.name)
                bound = "(sub resource)" if known is None else f"(eq {known})"
                lines.append(f"(export {quoted(inner)} (type {place} {bound}))")
                types.resources[item.name] = place
            elif not bridged:
                lines.append(
                    f"(export {quoted(inner)} (type {place} (eq {types.identifier(item)})))"
                )
                types.known[item] = place
        self.lines.append(f"(type ${identifier}-type (instance\n{chr(10).join(lines)}))")
        self.lines.append(
            f"(import {quoted(name)} (instance ${identifier} (type ${identifier}-type)))"
        )
        self.instances[name] = f"${identifier}"
        for number, (inner, item) in enumerate(shape.items.items()):
            if isinstance(item, ResourceType) and item.name not in self.types.resources:
                place = f"${identifier}-resource{number}"
                self.lines.append(f"(alias export ${identifier} {quoted(inner)} (type {place}))")
                self.types.resources[item.name] = place

    def _bridge_imports(self) -> None:
        functions = list(_each(self.imports))
        if not functions:
            return
        self._shim(
            "in",
            [(function_with_text(item), item) for _, _, item in functions],
            [f"(func {self.instances[name]} {quoted(inner)})" for name, inner, _ in functions],
        )
        number = 0
        for place, (name, shape) in enumerate(self.imports.items()):
            parts = []
            for inner, item in shape.items.items():
                if isinstance(item, FuncType):
                    parts.append(f'(export {quoted(inner)} (func $in "g{number}"))')
                    number += 1
                else:
                    parts.append(f"(export {quoted(inner)} (type {self.types.identifier(item)}))")
            self.lines.append(f"(instance $given{place} {' '.join(parts)})")
            self.instances[name] = f"$given{place}"

    def _bridge_exports(self) -> None:
        functions = list(_each(self.exports))
        exported = 0
        if functions:
            exported = self._shim(
                "out",
                [(item, function_with_text(item)) for _, _, item in functions],
                [f"(func $inner {quoted(name)} {quoted(inner)})" for name, inner, _ in functions],
            )
        number = 0
        for place, (name, sort, _) in enumerate(self.found.exports):
            if name in self.exports:
                parts = [f'(export "bridge{at}" (type $out "t{at}"))' for at in range(exported)]
                for inner, item in self.exports[name].items.items():
                    if isinstance(item, FuncType):
                        parts.append(f'(export {quoted(inner)} (func $out "g{number}"))')
                        number += 1
                self.lines.append(f"(instance $shown{place} {' '.join(parts)})")
                self.lines.append(f"(export {quoted(name)} (instance $shown{place}))")
            elif sort in _SORTS:
                self.lines.append(f"(export {quoted(name)} ({_SORTS[sort]} $inner {quoted(name)}))")
            else:
                raise Unsupported(f"an export of sort {sort}")

    def _shim(
        self, name: str, functions: list[tuple[FuncType, FuncType]], arguments: list[str]
    ) -> int:
        """Write a shim and its instance; how many types it exports."""
        made = shim(f"{name}-shim", functions)
        given = [
            f"(with {quoted(label)} (type {self.types.identifier(wit)}))"
            for label, wit in made.imported
        ]
        given += [f'(with "f{number}" {each})' for number, each in enumerate(arguments)]
        self.lines.append(made.text)
        self.lines.append(f"(instance ${name} (instantiate ${name}-shim {' '.join(given)}))")
        return made.exported


_NESTED: Final = 4
"""The kind of section that holds a nested component."""

_SORTS: Final = {FUNCTION: "func", TYPE: "type", INSTANCE: "instance"}


def _each(shapes: Mapping[str, Shape]) -> Iterator[tuple[str, str, FuncType]]:
    for interface, shape in shapes.items():
        for name, item in shape.items.items():
            if isinstance(item, FuncType):
                yield interface, name, item


def _nest(outer: bytes, place: int, wasm: bytes) -> bytes:
    """The outer component with the original for its nested component number `place`."""
    reader = Reader(outer, len(PREAMBLE), len(outer), Budget())
    while True:
        begin = reader.at
        kind = reader.byte()
        reader.skip(reader.number())
        if kind == _NESTED:
            if place == 0:
                nested = bytes([_NESTED]) + _leb128(len(wasm)) + wasm
                return outer[:begin] + nested + outer[reader.at :]
            place -= 1


def _leb128(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
