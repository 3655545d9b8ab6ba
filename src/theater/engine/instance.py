"""An instance of a component: a store of its own, entered by one thread at a time.

An instance begins with its first call, inside that call, and ends with the first call that doesn't
return: after a trap the whole store is dead, so it is deleted at once and never entered again. The
state that counts is what a guest returns; what else its memory holds goes with the instance.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import get_ident
from typing import TYPE_CHECKING, Final

from theater.engine import native
from theater.engine.bridge import EXTRA_CORE_INSTANCES, EXTRA_MEMORIES
from theater.engine.call import ON_EPOCH, RUNNING, Call, Switch
from theater.engine.interrupts import MAIN_THREAD, interrupts_put_off
from theater.engine.outcome import Ended, Interceptor, Outcome
from theater.engine.traps import classify
from theater.errors import Conflict, Unavailable
from theater.limits import (
    CORE_INSTANCES_MAX,
    ERROR_MESSAGE_BYTES_MAX,
    LIVE_INSTANCES_MAX,
    MEMORIES_MAX,
    MEMORY_BYTES,
    TABLE_ELEMENTS_MAX,
    TABLES_MAX,
)

if TYPE_CHECKING:
    from theater.engine.component import Component, ExportShape

_UNLIMITED_FUEL: Final = 2**63


@dataclass(frozen=True, slots=True)
class InstanceLimits:
    """What an instance may use. `memory_bytes` is for each linear memory, `fuel` for each call."""

    memory_bytes: int = MEMORY_BYTES
    fuel: int | None = None
    memories: int = MEMORIES_MAX
    tables: int = TABLES_MAX
    table_elements: int = TABLE_ELEMENTS_MAX
    core_instances: int = CORE_INSTANCES_MAX


class _Census:
    """How many stores live in this process."""

    def __init__(self) -> None:
        # Whatever runs while it is held may collect garbage, and that may end an instance.
        self._lock = threading.RLock()
        self._count = 0

    def admit(self) -> None:
        with self._lock:
            if self._count >= LIVE_INSTANCES_MAX:
                raise Unavailable(
                    f"{LIVE_INSTANCES_MAX} instances live already; passivate some",
                    code="instances.full",
                )
            self._count += 1

    def leave(self) -> None:
        with self._lock:
            self._count -= 1

    @property
    def count(self) -> int:
        return self._count


_CENSUS: Final = _Census()


def live_instances() -> int:
    """How many instances have a store now."""
    return _CENSUS.count


def _ended(text: str) -> Ended:
    # A backtrace names the guest's functions, and these are as long as the guest likes.
    return Ended(*classify(text), text[-ERROR_MESSAGE_BYTES_MAX:])


class _Entry:
    """An export in one instance: the function, and room for its arguments and its result."""

    __slots__ = ("_addresses", "_zeros", "found", "function", "result", "shape", "values")

    def __init__(self, shape: ExportShape) -> None:
        room = native.VAL_BYTES * (shape.count + 1)
        self.shape = shape
        self.function = native.Buffer(native.FUNCTION_BYTES)
        self.found = False
        self.values = native.Buffer(room)
        self.result = self.values.address + native.VAL_BYTES * shape.count
        self._addresses = range(self.values.address, self.values.address + room, native.VAL_BYTES)
        self._zeros = bytes(room)

    def clear(self) -> None:
        """Give back what arguments and result hold; the library drops what it finds in a slot."""
        for address in self._addresses:
            native.delete_value(address)
        first = self.values.address
        native.BYTES[first : first + len(self._zeros)] = self._zeros


class Instance:
    """One instance, not begun yet. Any thread may call it, and only one at a time."""

    def __init__(self, component: Component, limits: InstanceLimits) -> None:
        self._component = component
        self._limits = limits
        self._lock = threading.Lock()
        self._switch = Switch()
        self._store = 0
        self._context = 0
        self._instance: native.Buffer | None = None
        self._entries: dict[str, _Entry] = {}
        self._guest_s = 0.0
        self.dead = False
        """Whether it can't be called any more."""
        self.calls = 0
        """How many calls it has served, the one that ended it included."""
        self._counted = False
        _CENSUS.admit()
        self._counted = True

    @property
    def guest_ms(self) -> float:
        """How long its guest has computed in all."""
        return self._guest_s * 1000

    def call(
        self,
        export: str,
        arguments: Sequence[object],
        interceptor: Interceptor,
        budget_ms: float,
        on_busy: Callable[[], None] | None = None,
    ) -> Outcome:
        """Call an export by its recorded name; the first argument is the state.

        `budget_ms` is of guest time and of what host calls that aren't recorded compute: it stands
        still during recorded ones, and while any of them waits. `on_busy` is called once, on this
        thread, when the call has computed 50 ms, host calls included. NotFound for an
        export that isn't there, CodecError for arguments that are not of its type (nothing has run
        then), Conflict if the instance is being called or is dead. On the main thread an interrupt
        (Ctrl-C) kills the call, and KeyboardInterrupt is raised once it has ended.
        """
        if get_ident() == MAIN_THREAD:
            with interrupts_put_off(self._switch):
                return self._call_alone(export, arguments, interceptor, budget_ms, on_busy)
        return self._call_alone(export, arguments, interceptor, budget_ms, on_busy)

    def kill(self) -> None:
        """End the call that runs, or the next one, with kind `killed`. From any thread, at any time.

        A host function that waits is not woken: that is up to whoever made it wait.
        """
        self._switch.killed = True

    def close(self) -> None:
        """Give up the instance. Conflict while it is being called."""
        if not self._lock.acquire(blocking=False):
            raise Conflict("this instance is in a call; kill it first", code="instance.busy")
        try:
            self._delete()
        finally:
            self._lock.release()

    def __del__(self) -> None:
        self._delete()

    def _call_alone(
        self,
        export: str,
        arguments: Sequence[object],
        interceptor: Interceptor,
        budget_ms: float,
        on_busy: Callable[[], None] | None,
    ) -> Outcome:
        if not self._lock.acquire(blocking=False):
            raise Conflict("this instance is in a call already", code="instance.busy")
        try:
            if self.dead:
                raise Conflict("this instance has ended; make a new one", code="instance.dead")
            if self._switch.killed:
                self._delete()
                return Ended("killed", None, "killed before the call")
            return self._call(export, arguments, interceptor, budget_ms / 1000, on_busy)
        finally:
            self._lock.release()

    def _call(
        self,
        export: str,
        arguments: Sequence[object],
        interceptor: Interceptor,
        budget_s: float,
        on_busy: Callable[[], None] | None,
    ) -> Outcome:
        entry = self._entries.get(export) or self._entry(export)
        if not self._store:
            self._open()
        context = self._context
        values = entry.values.address
        result = entry.result
        call = Call(interceptor, budget_s, on_busy, self._switch)
        entered = False
        finished = False
        try:
            entry.shape.lower(values >> 3, arguments, context)
            entered = True
            RUNNING[context] = call
            self.calls += 1
            error = None if entry.found else self._begin(call, entry)
            if not error:
                if self._limits.fuel is not None:
                    native.set_fuel(context, self._limits.fuel)
                native.set_epoch_deadline(context, 1)
                call.enter()
                error = native.call_function(
                    entry.function.address, context, values, entry.shape.count, result, 1
                )
                call.leave()
            if error:
                if call.ended is None:
                    return _ended(native.take_text(error))
                native.delete_error(error)
                return call.ended
            try:
                outcome = entry.shape.returned(result >> 3, context)
            except native.LibraryError as refused:
                # A resource of the guest's own is nothing that the host can hold.
                return Ended("result", None, str(refused))
            finished = True
            return outcome
        finally:
            RUNNING.pop(context, None)
            call.leave()
            self._guest_s += call.guest_s
            entry.clear()
            if entered and not finished:
                self._delete()

    def _entry(self, export: str) -> _Entry:
        entry = self._entries[export] = _Entry(self._component.export(export))
        return entry

    def _open(self) -> None:
        engine = self._component.engine_address
        self._store = native.new_store(engine, None, None)
        self._context = native.store_context(self._store)
        limits = self._limits
        bridged = self._component.bridged
        native.limit_store(
            self._store,
            limits.memory_bytes,
            limits.table_elements,
            limits.core_instances + (EXTRA_CORE_INSTANCES if bridged else 0),
            limits.tables,
            limits.memories + (EXTRA_MEMORIES if bridged else 0),
        )
        native.set_epoch_callback(self._store, ON_EPOCH, None, None)

    def _begin(self, call: Call, entry: _Entry) -> int | None:
        """Instantiate, if that has not been done, and find the export; an error of the library."""
        if self._instance is None:
            instance = native.Buffer(native.INSTANCE_BYTES)
            if self._component.fuel:
                native.set_fuel(self._context, _UNLIMITED_FUEL)
            native.set_epoch_deadline(self._context, 1)
            call.enter()
            error: int | None = native.instantiate(
                self._component.linker_address,
                self._context,
                self._component.address,
                instance.address,
            )
            call.leave()
            if error:
                return error
            self._instance = instance
        found = native.get_function(
            self._instance.address, self._context, entry.shape.index, entry.function.address
        )
        if not found:
            raise native.LibraryError("an export of the component is not in its instance")
        entry.found = True
        return None

    def _delete(self) -> None:
        self.dead = True
        store, self._store, self._context = self._store, 0, 0
        self._instance = None
        self._entries = {}
        if store:
            native.delete_store(store)
        if self._counted:
            self._counted = False
            _CENSUS.leave()
