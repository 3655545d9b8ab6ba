"""The counter as other components: one that behaves alike, and some that don't."""

from __future__ import annotations

from tests.runtime.actors import GUESTS
from theater.engine import wat

COUNTER = (GUESTS / "counter.wat").read_text()
_SEND = """(drop (call $keep
        (i64.add (call $number (local.get $some) (local.get $at) (local.get $size))
          (i64.const 1))))"""


def counter(before: str, after: str) -> bytes:
    """The counter with one piece of its text replaced."""
    assert before in COUNTER
    return wat(COUNTER.replace(before, after, 1))


COUNTS_ALIKE = counter('"failed as it was asked to"', '"failed as it was asked tO"')
"""Other bytes; behaves otherwise only where a message asks it to fail."""

COUNTS_BY_TWO = counter(_SEND, _SEND.replace("const 1", "const 2"))
"""Counts a `send` as two."""

TRAPS_IN_INIT = counter("(call $log (local.get $id) (local.get $id-size))", "(unreachable)")

LOGS_NOTHING = counter("(call $log (local.get $msg) (local.get $msg-size))", "(nop)")
"""Does not log what is sent to it."""

LOGS_LESS = counter(
    "(call $log (local.get $msg) (local.get $msg-size))",
    "(call $log (local.get $msg) (i32.const 1))",
)
"""Logs the first byte of what is sent to it."""

LOGS_TWICE = counter(
    "(call $log (local.get $msg) (local.get $msg-size))",
    "(call $log (local.get $msg) (local.get $msg-size))\n" * 2,
)

TAKES_NO_SENDS = counter('    (export "handle-send" (func $send))\n', "")
"""Does not export `handle-send`."""

RELAY = (GUESTS / "relay.wat").read_text()
_INIT = """      (call $keep)
      (i32.const 64))

    (func (export "send")"""
assert _INIT in RELAY
ASKS_IN_INIT = wat(
    RELAY.replace(
        _INIT,
        """      (call $keep)
      (if (local.get $some)
        (then
          (call $request (local.get $at) (local.get $size) (local.get $id) (local.get $id-size)
            (i32.const 128))
          (drop (call $failed))))
      (i32.const 64))

    (func (export "send")""",
        1,
    )
)
"""A relay that asks the actor that comes next already in its `init`, which fails with that request."""


def alike(wasm: bytes, tag: str = "alike") -> bytes:
    """A component with a section more that nobody reads: other bytes, the same behaviour."""
    name = tag.encode()
    return wasm + bytes([0, len(name) + 1, len(name)]) + name


LOOPS = counter(_SEND, "(loop $ever (br $ever))")
"""Never returns from a `send`."""
