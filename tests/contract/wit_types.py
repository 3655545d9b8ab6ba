"""A reader of the part of WIT that Theater's interfaces are written in, independent of any toolchain.

`read` gives every interface's functions as the types of `theater.values`: names of types are
followed, through `use` and `type`, into the interfaces beside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from theater.values.types import (
    EnumOf,
    FlagsOf,
    FuncType,
    ListOf,
    OptionOf,
    Prim,
    RecordOf,
    ResultOf,
    TupleOf,
    VariantOf,
    WitType,
)

_TOKEN = re.compile(r"//[^\n]*|->|%?[a-zA-Z0-9][\w-]*|[{}()<>,:;=.@/]|\S")
_PRIMS = {prim.value: prim for prim in Prim}


@dataclass
class _Interface:
    types: dict[str, WitType] = field(default_factory=dict)
    functions: dict[str, FuncType] = field(default_factory=dict)


class _Reader:
    def __init__(self, text: str, known: dict[str, _Interface]) -> None:
        found = (match[0] for match in _TOKEN.finditer(text))
        self.tokens = [token for token in found if not token.startswith("//")]
        self.at = 0
        self.known = known

    @property
    def next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, *expected: str) -> str:
        token = self.next
        assert token, "the text ends too early"
        assert not expected or token in expected, f"{token!r} instead of {expected}"
        self.at += 1
        return token.removeprefix("%")

    def separated(self, end: str) -> Iterator[None]:
        """Once for each item up to `end`, with a comma behind each but perhaps the last."""
        while self.next != end:
            yield
            if self.next != end:
                self.take(",")
        self.take(end)

    def file(self) -> None:
        self.take("package")
        while self.take() != ";":
            pass
        while self.next:
            self.take("interface")
            self.interface(self.known.setdefault(self.take(), _Interface()))

    def interface(self, interface: _Interface) -> None:
        """Read an interface; a type may stand behind the one that uses it, so types come later."""
        self.take("{")
        functions: list[tuple[str, int]] = []
        self.later: dict[str, tuple[str, int]] = {}
        while self.next != "}":
            name = self.take()
            if name == "use":
                other = self.known[self.take()]
                self.take(".")
                self.take("{")
                for _ in self.separated("}"):
                    used = self.take()
                    interface.types[used] = other.types[used]
                self.take(";")
            elif self.next == ":":
                functions.append((name, self.at))
                self.skip_to(";")
            else:
                named = self.take()
                self.later[named] = (name, self.at)
                self.skip_to(";" if name == "type" else "}")
        self.take("}")
        end = self.at
        for named in self.later:
            self.named(named, interface.types)
        for name, self.at in functions:
            self.take(":")
            self.take("func")
            interface.functions[name] = self.function(interface.types)
        self.at = end

    def skip_to(self, end: str) -> None:
        while self.take() != end:
            pass

    def named(self, name: str, types: dict[str, WitType]) -> WitType:
        if name not in types:
            kind, at = self.later[name]
            before, self.at = self.at, at
            self.take("=" if kind == "type" else "{")
            types[name] = self.type(types) if kind == "type" else self.compound(kind, types)
            self.at = before
        return types[name]

    def compound(self, kind: str, types: dict[str, WitType]) -> WitType:
        parts: list[tuple[str, WitType | None]] = []
        for _ in self.separated("}"):
            name, wit = self.take(), None
            if kind == "record":
                self.take(":")
                wit = self.type(types)
            elif kind == "variant" and self.next == "(":
                self.take("(")
                wit = self.type(types)
                self.take(")")
            parts.append((name, wit))
        names = tuple(name for name, _ in parts)
        match kind:
            case "record":
                return RecordOf(tuple((name, wit) for name, wit in parts if wit is not None))
            case "variant":
                return VariantOf(tuple(parts))
            case "enum":
                return EnumOf(names)
            case _:
                return FlagsOf(names)

    def function(self, types: dict[str, WitType]) -> FuncType:
        params = []
        self.take("(")
        for _ in self.separated(")"):
            name = self.take()
            self.take(":")
            params.append((name, self.type(types)))
        result = None
        if self.next == "->":
            self.take("->")
            result = self.type(types)
        return FuncType(tuple(params), result)

    def type(self, types: dict[str, WitType]) -> WitType:
        name = self.take()
        if name in _PRIMS:
            return _PRIMS[name]
        if name not in ("list", "option", "tuple", "result"):
            return self.named(name, types)
        inner: list[WitType | None] = []
        if self.next == "<":
            self.take("<")
            for _ in self.separated(">"):
                if self.next == "_":
                    self.take("_")
                    inner.append(None)
                else:
                    inner.append(self.type(types))
        if name == "result":
            ok, err = (*inner, None, None)[:2]
            return ResultOf(ok, err)
        whole = tuple(wit for wit in inner if wit is not None)
        if name == "tuple":
            return TupleOf(whole)
        (only,) = whole
        return ListOf(only) if name == "list" else OptionOf(only)


def read(texts: Mapping[str, str]) -> dict[str, dict[str, FuncType]]:
    """The functions of every interface in these files of one package; `types` files come first."""
    known: dict[str, _Interface] = {}
    for name in sorted(texts, key=lambda each: (not each.endswith("types.wit"), each)):
        _Reader(texts[name], known).file()
    return {name: interface.functions for name, interface in known.items()}
