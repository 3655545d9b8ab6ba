"""Log lines are read from events."""

from __future__ import annotations

import pytest

from theater.chain import shapes
from theater.chain.event import ZERO_HASH, Event, make_event
from theater.protocol.log import log_line
from theater.protocol.names import LOG_TYPES
from theater.values import cbor

AT = 1_700_000_000_123_456
DIGEST = b"\x07" * 32


def event(type_: str, part: shapes.Part) -> Event:
    return make_event(3, AT, ZERO_HASH, type_, shapes.host(bytes(16), part))


def nothing(_digest: bytes) -> bytes | None:
    return None


@pytest.mark.parametrize(
    ("type_", "line", "text"),
    [
        ("theater:simple/runtime/log", "hello", "hello"),
        ("wasi:cli/stdout@0.2/line", b"printed", "printed"),
        ("wasi:cli/stderr@0.2/line", b"\xffodd", "\N{REPLACEMENT CHARACTER}odd"),
    ],
)
def test_a_log_line_is_read_from_its_event(type_: str, line: object, text: str) -> None:
    found = log_line(event(type_, cbor.encode([line])), nothing)
    assert found is not None
    assert (found.seq, found.at, found.text, found.source) == (3, AT, text, LOG_TYPES[type_])
    assert found.time == "2023-11-14T22:13:20.123456Z"


def test_a_long_line_is_fetched_from_content() -> None:
    kept = {DIGEST: cbor.encode(["long" * 2000])}
    found = log_line(event("theater:simple/runtime/log", (DIGEST, 8003)), kept.get)
    assert found is not None
    assert found.text == "long" * 2000


def test_a_line_that_is_gone_says_so() -> None:
    whole = event("theater:simple/runtime/log", cbor.encode(["x"]))
    redacted = Event(3, AT, ZERO_HASH, whole.type, None, whole.data_digest, whole.hash)
    for each in (redacted, event("theater:simple/runtime/log", (DIGEST, 8003))):
        found = log_line(each, nothing)
        assert found is not None
        assert found.text == "(gone)"


def test_other_events_are_no_lines() -> None:
    assert log_line(event("theater:simple/store/get", cbor.encode(["x"])), nothing) is None
