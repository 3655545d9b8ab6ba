"""Calls that end in every way there is, each with marks of its own that nobody else may see.

An action makes its calls, checks that they ended as they had to, with the very exception that its
own host function raised, and raises otherwise.
"""

from __future__ import annotations

import gc
import random
import struct
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from tests.engine.generated import random_value, same
from tests.engine.guests import REQUEST, SEND, Host
from tests.engine.interface_echo import GUEST
from tests.engine.test_resources import Things
from theater.engine import (
    Component,
    EndCall,
    Ended,
    GuestError,
    GuestTrap,
    Instance,
    InstanceLimits,
    Outcome,
    Returned,
)
from theater.errors import CodecError, Conflict
from theater.limits import MIB
from theater.values.types import Ok, WitType

BUDGET_MS = 120_000
"""More than any call takes that is not to end at its deadline."""
WAIT_S = 60

TRAPS = {
    "u": "unreachable", "d": "divide", "o": "overflow", "m": "memory", "t": "table",
    "i": "indirect", "c": "conversion", "a": "abi",
}  # fmt: skip


class Mark(Exception):
    """Raised by a host function, once."""


class Quiet(BaseException):
    """Raised by a host function, and no Exception."""


class Guests(Protocol):
    """What actions need: components by name, and another thread."""

    types: list[WitType]

    def __getitem__(self, name: str) -> Component: ...

    def later(self, act: Callable[[], object]) -> None:
        """Do this soon, on another thread."""
        ...


class Caller:
    """One thread's instances, which it keeps warm from action to action, and its marks."""

    def __init__(self, name: str, guests: Guests, chance: random.Random) -> None:
        self.guests = guests
        self.chance = chance
        self.mark = ""
        self._name = name
        self._marks = 0
        self.warm = guests["counter"].instance()
        self.state: bytes | None = None
        self.echo = guests["echo"].instance(InstanceLimits(memory_bytes=64 * MIB))

    def begin(self) -> None:
        """Take a mark that no other action has, and renew what died."""
        self._marks += 1
        self.mark = f"{self._name}:{self._marks}"
        if self.warm.dead:
            self.warm, self.state = self.guests["counter"].instance(), None
        if self.echo.dead:
            self.echo = self.guests["echo"].instance(InstanceLimits(memory_bytes=64 * MIB))

    def new(self, name: str, limits: InstanceLimits | None = None) -> Instance:
        return self.guests[name].instance(limits)

    def send(
        self, instance: Instance, body: bytes, serve: Any = None, budget_ms: float = BUDGET_MS
    ) -> Outcome:
        """A message; what the host function hears must be its body."""

        def listen(function: Any, arguments: Any, give: Any) -> None:
            if arguments != (body.decode(),):
                raise AssertionError(f"{self.mark} hears {arguments}")
            if serve is not None:
                serve(function, arguments, give)

        return instance.call(SEND, [self.state, (body,)], Host(listen), budget_ms)

    def close(self) -> None:
        self.warm.close()
        self.echo.close()


def ended(
    outcome: Outcome, kind: str, code: str | None = None, cause: BaseException | None = None
) -> Ended:
    """Check that a call ended so, because of this very exception."""
    assert isinstance(outcome, Ended), outcome
    assert (outcome.kind, outcome.code) == (kind, code), outcome
    assert outcome.cause is cause, (outcome, outcome.cause, cause)
    return outcome


def count(caller: Caller) -> None:
    outcome = caller.send(caller.warm, caller.mark.encode())
    number = int(caller.state or b"0") + 1
    assert outcome == Returned(str(number).encode(), (), b"\x80"), outcome
    caller.state = outcome.state


def fail(caller: Caller) -> None:
    outcome = caller.send(caller.warm, b"fail")
    assert outcome == GuestError("failed as it was asked to"), outcome


def trap(caller: Caller, letter: str) -> None:
    instance = caller.new("trap")
    ended(caller.send(instance, letter.encode()), "trap", TRAPS[letter])
    assert instance.dead


def raise_in_host(
    caller: Caller, make: Callable[[str], BaseException], kind: str, code: str | None
) -> None:
    error = make(caller.mark)

    def serve(*_: object) -> None:
        raise error

    outcome = caller.send(caller.warm, caller.mark.encode(), serve)
    assert caller.mark in ended(outcome, kind, code, error).detail
    assert caller.warm.dead


def raise_after_giving(caller: Caller) -> None:
    error = Mark(caller.mark)

    def serve(function: Any, arguments: Any, give: Any) -> None:
        give(Ok((arguments[0], b"x" * 1000)))
        raise error

    outcome = caller.echo.call(f"{GUEST}/e0", [None, b"v"], Host(serve), BUDGET_MS)
    ended(outcome, "host", None, error)


def give_wrong(caller: Caller) -> None:
    host = Host(lambda function, arguments, give: give(Ok((b"x" * 1000, caller))))
    outcome = caller.echo.call(f"{GUEST}/e0", [None, b"v"], host, BUDGET_MS)
    assert isinstance(outcome, Ended), outcome
    assert (outcome.kind, type(outcome.cause)) == ("host", CodecError), outcome


def raise_while_instantiating(caller: Caller) -> None:
    error = Mark(caller.mark)

    def serve(*_: object) -> None:
        raise error

    host = Host(serve)
    outcome = caller.new("starting").call(SEND, [None, (b"",)], host, BUDGET_MS)
    ended(outcome, "host", None, error)


def raise_while_dropping(caller: Caller) -> None:
    error = Mark(caller.mark)

    class Dropping(Host):
        def resource_dropped(self, name: str, number: int) -> None:
            raise error

    outcome = caller.new("things").call(SEND, [None, (b"",)], Dropping(Things()), BUDGET_MS)
    ended(outcome, "host", None, error)


def pass_deadline(caller: Caller) -> None:
    budget_ms = caller.chance.choice([1, 10, 30])
    ended(caller.send(caller.new("loop"), b"", budget_ms=budget_ms), "deadline")


def kill_computing(caller: Caller) -> None:
    instance = caller.new("loop")
    caller.guests.later(instance.kill)
    ended(caller.send(instance, b""), "killed")


def kill_waiting(caller: Caller) -> None:
    instance, killed = caller.new("counter"), threading.Event()

    def kill() -> None:
        instance.kill()
        killed.set()

    def serve(*_: object) -> None:
        caller.guests.later(kill)
        assert killed.wait(WAIT_S)

    ended(caller.send(instance, caller.mark.encode(), serve), "killed")


def kill_before(caller: Caller) -> None:
    instance = caller.new("counter")
    instance.kill()
    ended(caller.send(instance, caller.mark.encode()), "killed")


def kill_among_calls(caller: Caller) -> None:
    instance = caller.new("counter")
    caller.guests.later(instance.kill)
    while isinstance(outcome := caller.send(instance, caller.mark.encode()), Returned):
        pass
    ended(outcome, "killed")


def need_memory(caller: Caller) -> None:
    instance = caller.new("counter", InstanceLimits(memory_bytes=65536))
    ended(caller.send(instance, caller.mark.encode()), "memory")


def grow_memory(caller: Caller) -> None:
    limits = InstanceLimits(memory_bytes=5 * 65536)
    outcome = caller.new("grow", limits).call(REQUEST, [None, ("id", b"")], Host(), BUDGET_MS)
    assert isinstance(outcome, Returned), outcome
    assert outcome.rest == ((b"\x05\0\0\0",),)
    ended(caller.send(caller.new("grow", limits), b""), "trap", "unreachable")


def recurse(caller: Caller) -> None:
    ended(caller.send(caller.new("recurse"), b""), "stack")


def burn_fuel(caller: Caller) -> None:
    instance = caller.new("fuelled loop", InstanceLimits(fuel=100_000))
    ended(caller.send(instance, b""), "fuel")


def echo(caller: Caller) -> None:
    types = caller.guests.types
    number = caller.chance.randrange(len(types))
    value, answer = (random_value(caller.chance, types[number], int) for _ in range(2))
    mark = caller.mark.encode()
    host = Host(lambda function, arguments, give: give(Ok((arguments[0], answer))))
    outcome = caller.echo.call(f"{GUEST}/e{number}", [mark, value], host, BUDGET_MS)
    assert isinstance(outcome, Returned), outcome
    assert outcome.state == mark
    assert same(outcome.rest, (answer,))
    assert same(host.calls[0][1], (mark, value))


def use_things(caller: Caller) -> None:
    host = Host(Things(caller.chance.random() < 0.5))
    outcome = caller.new("things").call(SEND, [None, (b"k",)], host, BUDGET_MS)
    assert isinstance(outcome, Returned), outcome
    assert struct.unpack("<3I", outcome.state or b"") == (10, 20, 30)


def call_another(caller: Caller) -> None:
    """The inner call ends by its own error, the outer one by its own or well."""
    inner_error, outer_error = Mark(f"in {caller.mark}"), Mark(f"out {caller.mark}")
    fails = caller.chance.random() < 0.5

    def raise_inner(*_: object) -> None:
        raise inner_error

    def serve(*_: object) -> None:
        inner = caller.new("counter")
        ended(caller.send(inner, caller.mark.encode(), raise_inner), "host", None, inner_error)
        ended(caller.send(caller.new("trap"), b"u"), "trap", "unreachable")
        if fails:
            raise outer_error

    outcome = caller.send(caller.new("counter"), caller.mark.encode(), serve)
    if fails:
        ended(outcome, "host", None, outer_error)
    else:
        assert isinstance(outcome, Returned), outcome


def enter_twice(caller: Caller) -> None:
    instance, tried = caller.new("counter"), threading.Event()
    found: list[BaseException] = []

    def intrude() -> None:
        for act in (partial(caller.send, instance, b""), instance.close):
            try:
                act()
            except Conflict as conflict:
                found.append(conflict)
        tried.set()

    def serve(*_: object) -> None:
        caller.guests.later(intrude)
        assert tried.wait(WAIT_S)

    outcome = caller.send(instance, caller.mark.encode(), serve)
    assert isinstance(outcome, Returned), outcome
    assert len(found) == 2


def send_wrong(caller: Caller) -> None:
    try:
        caller.warm.call(SEND, [None, (caller,)], Host(), BUDGET_MS)
    except CodecError:
        count(caller)
    else:
        raise AssertionError("an argument that is no value was taken")


def end_as_garbage(caller: Caller) -> None:
    instance = caller.new("counter")
    outcome = caller.send(instance, caller.mark.encode())
    assert isinstance(outcome, Returned), outcome
    cycle: list[object] = [instance]
    cycle.append(cycle)
    if caller.chance.random() < 0.1:
        del instance, cycle
        gc.collect()


ACTIONS: dict[str, Callable[[Caller], None]] = {
    "returned": count,
    "returned, echoed": echo,
    "returned, with resources": use_things,
    "returned, entered twice": enter_twice,
    "returned, left as garbage": end_as_garbage,
    "returned, after refused arguments": send_wrong,
    "error of the guest": fail,
    **{f"trap {code}": partial(trap, letter=letter) for letter, code in TRAPS.items()},
    "trap denied by the host": partial(
        raise_in_host, make=partial(GuestTrap, "denied"), kind="trap", code="denied"
    ),
    "host, Exception": partial(raise_in_host, make=Mark, kind="host", code=None),
    "host, BaseException": partial(raise_in_host, make=Quiet, kind="host", code=None),
    "host, KeyboardInterrupt": partial(
        raise_in_host, make=KeyboardInterrupt, kind="host", code=None
    ),
    "host, after the result": raise_after_giving,
    "host, wrong result": give_wrong,
    "host, while instantiating": raise_while_instantiating,
    "host, while dropping": raise_while_dropping,
    "host, calls in calls": call_another,
    "events": partial(
        raise_in_host, make=partial(EndCall, "events", None), kind="events", code=None
    ),
    "diverged": partial(
        raise_in_host, make=partial(EndCall, "diverged", "x"), kind="diverged", code="x"
    ),
    "deadline": pass_deadline,
    "killed computing": kill_computing,
    "killed waiting": kill_waiting,
    "killed before": kill_before,
    "killed among calls": kill_among_calls,
    "memory": need_memory,
    "memory, growth refused": grow_memory,
    "stack": recurse,
    "fuel": burn_fuel,
}
"""Every way in which a call ends, by name."""
