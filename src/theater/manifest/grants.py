"""Grants: what a handler may do for one actor, and the meet of two of them.

A grant is a frozen dataclass whose fields say by their kind how they are read from a manifest, how
two of them meet, and how they are recorded. A child's effective grant is the meet of its own and its
parent's: never more than either.

    @dataclass(frozen=True, slots=True)
    class EchoGrant(Grant):
        type: ClassVar[str] = "echo"
        max_bytes: int = setting(Size(0, MIB), default=64 * KIB)
        allowed_words: tuple[str, ...] | None = setting(Names(), default=None)

A list that is None means everything; an empty list means nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self, TypeVar, cast

from theater.manifest.problems import Problems
from theater.manifest.table import Table

T = TypeVar("T")


class Kind(Protocol[T]):
    """What a grant's field is made of."""

    def read(self, table: Table, name: str, default: T) -> T:
        """The setting of this name, or the default; what is wrong is noted in the table."""
        ...

    def meet(self, mine: T, other: T) -> T:
        """What both allow."""
        ...

    def plain(self, value: T) -> object:
        """The value as CBOR can hold it."""
        ...


def setting(kind: Kind[T], *, default: T) -> T:
    """A field of a grant."""
    field: T = dataclasses.field(default=default, metadata={"kind": kind})
    return field


class Grant:
    """What a handler may do for one actor. Subclasses are frozen dataclasses of settings."""

    __slots__ = ()

    type: ClassVar[str]
    ignored: ClassVar[Mapping[str, str]] = {}
    """Settings that are accepted with this warning, and do nothing."""

    @classmethod
    def from_settings(cls, table: Table) -> Self:
        """The grant that a `[[handler]]` entry asks for; what is wrong is noted in the table."""
        values = {
            field.name: kind.read(table, field.name, field.default) for field, kind in _kinds(cls)
        }
        for name, warning in cls.ignored.items():
            found = table.take(name)
            if found is not None:
                table.problems.warn(found.path, warning)
        grant = cls(**values)
        grant.check(table)
        table.finish()
        return grant

    def check(self, table: Table) -> None:
        """Note what is wrong with the settings taken together."""

    def meet(self, other: Self) -> Self:
        """What both grants allow."""
        if type(self) is not type(other):
            raise TypeError(f"a grant of {self.type} has no meet with one of {other.type}")
        values = {
            field.name: kind.meet(getattr(self, field.name), getattr(other, field.name))
            for field, kind in _kinds(type(self))
        }
        return type(self)(**values)

    def as_map(self) -> dict[str, object]:
        """Every setting by name, of CBOR's types, for the record."""
        return {
            field.name: kind.plain(getattr(self, field.name)) for field, kind in _kinds(type(self))
        }


def _kinds(grant: type[Grant]) -> list[tuple[dataclasses.Field[object], Kind[object]]]:
    # Every Grant is a dataclass, which its type can't say.
    fields = dataclasses.fields(cast("type[_Dataclass]", grant))
    return [(field, field.metadata["kind"]) for field in fields]


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[object]]]


@dataclass(frozen=True, slots=True)
class Number:
    """An integer within bounds; the smaller one is what both allow."""

    low: int
    high: int

    def read(self, table: Table, name: str, default: int) -> int:
        return table.integer(name, default, self.low, self.high)

    def meet(self, mine: int, other: int) -> int:
        return min(mine, other)

    def plain(self, value: int) -> object:
        return value


@dataclass(frozen=True, slots=True)
class Size:
    """A number of bytes within bounds; the smaller one is what both allow."""

    low: int
    high: int

    def read(self, table: Table, name: str, default: int) -> int:
        return table.size(name, default, self.low, self.high)

    def meet(self, mine: int, other: int) -> int:
        return min(mine, other)

    def plain(self, value: int) -> object:
        return value


@dataclass(frozen=True, slots=True)
class Flag:
    """A permission that is there only if both have it."""

    def read(self, table: Table, name: str, default: bool) -> bool:
        return table.flag(name, default)

    def meet(self, mine: bool, other: bool) -> bool:
        return mine and other

    def plain(self, value: bool) -> object:
        return value


def same(mine: str, other: str) -> str | None:
    """The narrower of two names where only equal ones have anything in common."""
    return mine if mine == other else None


@dataclass(frozen=True, slots=True)
class Names:
    """A list of names or patterns; None is everything.

    `check` returns what is wrong with a name; `narrower` what two of them have in common, or None.
    """

    check: Callable[[str], str | None] | None = None
    narrower: Callable[[str, str], str | None] = same

    def read(
        self, table: Table, name: str, default: tuple[str, ...] | None
    ) -> tuple[str, ...] | None:
        found = table.strings(name, check=self.check)
        return default if found is None else found

    def meet(
        self, mine: tuple[str, ...] | None, other: tuple[str, ...] | None
    ) -> tuple[str, ...] | None:
        if mine is None or other is None:
            return other if mine is None else mine
        common = (self.narrower(left, right) for left in mine for right in other)
        return tuple(dict.fromkeys(name for name in common if name is not None))

    def plain(self, value: tuple[str, ...] | None) -> object:
        return None if value is None else list(value)


@dataclass(frozen=True, slots=True)
class Forbidden:
    """A list of what is not allowed; both lists hold."""

    check: Callable[[str], str | None] | None = None

    def read(self, table: Table, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        found = table.strings(name, check=self.check)
        return default if found is None else found

    def meet(self, mine: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*mine, *other)))

    def plain(self, value: tuple[str, ...]) -> object:
        return list(value)


@dataclass(frozen=True, slots=True)
class Inherit:
    """Children may have of this type what their parent has."""


@dataclass(frozen=True, slots=True)
class Restrict:
    """Children may have of this type at most this."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class Disallow:
    """Children may have nothing of this type."""


Policy = Inherit | Restrict | Disallow


def effective(
    own: Mapping[str, Grant],
    parent: Mapping[str, Grant] | None = None,
    policy: Mapping[str, Policy] | None = None,
) -> dict[str, Grant]:
    """The grants that hold: an actor's own, met with its parent's and the parent's policy for children.

    `parent` is None for an actor without one. A type that the parent has not, or whose policy is
    `disallow`, is not there at all.
    """
    if parent is None:
        return dict(own)
    held: dict[str, Grant] = {}
    for name, grant in own.items():
        above = parent.get(name)
        rule = (policy or {}).get(name)
        if above is None or isinstance(rule, Disallow):
            continue
        met = grant.meet(above)
        held[name] = met.meet(rule.grant) if isinstance(rule, Restrict) else met
    return held


def of_map(named: Mapping[str, object], grant_types: Mapping[str, type[Grant]]) -> dict[str, Grant]:
    """The grants that `as_map` gave; types that this version doesn't know are passed over.

    ValueError if they are none: what was recorded can't be read.
    """
    problems = Problems()
    grants: dict[str, Grant] = {}
    for name, settings in named.items():
        if name in grant_types and isinstance(settings, dict):
            known = {field.name for field, _ in _kinds(grant_types[name])}
            # None is what a manifest says by leaving a setting out.
            said = {key: value for key, value in settings.items() if value is not None}
            grants[name] = grant_types[name].from_settings(
                Table({key: said[key] for key in said if key in known}, (name,), problems)
            )
    if problems.found:
        raise ValueError("; ".join(str(problem) for problem in problems.found))
    return grants


def as_map(grants: Mapping[str, Grant]) -> dict[str, object]:
    """Grants by handler type, of CBOR's types: the content behind `grants` of an `actor-start`."""
    return {name: grant.as_map() for name, grant in grants.items()}
