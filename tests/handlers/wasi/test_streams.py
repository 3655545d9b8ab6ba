"""Standard streams: output becomes lines, input is at its end."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.handlers.wasi.calls import HANDLER, Call
from theater.handlers.port import Trap
from theater.handlers.wasi.lines import LineBuffer
from theater.limits import LOG_LINE_BYTES_MAX, WASI_BLOCKING_WRITE_BYTES_MAX, WASI_WRITE_BYTES_MAX
from theater.values import cbor
from theater.values.types import Case, Err, Ok

OUT = "wasi:io/streams@0.2/[method]output-stream."
IN = "wasi:io/streams@0.2/[method]input-stream."


def opened(call: Call, name: str) -> object:
    return call.run(f"wasi:cli/{name}@0.2/get-{name}")


def test_a_complete_line_is_one_event_however_it_was_written() -> None:
    call = Call()
    out = opened(call, "stdout")
    assert call.run(OUT + "check-write", out) == Ok(WASI_WRITE_BYTES_MAX)
    assert call.run(OUT + "write", out, b"he") == Ok()
    assert call.run(OUT + "flush", out) == Ok()
    assert call.run(OUT + "blocking-flush", out) == Ok()
    assert call.run(OUT + "blocking-write-and-flush", out, b"llo\nwor") == Ok()
    assert call.emitted == [("wasi:cli/stdout@0.2/line", (b"hello",), cbor.encode([b"hello"]))]
    call.run(OUT + "write", out, b"ld\n\nthird\nrest")
    assert call.lines() == [("stdout", line) for line in (b"hello", b"world", b"", b"third")]


def test_the_begun_lines_are_recorded_at_the_end_of_the_call_and_only_once() -> None:
    call = Call()
    out, err = opened(call, "stdout"), opened(call, "stderr")
    call.run(OUT + "write", err, b"e")
    call.run(OUT + "write", out, b"o")
    assert call.emitted == []
    HANDLER.finish(call)
    HANDLER.finish(call)
    assert call.lines() == [("stdout", b"o"), ("stderr", b"e")]


def test_a_call_without_output_records_nothing_at_its_end() -> None:
    call = Call()
    HANDLER.finish(call)
    assert call.emitted == []
    assert call.memory == {}


def test_two_handles_of_one_stream_write_the_same_line() -> None:
    call = Call()
    first, second = opened(call, "stdout"), opened(call, "stdout")
    assert first != second
    call.run(OUT + "write", first, b"a")
    call.run(OUT + "write", second, b"b\n")
    assert call.lines() == [("stdout", b"ab")]


def test_a_long_line_is_cut_into_pieces_and_an_exact_one_is_not() -> None:
    call = Call()
    out = opened(call, "stdout")
    exact = b"x" * LOG_LINE_BYTES_MAX
    call.run(OUT + "write", out, exact)
    call.run(OUT + "write", out, b"\n" + exact + b"yz\n")
    assert call.lines() == [("stdout", line) for line in (exact, exact, b"yz")]


def test_a_cut_leaves_characters_whole() -> None:
    lines = LineBuffer("f").feed(("€" * LOG_LINE_BYTES_MAX + "\n").encode())
    assert "".join(line.decode() for line in lines) == "€" * LOG_LINE_BYTES_MAX


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.integers(0, 3 * LOG_LINE_BYTES_MAX).map(lambda n: b"x" * n),
            st.integers(0, 2 * LOG_LINE_BYTES_MAX).map(lambda n: b"\xbf" * n),
            st.just(b"\n"),
        ),
        max_size=12,
    )
)
def test_lines_depend_on_the_bytes_and_not_on_the_writes(writes: list[bytes]) -> None:
    parts, whole = LineBuffer("f"), LineBuffer("f")
    lines = [line for data in writes for line in parts.feed(data)] + parts.rest()
    data = b"".join(writes)
    assert lines == whole.feed(data) + whole.rest()
    assert b"".join(lines) == data.replace(b"\n", b"")
    assert all(len(line) <= LOG_LINE_BYTES_MAX for line in lines)
    assert parts.begun == b""


@given(st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"")), min_size=1))
def test_short_lines_come_out_as_they_went_in(lines: list[bytes]) -> None:
    assert LineBuffer("f").feed(b"\n".join([*lines, b""])) == lines


def test_what_a_stream_keeps_back_is_bounded() -> None:
    buffer = LineBuffer("f")
    for data in (b"x" * 10 * LOG_LINE_BYTES_MAX, b"\xbf" * 10 * LOG_LINE_BYTES_MAX):
        buffer.feed(data)
        assert len(buffer.begun) <= LOG_LINE_BYTES_MAX


def test_zeroes_are_written_as_bytes() -> None:
    call = Call()
    out = opened(call, "stderr")
    assert call.run(OUT + "write-zeroes", out, 2) == Ok()
    assert call.run(OUT + "blocking-write-zeroes-and-flush", out, 1) == Ok()
    HANDLER.finish(call)
    assert call.lines() == [("stderr", b"\0\0\0")]


@pytest.mark.parametrize(
    "function, most",
    [
        ("write", WASI_WRITE_BYTES_MAX),
        ("blocking-write-and-flush", WASI_BLOCKING_WRITE_BYTES_MAX),
        ("write-zeroes", WASI_WRITE_BYTES_MAX),
        ("blocking-write-zeroes-and-flush", WASI_BLOCKING_WRITE_BYTES_MAX),
    ],
)
def test_a_write_beyond_what_is_permitted_traps(function: str, most: int) -> None:
    call = Call()
    out = opened(call, "stdout")

    def write(length: int) -> object:
        return call.run(OUT + function, out, length if "zeroes" in function else bytes(length))

    assert write(most) == Ok()
    before = list(call.emitted)
    for length in (most + 1, 2**64 - 1 if "zeroes" in function else most + 1):
        with pytest.raises(Trap) as trap:
            write(length)
        assert trap.value.code == "abi"
    assert call.emitted == before


@pytest.mark.parametrize("function", ["read", "blocking-read", "skip", "blocking-skip"])
def test_input_is_at_its_end(function: str) -> None:
    call = Call()
    assert call.run(IN + function, opened(call, "stdin"), 2**64 - 1) == Err(Case("closed"))


@pytest.mark.parametrize("function", ["splice", "blocking-splice"])
def test_nothing_can_be_spliced_from_input_that_is_at_its_end(function: str) -> None:
    call = Call()
    into, source = opened(call, "stdout"), opened(call, "stdin")
    assert call.run(OUT + function, into, source, 10) == Err(Case("closed"))
    assert call.emitted == []


def test_streams_are_ready_at_once() -> None:
    call = Call()
    waits = [
        call.run(OUT + "subscribe", opened(call, "stdout")),
        call.run(IN + "subscribe", opened(call, "stdin")),
    ]
    assert call.run("wasi:io/poll@0.2/poll", waits) == [0, 1]
    assert all(one != other for one, other in pairwise(waits))
