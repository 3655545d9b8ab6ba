"""A component that is compiled and linked: what its instances share.

It is linked once, for all instances in all threads: a linker with one C function for each import,
each export's place, and the closures that convert its values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from wasmtime.component import Component as WasmComponent
from wasmtime.component import ResourceType

from theater.engine import native
from theater.engine.bridge import Bridge
from theater.engine.call import dropper, trampoline
from theater.engine.instance import Instance, InstanceLimits
from theater.engine.lift import lift_all, lifter
from theater.engine.lower import lowerer, nowhere
from theater.engine.outcome import GuestError, ImportedFunction, Outcome, Returned
from theater.engine.reflect import ExportedFunction, ImportedInstance, Reflection
from theater.errors import CodecError, NotFound, UsageError
from theater.values.types import STATE, FuncType, Prim, ResultOf, TupleOf

if TYPE_CHECKING:
    from theater.engine.engine import Engine


class Compiled:
    """A component as the library has it, and the bridge around it, if there is one."""

    __slots__ = ("__weakref__", "bridge", "component")

    def __init__(self, component: WasmComponent, bridge: Bridge | None) -> None:
        self.component: Final = component
        self.bridge: Final = bridge


class Component:
    """What `Engine.load` returns; hold it as long as it may be instantiated."""

    def __init__(
        self,
        engine: Engine,
        sha256: bytes,
        compiled: Compiled,
        reflection: Reflection,
    ) -> None:
        self.sha256: Final = sha256
        self.imports: Final[tuple[ImportedFunction, ...]] = tuple(
            function for instance in reflection.imports for _, function in instance.functions
        )
        self.resources: Final[tuple[str, ...]] = tuple(
            dict.fromkeys(
                resource.name
                for instance in reflection.imports
                for _, resource in instance.resources
            )
        )
        self.exports: Final[Mapping[str, FuncType]] = MappingProxyType(
            {export.name: export.type for export in reflection.exports}
        )
        self.fuel: Final = engine.fuel
        self.bridged: Final = compiled.bridge is not None
        # The library's own counts keep these alive for stores; here it is the linker's callbacks
        # that have to outlive every instance, which each instance sees to by holding this object.
        self._engine = engine
        self._compiled = compiled
        self.address: Final = native.address_of(compiled.component.ptr())
        self.engine_address: Final = engine.address
        self._indexes: list[int] = []
        self._callbacks: list[Any] = []
        self.linker_address: int = native.new_linker(self.engine_address)
        hosts = {
            resource.name: resource.index
            for instance in reflection.imports
            for _, resource in instance.resources
        }
        self._hosts = hosts
        self._droppers: dict[int, tuple[Any, Any]] = {}
        self._link(reflection.imports)
        self._exported = {export.name: export for export in reflection.exports}
        self._shapes: dict[str, ExportShape] = {}

    def instance(self, limits: InstanceLimits | None = None) -> Instance:
        """A new instance, of which nothing runs before its first call.

        UsageError if fuel is limited and the engine doesn't count it, Unavailable if there are too
        many instances.
        """
        limits = limits or InstanceLimits()
        if limits.fuel is not None and not self.fuel:
            raise UsageError("this engine doesn't count fuel", code="engine.fuel")
        return Instance(self, limits)

    def export(self, name: str) -> ExportShape:
        """How an export is called. NotFound, or UsageError if it isn't shaped as an actor's."""
        shape = self._shapes.get(name)
        if shape is None:
            exported = self._exported.get(name)
            if exported is None:
                raise NotFound(f"the component exports no {name}", code="component.no_export")
            shape = ExportShape(exported, self._hosts, self._index(exported))
            self._shapes[name] = shape
        return shape

    def _index(self, export: ExportedFunction) -> int:
        outer = None
        if export.instance is not None:
            outer = self._index_of(None, export.instance)
        return self._index_of(outer, export.function)

    def _index_of(self, outer: int | None, name: str) -> int:
        raw = name.encode()
        index: int | None = native.export_index(self.address, outer, raw, len(raw))
        if not index:
            raise NotFound(f"the component exports no {name}", code="component.no_export")
        self._indexes.append(index)
        return index

    def _link(self, instances: Sequence[ImportedInstance]) -> None:
        root = native.linker_root(self.linker_address)
        try:
            for instance in instances:
                if instance.name is None:
                    self._fill(root, instance)
                elif instance.functions or instance.resources:
                    raw = instance.name.encode()
                    slot = native.Buffer(8)
                    _check(native.linker_instance(root, raw, len(raw), slot.address))
                    inner = native.WORDS[slot.address >> 3]
                    try:
                        self._fill(inner, instance)
                    finally:
                        native.delete_linker_instance(inner)
        finally:
            native.delete_linker_instance(root)

    def _fill(self, linker: int, instance: ImportedInstance) -> None:
        for name, resource in instance.resources:
            raw = name.encode()
            known = self._droppers.get(resource.index)
            if known is None:
                kind = ResourceType.host(resource.index)
                known = self._droppers[resource.index] = (kind, dropper(resource.name))
            kind, drop = known
            _check(
                native.link_resource(
                    linker, raw, len(raw), native.address_of(kind.ptr()), drop, None, None
                )
            )
        for name, function in instance.functions:
            raw = name.encode()
            serve = trampoline(function, self._hosts)
            self._callbacks.append(serve)
            _check(native.link_function(linker, raw, len(raw), serve, None, None))

    def __del__(self) -> None:
        for index in getattr(self, "_indexes", ()):
            native.delete_export_index(index)
        linker = getattr(self, "linker_address", 0)
        if linker:
            native.delete_linker(linker)


class ExportShape:
    """How an export of an actor's shape is called.

    That is `func(state: option<list<u8>>, …) -> result<tuple<option<list<u8>>, …>, string>`.
    """

    __slots__ = ("_lift_rest", "_lift_state", "_lift_text", "_lowers", "count", "index")

    def __init__(self, export: ExportedFunction, hosts: dict[str, int], index: int) -> None:
        match export.type.result:
            case ResultOf(TupleOf((first, *rest)), Prim.STRING) if first == STATE:
                pass
            case _:
                raise UsageError(
                    f"{export.name} doesn't return result<tuple<option<list<u8>>, …>, string>",
                    code="component.export",
                )
        params = [wit for _, wit in export.type.params]
        self.index = index
        self.count = len(params)
        self._lowers = [
            (lowerer(wit, hosts, export.bridged), 4 * at, at) for at, wit in enumerate(params)
        ]
        self._lift_state = lifter(STATE, export.bridged)
        self._lift_rest = lift_all(rest, export.bridged)
        self._lift_text = lifter(Prim.STRING)

    def lower(self, place: int, arguments: Sequence[object], context: int) -> None:
        """Write the arguments to where the call expects them."""
        if len(arguments) != self.count:
            raise CodecError(f"{len(arguments)} arguments for {self.count} parameters")
        for lower, offset, index in self._lowers:
            lower(place + offset, arguments[index], nowhere, context)

    def returned(self, place: int, context: int) -> Outcome:
        """Read what the call left behind."""
        inner = native.WORDS[place + 2] >> 3
        if not native.BYTES[(place << 3) + 8]:
            return GuestError(self._lift_text(inner, nowhere, context))
        first = native.WORDS[inner + 2] >> 3
        state = self._lift_state(first, nowhere, context)
        parts: list[bytes] = []
        rest = self._lift_rest(first + 4, parts.append, context)
        return Returned(state, rest, b"".join(parts))


def _check(error: int | None) -> None:
    if error:
        raise native.LibraryError(native.take_text(error))
