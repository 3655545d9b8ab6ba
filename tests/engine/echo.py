"""Component text for any WIT type: a guest that hands each value on to the host and back.

For each type there is an import `f<n>` and an export `e<n>` of the same type, in the shape of an
actor's export, so the core function between them only passes its parameters on. Resources are
those of `$root/thing`. No result can hold a borrow: where the value does, the guest drops it after
the host call, and a u32 comes back. Written after the Component Model's canonical ABI (flattening).
"""

from __future__ import annotations

from collections.abc import Sequence

from theater.values.types import (
    EnumOf,
    FlagsOf,
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

_CORE = {Prim.S64: "i64", Prim.U64: "i64", Prim.F32: "f32", Prim.F64: "f64"}
_PARAMS_MAX = 16

THING = "$root/thing"
OWN = Resource(THING, owned=True)
BORROW = Resource(THING, owned=False)


def flatten(wit: WitType) -> list[str]:
    """The core types that a value of a type is passed as."""
    match wit:
        case Prim.STRING | ListOf():
            return ["i32", "i32"]
        case Prim():
            return [_CORE.get(wit, "i32")]
        case TupleOf(items):
            return [core for item in items for core in flatten(item)]
        case RecordOf(fields):
            return [core for _, field in fields for core in flatten(field)]
        case VariantOf(cases):
            return ["i32", *_join([case for _, case in cases])]
        case OptionOf(inner):
            return ["i32", *_join([inner])]
        case ResultOf(ok, err):
            return ["i32", *_join([ok, err])]
        case EnumOf() | Resource() | FlagsOf():
            return ["i32"]
    raise AssertionError(wit)


def _join(cases: Sequence[WitType | None]) -> list[str]:
    joined: list[str] = []
    for case in cases:
        for index, core in enumerate([] if case is None else flatten(case)):
            if index == len(joined):
                joined.append(core)
            elif joined[index] != core:
                joined[index] = "i32" if {joined[index], core} == {"i32", "f32"} else "i64"
    return joined


def parts(wit: WitType) -> list[WitType]:
    """A type and all types in it."""
    match wit:
        case ListOf(inner) | OptionOf(inner):
            below: list[WitType | None] = [inner]
        case TupleOf(items):
            below = list(items)
        case RecordOf(fields):
            below = [field for _, field in fields]
        case VariantOf(cases):
            below = [case for _, case in cases]
        case ResultOf(ok, err):
            below = [ok, err]
        case _:
            below = []
    return [wit, *(part for each in below if each is not None for part in parts(each))]


def back(wit: WitType) -> WitType:
    """The type of what comes back for a value of a type."""
    return Prim.U32 if BORROW in parts(wit) else wit


def _drops(wit: WitType, at: int) -> str:
    """Code that drops the borrows in a value whose parameters begin at `at`."""
    match wit:
        case Resource(_, False):
            return f"(call $drop (local.get {at}))"
        case ListOf(Resource(_, False)):
            return (
                f"(block $done (loop $next (br_if $done (i32.eqz (local.get {at + 1})))"
                f" (call $drop (i32.load (local.get {at})))"
                f" (local.set {at} (i32.add (local.get {at}) (i32.const 4)))"
                f" (local.set {at + 1} (i32.sub (local.get {at + 1}) (i32.const 1)))"
                f" (br $next)))"
            )
        case TupleOf() | RecordOf():
            items = wit.items if isinstance(wit, TupleOf) else [field for _, field in wit.fields]
            code = []
            for item in items:
                code.append(_drops(item, at))
                at += len(flatten(item))
            return "".join(code)
        case OptionOf(inner):
            return _drops_of_cases([None, inner], at)
        case ResultOf(ok, err):
            return _drops_of_cases([ok, err], at)
        case VariantOf(cases):
            return _drops_of_cases([case for _, case in cases], at)
    assert BORROW not in parts(wit), wit
    return ""


def _drops_of_cases(cases: Sequence[WitType | None], at: int) -> str:
    return "".join(
        f"(if (i32.eq (local.get {at}) (i32.const {number})) (then {_drops(case, at + 1)}))"
        for number, case in enumerate(cases)
        if case is not None and BORROW in parts(case)
    )


class _Text:
    """Types in text form; those that need a name are imported under one."""

    def __init__(self) -> None:
        self.definitions: list[str] = []

    def of(self, wit: WitType) -> str:
        match wit:
            case Prim():
                return wit.value
            case ListOf(element):
                return f"(list {self.of(element)})"
            case TupleOf(items):
                return f"(tuple {' '.join(self.of(item) for item in items)})"
            case OptionOf(inner):
                return f"(option {self.of(inner)})"
            case ResultOf(ok, err):
                good = "" if ok is None else f" {self.of(ok)}"
                bad = "" if err is None else f" (error {self.of(err)})"
                return f"(result{good}{bad})"
            case RecordOf(fields):
                inner_text = " ".join(
                    f'(field "{name}" {self.of(field)})' for name, field in fields
                )
                return self._named(f"(record {inner_text})")
            case VariantOf(cases):
                inner_text = " ".join(
                    f'(case "{name}"{"" if case is None else f" {self.of(case)}"})'
                    for name, case in cases
                )
                return self._named(f"(variant {inner_text})")
            case EnumOf(names):
                return self._named(f"(enum {_quoted(names)})")
            case FlagsOf(names):
                return self._named(f"(flags {_quoted(names)})")
            case Resource(_, owned):
                return f"({'own' if owned else 'borrow'} $thing)"
        raise AssertionError(wit)

    def _named(self, definition: str) -> str:
        number = len(self.definitions)
        self.definitions.append(
            f'(type $d{number} {definition}) (import "t{number}" (type $t{number} (eq $d{number})))'
        )
        return f"$t{number}"


def _quoted(names: Sequence[str]) -> str:
    return " ".join(f'"{name}"' for name in names)


def echo(types: Sequence[WitType]) -> str:
    """The text of a component that echoes a value of each type."""
    text = _Text()
    held = any(isinstance(part, Resource) for wit in types for part in parts(wit))
    if held:
        text.definitions.append('(import "thing" (type $thing (sub resource)))')
    functions, lowered, cores, lifted = [], [], [], []
    for number, wit in enumerate(types):
        value = text.of(wit)
        answer = text.of(back(wit)) if BORROW in parts(wit) else value
        state = "(option (list u8))"
        signature = (
            f'(param "state" {state}) (param "value" {value}) '
            f"(result (result (tuple {state} {answer}) (error string)))"
        )
        functions.append(f'(import "f{number}" (func $f{number} {signature}))')
        lowered.append(
            f"(core func $l{number} (canon lower (func $f{number})"
            ' (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))'
        )
        params = ["i32", "i32", "i32", *flatten(wit)]
        if len(params) > _PARAMS_MAX:
            params = ["i32"]
        core_params = " ".join(params)
        passed = " ".join(f"(local.get {index})" for index in range(len(params)))
        cores.append(f'(import "host" "l{number}" (func $l{number} (param {core_params} i32)))')
        lifted.append((number, signature, core_params, passed, _drops(wit, 3)))
    bodies = "\n".join(
        f'(func (export "e{number}") (param {core_params}) (result i32)'
        f" (local $result i32)"
        f" (local.set $result (call $realloc (i32.const 0) (i32.const 0) (i32.const 8)"
        f" (i32.const 65536)))"
        f" (call $l{number} {passed} (local.get $result)) {drops} (local.get $result))"
        for number, _, core_params, passed, drops in lifted
    )
    exports = "\n".join(
        f'(func $e{number} {signature} (canon lift (core func $main "e{number}")'
        ' (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))'
        ' (post-return (core func $main "after"))))'
        f' (export "e{number}" (func $e{number}))'
        for number, signature, *_ in lifted
    )
    hosts = " ".join(f'(export "l{number}" (func $l{number}))' for number, *_ in lifted)
    if held:
        lowered.append("(core func $drop (canon resource.drop $thing))")
        cores.append('(import "host" "drop" (func $drop (param i32)))')
        hosts += ' (export "drop" (func $drop))'
    if any(BORROW in parts(wit) for wit in types):
        cores.append('(import "libc" "memory" (memory 1))')
    newline = "\n"
    return f"""(component
{newline.join(text.definitions)}
{newline.join(functions)}
(core module $libc
  (memory (export "memory") 16)
  (global $top (mut i32) (i32.const 4096))
  (func (export "realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $top (i32.add (local.get $at) (local.get $size)))
    (block $enough (loop $grow
      (br_if $enough (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
      (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable))
      (br $grow)))
    (local.get $at))
  (func (export "reset") (global.set $top (i32.const 4096))))
(core instance $libc (instantiate $libc))
{newline.join(lowered)}
(core module $main
  (import "libc" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
  (import "libc" "reset" (func $reset))
{newline.join(cores)}
{bodies}
  (func (export "after") (param i32) (call $reset)))
(core instance $main (instantiate $main
  (with "libc" (instance $libc)) (with "host" (instance {hosts}))))
{exports}
)"""
