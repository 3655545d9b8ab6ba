"""Calls that don't return: traps, limits, what a host function raises."""

from __future__ import annotations

import threading
import time

import pytest

from tests.engine.guests import INIT, REQUEST, SEND, Host, binary
from theater.engine import EndCall, Ended, GuestTrap, InstanceLimits, Returned, live_instances, wat
from theater.errors import CodecError, Conflict

TRAPS = {
    "u": "unreachable",
    "d": "divide",
    "o": "overflow",
    "m": "memory",
    "t": "table",
    "i": "indirect",
    "n": "indirect",
    "c": "conversion",
    "a": "abi",
    "v": "abi",
}


@pytest.mark.parametrize("letter", TRAPS)
def test_each_trap_has_its_code(guest, letter):
    instance = guest("trap").instance()
    ended = instance.call(SEND, [None, (letter.encode(),)], Host(), 1000)
    assert isinstance(ended, Ended)
    assert (ended.kind, ended.code, ended.cause) == ("trap", TRAPS[letter], None)


def test_after_a_trap_the_instance_is_dead_and_its_store_is_gone(guest):
    component = guest("trap")
    before = live_instances()
    instance = component.instance()
    assert isinstance(instance.call(SEND, [None, (b"x",)], Host(), 1000), Returned)
    assert live_instances() == before + 1
    assert isinstance(instance.call(SEND, [None, (b"u",)], Host(), 1000), Ended)
    assert instance.dead
    assert live_instances() == before
    with pytest.raises(Conflict) as caught:
        instance.call(SEND, [None, (b"x",)], Host(), 1000)
    assert caught.value.code == "instance.dead"


def test_endless_recursion_ends_as_stack(guest):
    ended = guest("recurse").instance().call(SEND, [None, (b"",)], Host(), 10_000)
    assert (ended.kind, ended.code) == ("stack", None)


def test_refused_memory_is_the_guest_s_own_affair(guest):
    limits = InstanceLimits(memory_bytes=5 * 65536)
    outcome = guest("grow").instance(limits).call(REQUEST, [None, ("id", b"")], Host(), 10_000)
    assert outcome.rest == ((b"\x05\x00\x00\x00",),)
    ended = guest("grow").instance(limits).call(SEND, [None, (b"",)], Host(), 10_000)
    assert (ended.kind, ended.code) == ("trap", "unreachable")


def test_a_minimum_above_the_memory_limit_ends_as_memory(guest):
    ended = (
        guest("counter")
        .instance(InstanceLimits(memory_bytes=65536))
        .call(INIT, [None, ("me",)], Host(), 1000)
    )
    assert (ended.kind, ended.code) == ("memory", None)


def test_more_memories_than_allowed_end_as_memory(guest):
    instance = guest("memories").instance()
    ended = instance.call(SEND, [None, (b"",)], Host(), 1000)
    assert (ended.kind, ended.code) == ("memory", None)
    assert instance.dead


def test_too_many_tables_end_as_memory(guest):
    ended = (
        guest("trap").instance(InstanceLimits(tables=0)).call(SEND, [None, (b"",)], Host(), 1000)
    )
    assert (ended.kind, ended.code) == ("memory", None)
    ended = (
        guest("trap")
        .instance(InstanceLimits(table_elements=1))
        .call(SEND, [None, (b"",)], Host(), 1000)
    )
    assert (ended.kind, ended.code) == ("memory", None)


def test_an_endless_loop_ends_at_its_deadline(guest):
    instance = guest("loop").instance()
    ended = instance.call(SEND, [None, (b"",)], Host(), 60)
    assert (ended.kind, ended.code, ended.cause) == ("deadline", None, None)
    assert instance.dead
    assert instance.guest_ms >= 60


def test_fuel_runs_out(fuelled):
    component = fuelled.load(binary("loop"))
    ended = component.instance(InstanceLimits(fuel=1_000_000)).call(
        SEND, [None, (b"",)], Host(), 60_000
    )
    assert (ended.kind, ended.code) == ("fuel", None)


def test_fuel_is_for_each_call_and_a_deadline_counts_beside_it(fuelled):
    instance = fuelled.load(binary("loop")).instance(InstanceLimits(fuel=5_000))
    for _ in range(50):
        assert isinstance(instance.call(REQUEST, [None, ("id", b"x")], Host(), 1000), Returned)
    unlimited = fuelled.load(binary("loop")).instance()
    assert unlimited.call(SEND, [None, (b"",)], Host(), 50).kind == "deadline"


def test_time_in_host_calls_is_not_the_guest_s(guest):
    waited = threading.Event()

    def serve(function, arguments, give):
        waited.wait(0.15)

    instance = guest("counter").instance()
    assert instance.call(SEND, [None, (b"hi",)], Host(serve), 60) == Returned(b"1", (), b"\x80")
    assert instance.guest_ms < 60


def test_whoever_computes_long_is_reported_once(guest):
    told = []
    guest("loop").instance().call(
        SEND, [None, (b"",)], Host(), 200, lambda: told.append(threading.get_ident())
    )
    assert told == [threading.get_ident()]


def test_whoever_computes_shortly_is_not_reported(guest):
    told = []
    guest("counter").instance().call(SEND, [None, (b"",)], Host(), 200, lambda: told.append(1))
    assert told == []


ASKING = """(component
  (import "theater:simple/runtime" (instance $runtime (export "log" (func (param "msg" string)))))
  (core module $libc (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
  (core instance $libc (instantiate $libc))
  (core func $log (canon lower (func $runtime "log") (memory (core memory $libc "memory"))))
  (core module $main
    (import "host" "log" (func $log (param i32 i32)))
    (func (export "ask") (param i32 i32 i32) (result i32)
      (loop $again
        (call $log (i32.const 0) (i32.const 0))
        (br $again))
      unreachable))
  (core instance $main (instantiate $main
    (with "host" (instance (export "log" (func $log))))))
  (type $state (option (list u8)))
  (func (export "ask") (param "state" $state) (result (result (tuple $state) (error string)))
    (canon lift (core func $main "ask") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc")))))"""
"""Asks its host again and again, for as long as it is let."""


def ask(engine, serve, *, recorded, budget_ms, on_busy=None):
    """The outcome, and the instance, of a call that does nothing but ask its host."""
    instance = engine.load(wat(ASKING), recorded=lambda name: recorded).instance()
    return instance.call("$root/ask", [None], Host(serve), budget_ms, on_busy), instance


def compute(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_what_unrecorded_host_calls_compute_counts_as_the_guest_s(engine):
    ended, instance = ask(engine, lambda *_: compute(0.002), recorded=False, budget_ms=60)
    assert (ended.kind, ended.code) == ("deadline", None)
    assert instance.guest_ms < 60


@pytest.mark.parametrize("recorded", [False, True])
def test_waiting_in_host_calls_counts_for_nobody(engine, recorded):
    waits = iter(range(10))

    def serve(function, arguments, give):
        threading.Event().wait(0.03)
        if next(waits, None) is None:
            raise EndCall("events", None, "enough")

    told = []
    ended, _ = ask(engine, serve, recorded=recorded, budget_ms=200, on_busy=lambda: told.append(1))
    assert ended.kind == "events"
    assert told == []


@pytest.mark.parametrize("recorded", [False, True])
def test_whoever_asks_its_host_without_end_is_reported_once(engine, recorded):
    asked, told = [], []

    def serve(function, arguments, give):
        compute(0.001)
        asked.append(len(told))
        if len(asked) == 300:
            raise EndCall("events", None, "enough")

    ended, _ = ask(
        engine, serve, recorded=recorded, budget_ms=60_000, on_busy=lambda: told.append(1)
    )
    assert ended.kind == "events"
    assert told == [1]
    assert asked[-1] == 1


def test_what_on_busy_raises_ends_the_call(guest):
    error = ValueError("no")

    def on_busy():
        raise error

    ended = guest("loop").instance().call(SEND, [None, (b"",)], Host(), 5_000, on_busy)
    assert (ended.kind, ended.cause) == ("host", error)


def test_an_endless_loop_can_be_killed_from_another_thread(guest):
    instance = guest("loop").instance()
    killer = threading.Timer(0.05, instance.kill)
    killer.start()
    ended = instance.call(SEND, [None, (b"",)], Host(), 60_000)
    killer.join()
    assert (ended.kind, ended.code) == ("killed", None)
    assert instance.dead


def test_whoever_is_killed_in_a_host_call_does_not_come_back_from_it(guest):
    instance = guest("counter").instance()
    host = Host(lambda function, arguments, give: instance.kill())
    ended = instance.call(SEND, [None, (b"hi",)], host, 1000)
    assert ended.kind == "killed"
    assert len(host.calls) == 1


def test_whoever_was_killed_before_a_call_does_not_begin_it(guest):
    instance = guest("counter").instance()
    instance.kill()
    host = Host()
    assert instance.call(SEND, [None, (b"hi",)], host, 1000).kind == "killed"
    assert host.calls == []
    assert instance.dead


class Private(BaseException):
    pass


@pytest.mark.parametrize(
    "error, kind, code",
    [
        (GuestTrap("denied", "no grant"), "trap", "denied"),
        (GuestTrap("exit", "bye"), "trap", "exit"),
        (EndCall("events", None, "too many"), "events", None),
        (EndCall("diverged", "x", "elsewhere"), "diverged", "x"),
        (ValueError("a bug"), "host", None),
        (KeyboardInterrupt(), "host", None),
        (SystemExit(3), "host", None),
        (GeneratorExit(), "host", None),
        (Private(), "host", None),
    ],
)
def test_whatever_a_host_function_raises_ends_the_call_and_is_kept(guest, error, kind, code):
    def serve(function, arguments, give):
        raise error

    instance = guest("counter").instance()
    ended = instance.call(SEND, [None, (b"hi",)], Host(serve), 1000)
    assert (ended.kind, ended.code) == (kind, code)
    assert ended.cause is error
    assert instance.dead


@pytest.mark.parametrize("kind", [GuestTrap, EndCall])
def test_what_is_raised_about_a_guest_is_told_in_a_bounded_detail(guest, kind):
    def serve(function, arguments, give):
        if kind is GuestTrap:
            raise GuestTrap("exit", "é" * 100_000)
        raise EndCall("events", None, "é" * 100_000)

    ended = guest("counter").instance().call(SEND, [None, (b"hi",)], Host(serve), 1000)
    assert ended.detail == "é" * 4096


def test_an_error_does_not_surface_in_another_call(guest):
    def serve(function, arguments, give):
        raise ValueError("a bug")

    guest("counter").instance().call(SEND, [None, (b"hi",)], Host(serve), 1000)
    ended = guest("trap").instance().call(SEND, [None, (b"u",)], Host(), 1000)
    assert (ended.kind, ended.code, ended.cause) == ("trap", "unreachable", None)


def test_a_result_that_nobody_asked_for_ends_the_call(guest):
    ended = (
        guest("counter")
        .instance()
        .call(
            SEND, [None, (b"hi",)], Host(lambda function, arguments, give: give("surprise")), 1000
        )
    )
    assert ended.kind == "host"
    assert isinstance(ended.cause, CodecError)


def test_a_result_above_what_the_library_copies_ends_as_result(engine):
    # 40 MB of guest memory that would be 320 MB of values here.
    component = engine.load(
        wat(
            """(component
              (core module $main
                (memory (export "memory") 700)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
                (func (export "many") (param i32 i32 i32) (result i32)
                  (i32.store (i32.const 80) (i32.const 65536))
                  (i32.store (i32.const 84) (i32.const 10000000))
                  (i32.const 64)))
              (core instance $main (instantiate $main))
              (type $state (option (list u8)))
              (func (export "many") (param "state" $state)
                (result (result (tuple $state (list u32)) (error string)))
                (canon lift (core func $main "many") (memory (core memory $main "memory"))
                  (realloc (core func $main "realloc")))))"""
        )
    )
    ended = component.instance().call("$root/many", [None], Host(), 10_000)
    assert (ended.kind, ended.code) == ("result", None)


def test_what_a_guest_names_does_not_blow_up_the_detail(engine):
    name = "n" * 50_000
    component = engine.load(
        wat(
            f"""(component
              (core module $main
                (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
                (func ${name} (export "fall") (param i32 i32 i32) (result i32) unreachable))
              (core instance $main (instantiate $main))
              (type $state (option (list u8)))
              (func (export "fall") (param "state" $state)
                (result (result (tuple $state) (error string)))
                (canon lift (core func $main "fall") (memory (core memory $main "memory"))
                  (realloc (core func $main "realloc")))))"""
        )
    )
    ended = component.instance().call("$root/fall", [None], Host(), 10_000)
    assert (ended.kind, ended.code) == ("trap", "unreachable")
    assert len(ended.detail) <= 4096
