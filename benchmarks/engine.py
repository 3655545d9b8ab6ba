"""The engine alone: the compiled conversion and the byte bridge, nothing recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from benchmarks.measure import Figure, Prepared, Readings, Size, Stopwatch, benchmark
from benchmarks.references import LOG_ONLY, stock_guest
from benchmarks.stage import guest
from theater.engine import Engine, ImportedFunction, Returned

SEND = "theater:simple/message-server-client/handle-send"
BUDGET_MS = 60_000.0
REFERENCE = "the same call through wasmtime's own binding"


class _Host:
    """Serves the one host call of the guest, which has no result."""

    def host_call(
        self,
        function: ImportedFunction,
        arguments: tuple[object, ...],
        input: bytes,
        give: Callable[[object], bytes],
    ) -> None:
        pass

    def resource_dropped(self, name: str, number: int) -> None:
        pass


def _text(length: int) -> bytes:
    """JSON of about that many bytes: the turns of a conversation."""
    turn = {"role": "user", "content": "what the weather is like in a place far from here"}
    count = max(1, length // len(json.dumps(turn)))
    return json.dumps([turn] * count).encode()[:length]


@contextmanager
def _calling(size: Size, length: int, count: int, slow: int) -> Iterator[Callable[[], Readings]]:
    body = _text(length)
    wasm = guest("counter")
    with (
        Engine(size.cache / "compiled") as engine,
        stock_guest(wasm, LOG_ONLY) as export,
    ):
        instance = engine.load(wasm).instance()
        stock = export("theater:simple/message-server-client", "handle-send")
        host = _Host()

        def call() -> Stopwatch:
            with Stopwatch(count) as watch:
                for _ in range(count):
                    outcome = instance.call(SEND, (b"41", (body,)), host, BUDGET_MS)
            assert isinstance(outcome, Returned)
            assert outcome.state == b"42"
            return watch

        def measure() -> Readings:
            # On a thread, where a node calls its guests: on the main one each call also has to put
            # off interrupts.
            with ThreadPoolExecutor(1) as worker:
                watch = worker.submit(call).result()
            with Stopwatch(slow) as reference:
                for _ in range(slow):
                    stock(b"41", (body,))
            return {"each": (watch.each("us"), reference.each("us"))}

        yield measure
        instance.close()


def _figure(said: str, target_us: float) -> Figure:
    return Figure(
        "each",
        f"handle-send with {said} and one host call",
        "µs",
        "less",
        REFERENCE,
        target=target_us,
    )


@benchmark("engine.send_100_bytes", _figure("100 B", 15))
def send_100_bytes(size: Size) -> Prepared:
    return _calling(size, 100, size.of(5_000, 50), size.of(500, 5))


@benchmark("engine.send_10_kb", _figure("10 KB of JSON", 50))
def send_10_kb(size: Size) -> Prepared:
    return _calling(size, 10_000, size.of(2_000, 20), size.of(20, 2))


@benchmark("engine.send_1_mb", _figure("1 MB of JSON", 4_000), runs=3)
def send_1_mb(size: Size) -> Prepared:
    return _calling(size, size.of(1_000_000, 100_000), size.of(50, 2), 1)
