"""The library's engine, shared by all actors, and the way from bytes to a linked component."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

import wasmtime
from wasmtime.component import Component as WasmComponent

from theater.engine import native
from theater.engine.artifacts import Artifacts
from theater.engine.component import Component
from theater.engine.reflect import reflect
from theater.engine.settings import Settings
from theater.engine.ticker import TICKER
from theater.errors import ComponentError, Conflict
from theater.limits import COMPILE_SECONDS_MAX, COMPONENT_BYTES_MAX, WASM_STACK_BYTES

_MAGIC: Final = b"\0asm"
_COMPONENT: Final = b"\x0d\0\x01\0"


def _everything(_: str) -> bool:
    return True


class Engine:
    """Compiles, keeps and links components. One for each configuration in a process is enough.

    `cache_dir` is where compiled components are kept, None for as long as the engine lives.
    `stack_bytes` is how much stack a guest has. Any thread may use it.
    """

    def __init__(
        self,
        cache_dir: Path | None,
        *,
        fuel: bool = False,
        stack_bytes: int = WASM_STACK_BYTES,
        compile_timeout_s: float = COMPILE_SECONDS_MAX,
    ) -> None:
        self._settings = Settings(fuel, stack_bytes)
        self._artifacts = Artifacts(cache_dir, self._settings)
        self._engine = wasmtime.Engine(self._settings.configuration())
        self._compile_timeout_s = compile_timeout_s
        self._lock = threading.Lock()
        self._compiling: dict[bytes, Future[WasmComponent]] = {}
        self._compiled: WeakValueDictionary[bytes, WasmComponent] = WeakValueDictionary()
        self._linked: WeakValueDictionary[tuple[bytes, tuple[bool, ...]], Component] = (
            WeakValueDictionary()
        )
        self._closed = False
        self.address: Final = native.address_of(self._engine.ptr())
        TICKER.join(self.address)

    @property
    def fuel(self) -> bool:
        """Whether fuel is counted."""
        return self._settings.fuel

    @property
    def facts(self) -> dict[str, object]:
        """The `engine` map of an `actor-start`: what a replay has to run on."""
        return self._settings.facts()

    def load(self, wasm: bytes, *, recorded: Callable[[str], bool] = _everything) -> Component:
        """Compile and link a component, or find it compiled and linked already.

        `recorded` says for the recorded name of an imported function whether CBOR is made of its
        calls. ComponentError, with a text for people, for anything that is not an actor's component.
        """
        if self._closed:
            raise Conflict("the engine is closed", code="engine.closed")
        _check_binary(wasm)
        sha256 = hashlib.sha256(wasm).digest()
        compiled = self._compile_once(wasm, sha256)
        reflection = reflect(compiled, self._engine, recorded)
        flags = tuple(
            function.recorded
            for instance in reflection.imports
            for _, function in instance.functions
        )
        with self._lock:
            linked = self._linked.get((sha256, flags))
            if linked is None:
                linked = Component(self, sha256, compiled, reflection)
                self._linked[sha256, flags] = linked
            return linked

    def close(self) -> None:
        """Stop advancing the epoch: instances that still compute can't be interrupted any more."""
        if not self._closed:
            self._closed = True
            TICKER.leave(self.address)
            self._artifacts.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _compile_once(self, wasm: bytes, sha256: bytes) -> WasmComponent:
        with self._lock:
            compiled = self._compiled.get(sha256)
            if compiled is not None:
                return compiled
            future = self._compiling.get(sha256)
            mine = future is None
            if future is None:
                future = self._compiling[sha256] = Future()
        if not mine:
            return future.result()
        try:
            compiled = self._artifacts.load(self._engine, wasm, sha256, self._compile_timeout_s)
        except BaseException as error:
            with self._lock:
                del self._compiling[sha256]
            future.set_exception(error)
            raise
        with self._lock:
            self._compiled[sha256] = compiled
            del self._compiling[sha256]
        future.set_result(compiled)
        return compiled


def _check_binary(wasm: bytes) -> None:
    if len(wasm) > COMPONENT_BYTES_MAX:
        raise ComponentError(
            f"a component may have {COMPONENT_BYTES_MAX} bytes, this one has {len(wasm)}",
            code="component.too_large",
        )
    if wasm[:4] != _MAGIC:
        raise ComponentError(
            "this is not WebAssembly; build the actor and give the .wasm file that comes out",
            code="component.not_wasm",
        )
    if wasm[4:8] != _COMPONENT:
        raise ComponentError(
            "this is a core module, not a component; build it for the component model "
            "(for example with `wasm-tools component new`)",
            code="component.core_module",
        )
