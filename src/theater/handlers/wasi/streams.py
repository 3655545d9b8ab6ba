"""wasi:io/streams: output that becomes lines of the chain, and input that is at its end.

Output never waits and never fails: a stream always permits WASI_WRITE_BYTES_MAX, is always ready,
and has nothing to flush. A flush does not end a line. Complete lines are emitted as they are
written, the rest of them when the guest's call ends. Breaking a precondition of the WIT (a write
longer than was permitted) traps, as WASI says.
"""

from __future__ import annotations

from theater.handlers.port import Effect, HostCall, HostFunction, Trap
from theater.handlers.wasi.lines import LineBuffer
from theater.handlers.wasi.tables import READY, tables
from theater.limits import WASI_BLOCKING_WRITE_BYTES_MAX, WASI_WRITE_BYTES_MAX
from theater.values import cbor
from theater.values.types import Case, Err, Ok

PERMITTED = Ok(WASI_WRITE_BYTES_MAX)
DONE = Ok()
CLOSED = Err(Case("closed"))


def emit_lines(call: HostCall, function: str, lines: list[bytes]) -> None:
    """Record lines of output, each as one event of `function`."""
    for line in lines:
        call.emit(function, (line,), cbor.encode((line,)))


def emit_rest(call: HostCall, buffer: LineBuffer) -> None:
    """Record the line that a stream has begun."""
    emit_lines(call, buffer.function, buffer.rest())


def _check_length(length: int, most: int) -> None:
    if length > most:
        raise Trap("abi", f"a write of {length} bytes to a stream that permits {most}")


def _write(call: HostCall, stream: int, contents: bytes) -> None:
    buffer = tables(call.memory).output(stream).lines
    emit_lines(call, buffer.function, buffer.feed(contents))


def check_write(call: HostCall, stream: int) -> Ok:
    return PERMITTED


def write(call: HostCall, stream: int, contents: bytes) -> Ok:
    _check_length(len(contents), WASI_WRITE_BYTES_MAX)
    _write(call, stream, contents)
    return DONE


def blocking_write_and_flush(call: HostCall, stream: int, contents: bytes) -> Ok:
    _check_length(len(contents), WASI_BLOCKING_WRITE_BYTES_MAX)
    _write(call, stream, contents)
    return DONE


def write_zeroes(call: HostCall, stream: int, length: int) -> Ok:
    _check_length(length, WASI_WRITE_BYTES_MAX)
    _write(call, stream, bytes(length))
    return DONE


def blocking_write_zeroes_and_flush(call: HostCall, stream: int, length: int) -> Ok:
    _check_length(length, WASI_BLOCKING_WRITE_BYTES_MAX)
    _write(call, stream, bytes(length))
    return DONE


def flush(call: HostCall, stream: int) -> Ok:
    return DONE


def splice(call: HostCall, stream: int, source: int, length: int) -> Err:
    return CLOSED


def read(call: HostCall, stream: int, length: int) -> Err:
    return CLOSED


def subscribe(call: HostCall, stream: int) -> int:
    return tables(call.memory).issue(READY)


FUNCTIONS = {
    "wasi:io/streams@0.2": {
        "[method]output-stream.check-write": HostFunction(Effect.VIRTUAL, check_write),
        "[method]output-stream.write": HostFunction(Effect.VIRTUAL, write),
        "[method]output-stream.blocking-write-and-flush": HostFunction(
            Effect.VIRTUAL, blocking_write_and_flush
        ),
        "[method]output-stream.write-zeroes": HostFunction(Effect.VIRTUAL, write_zeroes),
        "[method]output-stream.blocking-write-zeroes-and-flush": HostFunction(
            Effect.VIRTUAL, blocking_write_zeroes_and_flush
        ),
        "[method]output-stream.flush": HostFunction(Effect.VIRTUAL, flush),
        "[method]output-stream.blocking-flush": HostFunction(Effect.VIRTUAL, flush),
        "[method]output-stream.subscribe": HostFunction(Effect.VIRTUAL, subscribe),
        "[method]output-stream.splice": HostFunction(Effect.VIRTUAL, splice),
        "[method]output-stream.blocking-splice": HostFunction(Effect.VIRTUAL, splice),
        "[method]input-stream.read": HostFunction(Effect.VIRTUAL, read),
        "[method]input-stream.blocking-read": HostFunction(Effect.VIRTUAL, read),
        "[method]input-stream.skip": HostFunction(Effect.VIRTUAL, read),
        "[method]input-stream.blocking-skip": HostFunction(Effect.VIRTUAL, read),
        "[method]input-stream.subscribe": HostFunction(Effect.VIRTUAL, subscribe),
    },
}
