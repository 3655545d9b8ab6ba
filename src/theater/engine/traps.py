"""Why wasmtime ended a call, as kind and code of a `wasm-error`.

The component API says it only in text: the last line names the trap. The table is pinned to the
library's range of versions by tests with a guest for every line; what it doesn't know is a
violation of the component model's rules, of which there are too many to list.
"""

from __future__ import annotations

from typing import Final

_ENDS: Final = (
    ("`unreachable` instruction executed", "trap", "unreachable"),
    ("integer divide by zero", "trap", "divide"),
    ("integer overflow", "trap", "overflow"),
    ("invalid conversion to integer", "trap", "conversion"),
    ("out of bounds memory access", "trap", "memory"),
    ("undefined element: out of bounds table access", "trap", "table"),
    ("out of bounds table access", "trap", "table"),
    ("uninitialized element", "trap", "indirect"),
    ("indirect call type mismatch", "trap", "indirect"),
    ("null reference", "trap", "indirect"),
    ("all fuel consumed", "fuel", None),
    ("call stack exhausted", "stack", None),
    ("exceeds memory limits", "memory", None),
    ("memory count too high", "memory", None),
    ("table count too high", "memory", None),
    ("instance count too high", "memory", None),
    ("exceeds table limits", "memory", None),
    ("fuel allocated for hostcalls has been exhausted", "result", None),
)


def classify(text: str) -> tuple[str, str | None]:
    """Kind and code of an error with this text."""
    last = text.rstrip().rpartition("\n")[2]
    for end, kind, code in _ENDS:
        if end in last:
            return kind, code
    return "trap", "abi"
