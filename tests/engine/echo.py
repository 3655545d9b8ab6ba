"""Component text for any WIT type: a guest that hands each value on to the host and back.

For each type there is an import `f<n>` and an export `e<n>` of the same type, in the shape of an
actor's export, so the core function between them only passes its parameters on. Written after the
Component Model's canonical ABI (flattening).
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
    functions, lowered, cores, lifted = [], [], [], []
    for number, wit in enumerate(types):
        value = text.of(wit)
        state = "(option (list u8))"
        signature = (
            f'(param "state" {state}) (param "value" {value}) '
            f"(result (result (tuple {state} {value}) (error string)))"
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
        lifted.append((number, signature, core_params, passed))
    bodies = "\n".join(
        f'(func (export "e{number}") (param {core_params}) (result i32)'
        f" (local $result i32)"
        f" (local.set $result (call $realloc (i32.const 0) (i32.const 0) (i32.const 8)"
        f" (i32.const 65536)))"
        f" (call $l{number} {passed} (local.get $result)) (local.get $result))"
        for number, _, core_params, passed in lifted
    )
    exports = "\n".join(
        f'(func $e{number} {signature} (canon lift (core func $main "e{number}")'
        ' (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))'
        ' (post-return (core func $main "after"))))'
        f' (export "e{number}" (func $e{number}))'
        for number, signature, _, _ in lifted
    )
    hosts = " ".join(f'(export "l{number}" (func $l{number}))' for number, *_ in lifted)
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
