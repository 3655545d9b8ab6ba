"""The echo of `echo`, with its functions in interfaces instead of in the world."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tests.engine.echo import echo
from theater.values.types import WitType

HOST = "test:echo/host"
GUEST = "test:echo/guest"

_TYPE = re.compile(r'\(import "(t\d+)" \(type \$t\d+ \(eq (\$d\d+)\)\)\)')
_FUNCTION = re.compile(r'\(import "(f\d+)" \(func \$f\d+ (.*)\)\)$', re.MULTILINE)
_GROWN = '    (local.get $at))\n  (func (export "reset")'
_KEPT = """    (memory.copy (local.get $at) (local.get 0)
      (select (local.get 1) (local.get $size) (i32.lt_u (local.get 1) (local.get $size))))
"""
_EXPORT = re.compile(r'\(export "(e\d+)" \(func \$e\d+\)\)')


def interface_echo(types: Sequence[WitType]) -> str:
    """The text of a component with `test:echo/host` functions f0 … and `test:echo/guest` ones e0 …."""
    text = echo(types)
    imports, core, rest = text.removeprefix("(component").partition("(core module $libc")
    declared = _TYPE.sub(r'(export "\1" (type $\1 (eq \2)))', imports)
    declared = _FUNCTION.sub(r'(export "\1" (func \2))', declared)
    named = [name for name, _ in _TYPE.findall(imports)]
    aliases = [f'(alias export $host "{name}" (type ${name}))' for name in named]
    aliases += [
        f'(alias export $host "{name}" (func ${name}))' for name, _ in _FUNCTION.findall(imports)
    ]
    exports = [f'(export "{name}" (type ${name}))' for name in named]
    exports += [f'(export "{name}" (func ${name}))' for name in _EXPORT.findall(rest)]
    assert _GROWN in rest
    # Texts change their encoding on the way, for which a buffer is made larger and smaller again.
    rest = rest.replace(_GROWN, _KEPT + _GROWN)
    body = _EXPORT.sub("", rest).rstrip().removesuffix(")")
    return "\n".join(
        [
            f'(component (import "{HOST}" (instance $host {declared}))',
            *aliases,
            core + body,
            f"(instance $guest {' '.join(exports)})",
            f'(export "{GUEST}" (instance $guest)))',
        ]
    )
