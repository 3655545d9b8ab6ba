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


def napping(milliseconds: int = 200) -> bytes:
    """The counter, sleeping for so long before each message that is sent to it."""
    text = COUNTER
    for old, new in (
        (
            "(component\n",
            """(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $outer))
    (export "pollable" (type $mine (eq $outer)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $mine))))))
  (core func $nap (canon lower (func $clock "subscribe-duration")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $drop (canon resource.drop $pollable))
""",
        ),
        (
            "(core module $main\n",
            """(core module $main
    (import "host" "nap" (func $nap (param i64) (result i32)))
    (import "host" "block" (func $block (param i32)))
    (import "host" "drop" (func $drop (param i32)))
""",
        ),
        (
            "    (func $number ",
            f"""    (func $sleep (local $timer i32)
      (local.set $timer (call $nap (i64.const {milliseconds * 1_000_000})))
      (call $block (local.get $timer))
      (call $drop (local.get $timer)))
    (func $number """,
        ),
        (
            """(export "log" (func $log))))
""",
            """(export "log" (func $log)) (export "nap" (func $nap))
      (export "block" (func $block)) (export "drop" (func $drop))))
""",
        ),
        (
            "(call $log (local.get $msg) (local.get $msg-size))",
            "(call $sleep) (call $log (local.get $msg) (local.get $msg-size))",
        ),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    return wat(text)
