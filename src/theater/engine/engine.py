"""The library's engine, shared by all actors, and the way from bytes to a linked component."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Final

import wasmtime
from wasmtime.component import Component as WasmComponent

from theater.engine import native
from theater.engine.artifacts import Artifacts
from theater.engine.bridge import wrap
from theater.engine.component import Compiled, Component
from theater.engine.reflect import reflect
from theater.engine.settings import Settings
from theater.engine.ticker import TICKER
from theater.errors import ComponentError, Conflict
from theater.limits import (
    COMPILE_SECONDS_MAX,
    COMPONENT_BYTES_MAX,
    COMPONENTS_LINKED_MAX,
    WASM_STACK_BYTES,
)

_MAGIC: Final = b"\0asm"
_COMPONENT: Final = b"\x0d\0\x01\0"

_Key = tuple[bytes, Callable[[str], bool]]
"""A component's hash, and the function that says which of its imports are recorded."""


def _everything(_: str) -> bool:
    return True


class Engine:
    """Compiles, keeps and links components. One for each configuration in a process is enough.

    `cache_dir` is where compiled components are kept, None for as long as the engine lives.
    `stack_bytes` is how much stack a guest has. Without the `bridge`, bytes are passed one by one,
    which is slow and has no other effect than on the limits of memory and fuel. Any thread may use it.
    """

    def __init__(
        self,
        cache_dir: Path | None,
        *,
        fuel: bool = False,
        stack_bytes: int = WASM_STACK_BYTES,
        bridge: bool = True,
        compile_timeout_s: float = COMPILE_SECONDS_MAX,
    ) -> None:
        self._settings = Settings(fuel, stack_bytes, bridge)
        self._artifacts = Artifacts(cache_dir, self._settings)
        self._engine = wasmtime.Engine(self._settings.configuration())
        self._compile_timeout_s = compile_timeout_s
        self._lock = threading.Lock()
        self._loading: dict[_Key, Future[Component]] = {}
        # Held strongly: through a weak reference a component could be found while it is being freed,
        # since the library's delete functions give up the interpreter's lock.
        self._linked: OrderedDict[_Key, Component] = OrderedDict()
        self._closed = False
        self.address: Final = native.address_of(self._engine.ptr())
        TICKER.join(self.address, self._engine)

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
        sha256 = hashlib.sha256(wasm).digest()
        linked = self.linked(sha256, recorded)
        if linked is not None:
            return linked
        _check_binary(wasm)
        return self._link_once(wasm, sha256, recorded)

    def linked(
        self, sha256: bytes, recorded: Callable[[str], bool] = _everything
    ) -> Component | None:
        """The component of that hash if it was loaded with this function lately, without its bytes."""
        with self._lock:
            found = self._linked.get((sha256, recorded))
            if found is not None:
                self._linked.move_to_end((sha256, recorded))
            return found

    def close(self) -> None:
        """Stop advancing the epoch: instances that still compute can't be interrupted any more."""
        if not self._closed:
            self._closed = True
            TICKER.leave(self.address)
            with self._lock:
                self._linked.clear()
            self._artifacts.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _link_once(self, wasm: bytes, sha256: bytes, recorded: Callable[[str], bool]) -> Component:
        key = sha256, recorded
        with self._lock:
            future = self._loading.get(key)
            mine = future is None
            if future is None:
                future = self._loading[key] = Future()
        if not mine:
            return future.result()
        try:
            compiled = self._compile(wasm, sha256)
            reflection = reflect(compiled.component, self._engine, recorded)
            if compiled.bridge is not None:
                reflection = reflection.bridged(compiled.bridge)
            linked = Component(self, sha256, compiled, reflection)
        except BaseException as error:
            with self._lock:
                del self._loading[key]
            future.set_exception(error)
            raise
        with self._lock:
            self._linked[key] = linked
            if len(self._linked) > COMPONENTS_LINKED_MAX:
                self._linked.popitem(last=False)
            del self._loading[key]
        future.set_result(linked)
        return linked

    def _compile(self, wasm: bytes, sha256: bytes) -> Compiled:
        wrapped = wrap(wasm) if self._settings.bridge else None
        if wrapped is not None:
            try:
                return Compiled(
                    self._artifact(wrapped.wasm, wrapped.digest(sha256)), wrapped.bridge
                )
            except ComponentError as error:
                # What the bridge made of it may be refused where the original is not.
                if error.code not in {"component.invalid", "component.text"}:
                    raise
        return Compiled(self._artifact(lambda: wasm, sha256), None)

    def _artifact(self, wasm: Callable[[], bytes], digest: bytes) -> WasmComponent:
        return self._artifacts.load(self._engine, wasm, digest, self._compile_timeout_s)


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
