"""The component that stands between two forms of the same functions and passes pointers on.

It imports functions in one form and exports them in the other, with `string` for `list<u8>` or the
reverse. Both forms are lowered and lifted in the one small memory of this component, where they
look the same, so that its code does nothing but call through. It is a component of its own, apart
from the bridged one and from what holds both, because no component may be entered again while it
is being called.

Its memory is a stack that is emptied when a call is over (`post-return`): one call passes through
at a time. The host lowers a string into a first buffer, as long as its UTF-8, and shrinks it, so
`realloc` keeps the old bytes; strings need to be aligned to 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from theater.engine import bridge_abi as abi
from theater.engine.bridge_text import Types
from theater.values.types import FuncType, WitType

_ALLOCATOR = """
(core module $allocator
  (memory (export "memory") 1)
  (global $top (mut i32) (i32.const 16))
  (func (export "realloc") (param $old i32) (param $old_size i32) (param $align i32)
      (param $size i32) (result i32)
    (local $at i32) (local $end i32) (local $pages i32)
    (if (i32.lt_u (local.get $align) (i32.const 2)) (then (local.set $align (i32.const 2))))
    ;; From 2 GiB on, the length of a string would look like a tag.
    (if (i32.lt_s (local.get $size) (i32.const 0)) (then (unreachable)))
    (local.set $at (i32.and
      (i32.sub (i32.add (global.get $top) (local.get $align)) (i32.const 1))
      (i32.sub (i32.const 0) (local.get $align))))
    (if (local.get $old_size) (then
      (if (i32.eq (i32.add (local.get $old) (local.get $old_size)) (global.get $top))
        (then (local.set $at (local.get $old)))
        (else (if (i32.le_u (local.get $size) (local.get $old_size))
          (then (return (local.get $old))))))))
    ;; Not to the end of the address space, so that nothing below overflows.
    (if (i32.gt_u (local.get $at) (i32.sub (i32.const 0xfffe0000) (local.get $size)))
      (then (unreachable)))
    (local.set $end (i32.add (local.get $at) (local.get $size)))
    (local.set $pages (i32.shr_u (i32.add (local.get $end) (i32.const 0xffff)) (i32.const 16)))
    (if (i32.gt_u (local.get $pages) (memory.size)) (then
      (if (i32.eq (i32.const -1) (memory.grow (i32.sub (local.get $pages) (memory.size))))
        (then (unreachable)))))
    (if (i32.ne (local.get $at) (local.get $old)) (then
      (memory.copy (local.get $at) (local.get $old) (local.get $old_size))))
    (global.set $top (local.get $end))
    (local.get $at))
  (func (export "done") (global.set $top (i32.const 16)))
  (func (export "done-i32") (param i32) (global.set $top (i32.const 16)))
  (func (export "done-i64") (param i64) (global.set $top (i32.const 16)))
  (func (export "done-f32") (param f32) (global.set $top (i32.const 16)))
  (func (export "done-f64") (param f64) (global.set $top (i32.const 16))))
"""

_CORE = {abi.I32: "i32", abi.I64: "i64", abi.F32: "f32", abi.F64: "f64"}
_OPTIONS = 'string-encoding=latin1+utf16 (memory (core memory $a "memory")) (realloc (core func $a "realloc"))'

_IMPORT_REALLOC = '(import "" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))'


@dataclass(frozen=True, slots=True)
class Shim:
    """A shim's text, and the types that it has to be given, by the names of its imports.

    It imports the functions `f0`, `f1` … and exports `g0`, `g1` …, and as many types `t0` … as
    `exported` says.
    """

    text: str
    imported: tuple[tuple[str, WitType], ...]
    exported: int


def shim(name: str, functions: Sequence[tuple[FuncType, FuncType]]) -> Shim:
    """The shim, as component `$name`, of functions in the form to import and in that to export."""
    lines: list[str] = []
    taken: list[str] = []
    given: list[str] = []

    def take(identifier: str) -> str:
        taken.append(identifier)
        lines.append(f'(import "s{len(taken) - 1}" (type {identifier}-in (eq {identifier})))')
        return f"{identifier}-in"

    def give(identifier: str) -> str:
        given.append(identifier)
        lines.append(f'(export {identifier}-out "t{len(given) - 1}" (type {identifier}))')
        return f"{identifier}-out"

    inner = Types("i", lines, take)
    for number, (imported, _) in enumerate(functions):
        lines.append(f'(import "f{number}" (func $f{number} (type {inner.function(imported)})))')
    lines.append(_ALLOCATOR)
    lines.append("(core instance $a (instantiate $allocator))")
    exports: list[str] = []
    for number in range(len(functions)):
        lines.append(f"(core func $l{number} (canon lower (func $f{number}) {_OPTIONS}))")
        exports.append(f'(export "f{number}" (func $l{number}))')
    imports = [_lowered(number, function) for number, (function, _) in enumerate(functions)]
    passes = [_pass(number, function) for number, (function, _) in enumerate(functions)]
    lines.append("\n".join(["(core module $passes", _IMPORT_REALLOC, *imports, *passes, ")"]))
    lines.append(
        f'(core instance $lowered {" ".join(exports)} (export "realloc" (func $a "realloc")))'
    )
    lines.append('(core instance $p (instantiate $passes (with "" (instance $lowered))))')
    outer = Types("o", lines, give)
    for number, (_, exported) in enumerate(functions):
        kind = outer.function(exported)
        lines.append(
            f'(func $g{number} (type {kind}) (canon lift (core func $p "g{number}") {_OPTIONS} '
            f'(post-return (core func $a "{_done(exported)}"))))'
        )
        lines.append(f'(export "g{number}" (func $g{number}))')
    wanted = {identifier: wit for wit, identifier in inner.known.items()}
    imported_types = tuple(
        (f"s{number}", wanted[f"{identifier}-in"]) for number, identifier in enumerate(taken)
    )
    return Shim(f"(component ${name}\n{chr(10).join(lines)})", imported_types, len(given))


def _core_signature(parameters: Sequence[int], results: Sequence[int]) -> str:
    params = " ".join(_CORE[core] for core in parameters)
    result = " ".join(_CORE[core] for core in results)
    return f"(param {params}) (result {result})"


def _lowered(number: int, function: FuncType) -> str:
    """The import of a lowered function: a result in memory goes where its last parameter says."""
    results = abi.results(function)
    parameters = abi.parameters(function) + ([abi.I32] if results is None else [])
    signature = _core_signature(parameters, results or [])
    return f'(import "" "f{number}" (func $f{number} {signature}))'


def _pass(number: int, function: FuncType) -> str:
    """The function that calls the lowered one; for a result in memory it makes the room."""
    parameters = abi.parameters(function)
    results = abi.results(function)
    arguments = " ".join(f"(local.get {at})" for at in range(len(parameters)))
    signature = _core_signature(parameters, [abi.I32] if results is None else results)
    start = f'(func (export "g{number}") {signature}'
    if results is not None:
        return f"{start} (call $f{number} {arguments}))"
    assert function.result is not None
    size, align = abi.layout(function.result)
    room = f"(call $realloc (i32.const 0) (i32.const 0) (i32.const {align}) (i32.const {size}))"
    return (
        f"{start} (local $room i32) (local.set $room {room}) "
        f"(call $f{number} {arguments} (local.get $room)) (local.get $room))"
    )


def _done(function: FuncType) -> str:
    results = abi.results(function)
    if results is None:
        return "done-i32"
    return f"done-{_CORE[results[0]]}" if results else "done"
