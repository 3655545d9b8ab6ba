"""A running call: whose it is, how long it has computed, and how it ended.

Everything that the library calls back finds its call through the address of the store's context,
so that calls in other threads, and calls that one call makes, can't be mistaken for each other.
Whatever is raised on the way is kept here, and the guest sees a trap: nothing crosses into wasmtime.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter, thread_time
from typing import Any, Final

from theater.engine import native
from theater.engine.lift import lift_all
from theater.engine.lower import lowerer
from theater.engine.outcome import EndCall, Ended, GuestTrap, ImportedFunction, Interceptor
from theater.errors import CodecError
from theater.limits import BUSY_AFTER_MS, ERROR_MESSAGE_BYTES_MAX

RUNNING: Final[dict[int, Call]] = {}
"""The running calls, by the address of their store's context."""


class Switch:
    """Asks, from any thread, for the end of whatever an instance does."""

    __slots__ = ("killed",)

    def __init__(self) -> None:
        self.killed = False


class Call:
    """One call, from its beginning to its end; used by the guest's thread alone."""

    __slots__ = (
        "_budget_s",
        "_entered",
        "_on_busy",
        "_served_cpu",
        "_switch",
        "_ticked_cpu",
        "ended",
        "guest_s",
        "interceptor",
        "served_s",
    )

    def __init__(
        self,
        interceptor: Interceptor,
        budget_s: float,
        on_busy: Callable[[], None] | None,
        switch: Switch,
    ) -> None:
        self.interceptor = interceptor
        self.ended: Ended | None = None
        self.guest_s = 0.0
        self.served_s = 0.0
        """What its unrecorded host calls have computed; their waiting is nobody's time."""
        self._budget_s = budget_s
        self._on_busy = on_busy
        self._switch = switch
        self._entered = 0.0
        self._served_cpu = 0.0
        self._ticked_cpu: float | None = None

    def enter(self) -> None:
        """The guest computes from now on."""
        self._entered = perf_counter()

    def leave(self) -> None:
        """The guest doesn't compute any more, or not for now."""
        if self._entered:
            self.guest_s += perf_counter() - self._entered
            self._entered = 0.0

    def serve(self) -> None:
        """Like `leave`, for a host call that is charged to the guest: nothing else bounds these."""
        self.leave()
        self._served_cpu = thread_time()

    def resume(self) -> int | None:
        """Back from a host call to the guest, unless it was killed meanwhile: then an error."""
        if self._switch.killed:
            return self.end(Ended("killed", None, "killed in a host call"))
        if self._served_cpu:
            self.served_s += thread_time() - self._served_cpu
            self._served_cpu = 0.0
        self._entered = perf_counter()
        return None

    def tick(self) -> int | None:
        """The epoch has advanced while the guest computed: go on, or an error."""
        if self._switch.killed:
            return self.end(Ended("killed", None, "killed while it computed"))
        stretch = perf_counter() - self._entered
        if self.guest_s + self.served_s + stretch >= self._budget_s:
            budget_ms = round(self._budget_s * 1000)
            return self.end(Ended("deadline", None, f"computed longer than {budget_ms} ms"))
        if self._on_busy is not None and self._is_busy(stretch):
            on_busy, self._on_busy = self._on_busy, None
            on_busy()
        return None

    def _is_busy(self, stretch: float) -> bool:
        # The thread's own time has all host calls in it, however short the stretches between them,
        # but not their waiting; the stretch is there for a machine that has no time for the thread.
        # It is counted from the first tick on: asking for it takes a system call, which the many
        # calls that see no tick are spared.
        if stretch * 1000 >= BUSY_AFTER_MS:
            return True
        now = thread_time()
        if self._ticked_cpu is None:
            self._ticked_cpu = now
        return (now - self._ticked_cpu) * 1000 >= BUSY_AFTER_MS

    def end(self, ended: Ended) -> int:
        """End the call in this way, unless it has ended already; the error for the library."""
        if self.ended is None:
            self.ended = ended
        error: int = native.new_error(b"the host ended the call")
        return error

    def raised(self, error: BaseException) -> int:
        """End the call because of what was raised in a host function."""
        try:
            ended = _told(error)
        except BaseException:  # noqa: BLE001 - an exception may raise when it is asked what it is
            ended = Ended("host", None, "an exception that can't say what it is", error)
        return self.end(ended)


def _told(error: BaseException) -> Ended:
    # What is said of a guest may quote it, and it is as long as the guest likes.
    detail = str(error)[:ERROR_MESSAGE_BYTES_MAX]
    match error:
        case GuestTrap():
            return Ended("trap", error.code, detail, error)
        case EndCall():
            return Ended(error.kind, error.code, detail, error)
        case _:
            return Ended("host", None, f"{type(error).__name__}: {detail}", error)


def _orphan() -> int:
    error: int = native.new_error(b"no call is running in this store")
    return error


def _give_nothing(_: object) -> bytes:
    raise CodecError("this function has no result")


def trampoline(function: ImportedFunction, resources: dict[str, int]) -> Any:
    """The C function that stands for an imported function in the linker."""
    lift = lift_all([wit for _, wit in function.type.params], function.bridged)
    result = function.type.result
    lower = None if result is None else lowerer(result, resources, function.bridged)
    recorded = function.recorded

    def serve(
        _data: int, context: int, _type: int, arguments: int, _count: int, results: int, _room: int
    ) -> int | None:
        call = RUNNING.get(context)
        if call is None:
            return _orphan()
        try:
            if recorded:
                call.leave()
            else:
                call.serve()
            parts: list[bytes] = []
            values = lift((arguments or 0) >> 3, parts.append, context)
            encoded = b"".join(parts) if recorded else b""
            if lower is None:
                call.interceptor.host_call(function, values, encoded, _give_nothing)
                return call.resume()
            asked, given = True, False

            def give(value: object) -> bytes:
                nonlocal asked, given
                if not asked:
                    raise CodecError(f"{function.name} was given its result twice or too late")
                asked = False
                output: list[bytes] = []
                lower(results >> 3, value, output.append, context)
                given = True
                return b"".join(output) if recorded else b""

            try:
                call.interceptor.host_call(function, values, encoded, give)
            finally:
                # The memory behind it is the guest's host call's, which ends here.
                asked = False
            if not given:
                raise CodecError(f"{function.name} was given no result")
            return call.resume()
        except BaseException as error:  # noqa: BLE001 - nothing may cross into wasmtime
            return call.raised(error)

    return native.HOST_CALL(serve)


def dropper(name: str) -> Any:
    """The C function that is told when a guest gives up a resource."""

    def drop(_data: int, context: int, number: int) -> int | None:
        call = RUNNING.get(context)
        if call is None:
            return _orphan()
        try:
            call.serve()
            call.interceptor.resource_dropped(name, number)
            return call.resume()
        except BaseException as error:  # noqa: BLE001 - nothing may cross into wasmtime
            return call.raised(error)

    return native.RESOURCE_DROP(drop)


def _tick(context: int, _data: int, ticks: int, kind: int) -> int | None:
    call = RUNNING.get(context)
    if call is None:
        return _orphan()
    try:
        error = call.tick()
        native.WORDS[ticks >> 3] = 1
        native.BYTES[kind] = 0
        return error
    except BaseException as error:  # noqa: BLE001 - nothing may cross into wasmtime
        return call.raised(error)


ON_EPOCH: Final = native.EPOCH(_tick)
"""The C function that every store calls when the epoch passes its deadline."""
