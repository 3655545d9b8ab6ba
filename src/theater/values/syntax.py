"""Types in WIT's own spelling, for texts that a person reads."""

from __future__ import annotations

from typing import assert_never

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


def spell(wit: WitType) -> str:
    """A type in WIT. Records and the like, which have no names here, are written out in place."""
    match wit:
        case Prim():
            return wit.value
        case ListOf(element):
            return f"list<{spell(element)}>"
        case TupleOf(items):
            return f"tuple<{', '.join(map(spell, items))}>"
        case OptionOf(inner):
            return f"option<{spell(inner)}>"
        case ResultOf(None, None):
            return "result"
        case ResultOf(ok, None):
            return f"result<{_or_nothing(ok)}>"
        case ResultOf(ok, err):
            return f"result<{_or_nothing(ok)}, {_or_nothing(err)}>"
        case RecordOf(fields):
            return f"record {{ {', '.join(f'{name}: {spell(field)}' for name, field in fields)} }}"
        case VariantOf(cases):
            return f"variant {{ {', '.join(_case(name, case) for name, case in cases)} }}"
        case EnumOf(names):
            return f"enum {{ {', '.join(names)} }}"
        case FlagsOf(names):
            return f"flags {{ {', '.join(names)} }}"
        case Resource(name, owned):
            return f"{'own' if owned else 'borrow'}<{name}>"
        case _:
            assert_never(wit)


def spell_function(function: FuncType) -> str:
    """A function's type in WIT."""
    params = ", ".join(f"{name}: {spell(wit)}" for name, wit in function.params)
    result = "" if function.result is None else f" -> {spell(function.result)}"
    return f"func({params}){result}"


def _or_nothing(wit: WitType | None) -> str:
    return "_" if wit is None else spell(wit)


def _case(name: str, wit: WitType | None) -> str:
    return name if wit is None else f"{name}({spell(wit)})"
