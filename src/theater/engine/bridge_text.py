"""Types as component text: what the byte bridge writes in front of what it generates.

In text, everything has an identifier, so that nothing has to be counted; the library's own text
format turns it into a binary.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

from theater.engine.bridge_reader import Unsupported
from theater.values.types import (
    BYTES,
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

_PLAIN = re.compile(r"[^A-Za-z0-9 :/@._$#%\[\]-]")


def quoted(text: str) -> str:
    """A string of the text format."""

    def escaped(match: re.Match[str]) -> str:
        return "".join(f"\\{byte:02x}" for byte in match[0].encode())

    return f'"{_PLAIN.sub(escaped, text)}"'


def with_text(wit: WitType) -> WitType:
    """The same type with `string` for every `list<u8>`."""
    match wit:
        case ListOf() if wit == BYTES:
            return Prim.STRING
        case ListOf(element):
            return ListOf(with_text(element))
        case TupleOf(items):
            return TupleOf(tuple(with_text(item) for item in items))
        case RecordOf(fields):
            return RecordOf(tuple((name, with_text(part)) for name, part in fields))
        case VariantOf(cases):
            return VariantOf(tuple((name, part and with_text(part)) for name, part in cases))
        case OptionOf(inner):
            return OptionOf(with_text(inner))
        case ResultOf(ok, err):
            return ResultOf(ok and with_text(ok), err and with_text(err))
        case Prim() | EnumOf() | FlagsOf() | Resource():
            return wit
        case _:
            assert_never(wit)


def function_with_text(function: FuncType) -> FuncType:
    """The same function with `string` for every `list<u8>`."""
    return FuncType(
        tuple((name, with_text(wit)) for name, wit in function.params),
        function.result and with_text(function.result),
    )


@dataclass(slots=True)
class Types:
    """The types of one scope, each defined once, in `lines`.

    `named` is told of each record, variant, enum and flags type with its identifier and returns the
    one to use instead: in an import or an export such a type has to have a name.
    """

    prefix: str
    lines: list[str]
    named: Callable[[str], str]
    resources: dict[str, str] = field(default_factory=dict)
    """Identifiers of resources, by name."""
    known: dict[WitType, str] = field(default_factory=dict)
    count: int = 0

    def define(self, body: str) -> str:
        """The identifier of a new type."""
        identifier = f"${self.prefix}{self.count}"
        self.count += 1
        self.lines.append(f"(type {identifier} {body})")
        return identifier

    def value(self, wit: WitType) -> str:
        """How a value's type is referred to: a primitive's name or an identifier."""
        return wit.value if isinstance(wit, Prim) else self.identifier(wit)

    def identifier(self, wit: WitType) -> str:
        """The identifier of a type, primitives included."""
        known = self.known.get(wit)
        if known is None:
            known = self.define(self._body(wit))
            if isinstance(wit, (RecordOf, VariantOf, EnumOf, FlagsOf)):
                known = self.named(known)
            self.known[wit] = known
        return known

    def function(self, function: FuncType) -> str:
        """The identifier of a function's type."""
        parts = [f"(param {quoted(name)} {self.value(wit)})" for name, wit in function.params]
        if function.result is not None:
            parts.append(f"(result {self.value(function.result)})")
        return self.define(f"(func {' '.join(parts)})")

    def _body(self, wit: WitType) -> str:
        match wit:
            case Prim():
                return wit.value
            case ListOf(element):
                return f"(list {self.value(element)})"
            case TupleOf(items):
                return f"(tuple {' '.join(self.value(item) for item in items)})"
            case RecordOf(fields):
                parts = [f"(field {quoted(name)} {self.value(part)})" for name, part in fields]
                return f"(record {' '.join(parts)})"
            case VariantOf(cases):
                parts = [
                    f"(case {quoted(name)} {'' if part is None else self.value(part)})"
                    for name, part in cases
                ]
                return f"(variant {' '.join(parts)})"
            case EnumOf(names):
                return f"(enum {' '.join(map(quoted, names))})"
            case FlagsOf(names):
                return f"(flags {' '.join(map(quoted, names))})"
            case OptionOf(inner):
                return f"(option {self.value(inner)})"
            case ResultOf(ok, err):
                good = "" if ok is None else self.value(ok)
                bad = "" if err is None else f"(error {self.value(err)})"
                return f"(result {good} {bad})"
            case Resource(name, owned):
                if name not in self.resources:
                    raise Unsupported("a resource that comes from nowhere")
                return f"({'own' if owned else 'borrow'} {self.resources[name]})"
            case _:
                assert_never(wit)
