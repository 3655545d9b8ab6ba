"""A component bound to what its manifest grants: every import has exactly one answer.

Three cases of "not granted", and no fourth: a `theater:` interface without its handler keeps the
actor from starting; an ungranted WASI function traps at the call; a request outside a grant's
limits is the handler's to refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol, cast, runtime_checkable

from theater.engine import Component, Engine, ImportedFunction, Instance, InstanceLimits
from theater.errors import ComponentError, Denied
from theater.handlers.actor import types as actor
from theater.handlers.message_server import types as message_server
from theater.handlers.port import Effect, Handler, HostCall, HostFunction, Trap
from theater.handlers.scheduler import types as scheduler
from theater.handlers.supervisor import types as supervisor
from theater.manifest.grants import Grant
from theater.manifest.interfaces import ALWAYS, canonical, listed, missing_handlers
from theater.manifest.model import Limits, Manifest
from theater.runtime.kinds import CLIENT, INIT, SUPERVISOR_HANDLERS, TIMER_CLIENT
from theater.values import cbor
from theater.values.syntax import spell_function
from theater.values.types import FuncType

_EXPORTS: Final[Mapping[str, tuple[FuncType, ...]]] = {
    INIT: (actor.INIT, actor.OLDER_INIT),
    **{f"{CLIENT}/{name}": (wit,) for name, wit in message_server.CALLBACKS.items()},
    **{f"{TIMER_CLIENT}/{name}": (wit,) for name, wit in scheduler.CALLBACKS.items()},
    **{f"{SUPERVISOR_HANDLERS}/{name}": (wit,) for name, wit in supervisor.CALLBACKS.items()},
}
"""What is called of an actor, and the types that it may have; the first is today's."""

_SPELLED_CHARS_MAX: Final = 400
"""How much of a type is shown: a guest's may be as large as it likes."""

_UNKNOWN_TOLD_MAX: Final = 20


@runtime_checkable
class Finishing(Protocol):
    """A handler that has something to record at the end of each call."""

    def finish(self, call: HostCall) -> None: ...


@runtime_checkable
class Releasing(Protocol):
    """A handler that may hold something for a call, to be given up however the call ends."""

    def release(self, call: HostCall) -> None: ...


@runtime_checkable
class Closing(Protocol):
    """A handler that holds something of the machine's."""

    def close(self) -> None: ...


@runtime_checkable
class Dropping(Protocol):
    """A handler whose guests hold resources."""

    def drop(self, memory: dict[str, object], resource: str, number: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Program:
    """What an actor runs: the component, its exports, and a host function for each import by index.

    `engine` are the facts of the engine that runs it, `engine_digest` the SHA-256 of their CBOR.
    """

    component: Component
    exports: frozenset[str]
    functions: tuple[HostFunction, ...]
    finish: tuple[Callable[[HostCall], None], ...]
    release: tuple[Callable[[HostCall], None], ...]
    drop: Callable[[dict[str, object], str, int], None]
    init_takes_params: bool
    engine: Mapping[str, object]
    engine_digest: bytes

    def new_instance(self, bounds: Limits) -> Instance:
        """Return an instance under an actor's limits; nothing of it runs yet."""
        return self.component.instance(InstanceLimits(memory_bytes=bounds.memory, fuel=bounds.fuel))


class Handlers:
    """The handlers of a node by type, and what follows from them for a component."""

    def __init__(
        self,
        handlers: Sequence[Handler],
        grant_types: Mapping[str, type[Grant]],
        refusal: Callable[[str, str], str],
    ) -> None:
        self.grant_types: Final = grant_types
        self._by_type = {handler.type: handler for handler in handlers}
        self._type_of = {
            canonical(interface): handler.type
            for handler in handlers
            for interface in handler.interfaces
        }
        self._refusal = refusal
        self._virtual = frozenset(
            f"{interface}/{name}"
            for handler in handlers
            if handler.type == "wasi"
            for interface, functions in handler.functions(None).items()
            for name, function in functions.items()
            if function.effect is Effect.VIRTUAL
        )

    @property
    def types(self) -> frozenset[str]:
        """The types of all handlers, as manifests name them."""
        return frozenset(self._by_type)

    def always(self) -> dict[str, Grant]:
        """The grants that every actor has."""
        return {type_: self.grant_types[type_]() for type_ in ALWAYS if type_ in self.grant_types}

    def recorded(self, name: str) -> bool:
        """Whether calls of this function are events, for the engine's conversion."""
        return name not in self._virtual

    def close(self) -> None:
        """Let handlers give up what they hold: connections, pools."""
        for handler in self._by_type.values():
            if isinstance(handler, Closing):
                handler.close()

    def loaded(self, engine: Engine, sha256: bytes) -> Component | None:
        """The component of that hash, if it was loaded lately; ComponentError as for `load`."""
        found = engine.linked(sha256, self.recorded)
        return None if found is None else _checked(found)

    def load(self, engine: Engine, wasm: bytes) -> Component:
        """Compile a component, or take it from the cache; ComponentError if it is no actor.

        That is: it exports `init`, and what it exports to be called has the type that it is called by.
        """
        return _checked(engine.load(wasm, recorded=self.recorded))

    def bind(
        self,
        component: Component,
        manifest: Manifest,
        grants: Mapping[str, Grant],
        engine: Mapping[str, object],
    ) -> Program:
        """Find the function for each import under these grants; Denied lists every one without.

        ComponentError for an import that nothing provides, or not with the type that it is imported by.

        `engine` are the facts of the engine that the component was compiled by.
        """
        missing = missing_handlers(
            (function.interface for function in component.imports), manifest, self._type_of
        )
        if missing:
            raise Denied(
                "the component imports what its manifest doesn't grant:\n" + listed(missing),
                code="permission.missing_handlers",
                interfaces=[each.interface for each in missing],
            )
        taken = [
            each.interface
            for each in component.imports
            if self._type_of.get(canonical(each.interface), "wasi") not in {*ALWAYS, *grants}
        ]
        if taken:
            raise _taken_away(taken, self._type_of)
        tables: dict[str, Mapping[str, HostFunction]] = {}
        active = [self._by_type[t] for t in sorted({*ALWAYS, *grants})]
        for handler in active:
            tables.update(handler.functions(grants.get(handler.type)))
        unknown = [
            each
            for each in component.imports
            if each.function not in tables.get(each.interface, {})
            and not each.interface.startswith("wasi:")
        ]
        if unknown:
            raise _unknown(unknown, tables)
        functions = tuple(self._function(each, tables) for each in component.imports)
        # A handler of which nothing is imported has nothing to finish, release or drop.
        used = {self._type_of.get(canonical(each.interface)) for each in component.imports}
        called = [handler for handler in active if handler.type in used]
        finishing = tuple(
            cast(Finishing, handler).finish for handler in called if isinstance(handler, Finishing)
        )
        releasing = tuple(
            cast(Releasing, handler).release for handler in called if isinstance(handler, Releasing)
        )
        dropping = tuple(
            cast(Dropping, handler).drop for handler in called if isinstance(handler, Dropping)
        )

        def drop(memory: dict[str, object], resource: str, number: int) -> None:
            for each in dropping:
                each(memory, resource, number)

        return Program(
            component,
            frozenset(component.exports),
            functions,
            finishing,
            releasing,
            drop,
            len(component.exports[INIT].params) > 1,
            engine,
            sha256(cbor.encode(dict(engine))).digest(),
        )

    def _function(
        self, imported: ImportedFunction, tables: Mapping[str, Mapping[str, HostFunction]]
    ) -> HostFunction:
        found = tables.get(imported.interface, {}).get(imported.function)
        if found is not None:
            if found.type is not None and not _same(imported.type, found.type):
                raise _mistyped("imports", imported.name, imported.type, found.type, "import_type")
            return found
        text = self._refusal(imported.interface, imported.function)

        def refuse(_call: HostCall, *_arguments: object) -> object:
            raise Trap("denied", text)

        return HostFunction(Effect.RECORDED, refuse)


def _taken_away(interfaces: Sequence[str], type_of: Mapping[str, str]) -> Denied:
    lines = [
        f"{interface} (handler {type_of[canonical(interface)]})"
        for interface in dict.fromkeys(interfaces)
    ]
    return Denied(
        "the component imports what this child may not have, although its manifest asks for it: "
        f"{', '.join(lines)}. A child has at most what its parent has, and of that what the parent's "
        "permission_policy leaves to it",
        code="permission.not_from_parent",
        interfaces=list(dict.fromkeys(interfaces)),
    )


def _unknown(
    imports: Sequence[ImportedFunction], tables: Mapping[str, Mapping[str, HostFunction]]
) -> ComponentError:
    told = []
    for each in imports[:_UNKNOWN_TOLD_MAX]:
        known = tables.get(each.interface)
        why = "" if known is None else f" ({each.interface} here has: {', '.join(sorted(known))})"
        told.append(f"\n  {each.name}{why}")
    if len(imports) > _UNKNOWN_TOLD_MAX:
        told.append(f"\n  … and {len(imports) - _UNKNOWN_TOLD_MAX} more")
    return ComponentError(
        f"the component imports what nothing here provides:{''.join(told)}\n"
        "An actor imports interfaces of theater: and wasi:, and nothing else; docs/actors.md says "
        "which",
        code="component.unknown_import",
        function=imports[0].name,
        functions=[each.name for each in imports[:_UNKNOWN_TOLD_MAX]],
    )


def _checked(component: Component) -> Component:
    if INIT not in component.exports:
        raise ComponentError(
            "the component does not export theater:simple/actor, so it is not an actor; "
            "see docs/actors.md",
            code="component.not_an_actor",
        )
    for name, expected in _EXPORTS.items():
        found = component.exports.get(name)
        if found is not None and not any(_same(found, each) for each in expected):
            raise _mistyped("exports", name, found, expected[0], "export_type")
    return component


def _same(found: FuncType, expected: FuncType) -> bool:
    """Whether values pass as they should: the names of parameters are nobody's business."""
    return found.result == expected.result and [wit for _, wit in found.params] == [
        wit for _, wit in expected.params
    ]


def _mistyped(
    verb: str, name: str, found: FuncType, expected: FuncType, code: str
) -> ComponentError:
    texts = [spell_function(each) for each in (found, expected)]
    shown, wanted = (
        text if len(text) <= _SPELLED_CHARS_MAX else f"{text[:_SPELLED_CHARS_MAX]}…"
        for text in texts
    )
    return ComponentError(
        f"the component {verb} {name} as\n    {shown}\nbut here it is\n    {wanted}\n"
        "Build it again, against the interfaces of this version.",
        code=f"component.{code}",
        function=name,
        found=shown,
        expected=wanted,
    )
