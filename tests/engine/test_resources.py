"""Resources of the host: their numbers, their ends."""

from __future__ import annotations

import struct

import pytest

from tests.engine.guests import SEND, Host
from tests.engine.memory import allocated_kib
from theater.engine import Returned, wat
from theater.errors import CodecError
from theater.values.types import OptionOf, Resource

MAKE = "test:things/made@0.1/make"
NUMBER = "test:things/made@0.1/[method]thing.number"
TAKE = "test:things/used@0.1/take"
THING = "test:things/made@0.1/thing"


class Things:
    def __init__(self, back: bool = False) -> None:
        self.last = 0
        self.back = back

    def __call__(self, function, arguments, give):
        match function.name:
            case n if n == MAKE:
                self.last += 1
                give(self.last)
            case n if n == NUMBER:
                give(arguments[0] * 10)
            case n if n == TAKE:
                give(arguments[0] if self.back else None)


def test_a_resource_is_known_under_one_name(guest):
    component = guest("things")
    assert component.resources == (THING,)
    types = {function.name: function.type for function in component.imports}
    assert types[MAKE].result == Resource(THING, owned=True)
    assert types[NUMBER].params == (("self", Resource(THING, owned=False)),)
    assert types[TAKE].result == OptionOf(Resource(THING, owned=True))


def test_a_resource_is_its_number(guest):
    host = Host(Things())
    outcome = guest("things").instance().call(SEND, [None, (b"",)], host, 1000)
    assert isinstance(outcome, Returned), outcome
    assert struct.unpack("<3I", outcome.state) == (10, 20, 30)
    assert [(name, arguments, cbor) for name, arguments, cbor in host.calls if name != MAKE] == [
        (NUMBER, (1,), b"\x81\x01"),
        (NUMBER, (2,), b"\x81\x02"),
        (NUMBER, (3,), b"\x81\x03"),
        (TAKE, (2,), b"\x81\x02"),
    ]
    assert host.dropped == [(THING, 1), (THING, 3)]


def test_what_the_host_gives_back_is_the_guest_s_to_drop(guest):
    host = Host(Things(back=True))
    guest("things").instance().call(SEND, [None, (b"",)], host, 1000)
    assert host.dropped == [(THING, 2), (THING, 1), (THING, 3)]


def test_a_resource_may_outlive_a_call(guest):
    instance = guest("things").instance()
    host = Host(Things())
    for _ in range(2000):
        outcome = instance.call(SEND, [None, (b"",)], host, 1000)
        assert isinstance(outcome, Returned), outcome
    assert isinstance(instance.call(SEND, [None, (b"k",)], host, 1000), Returned)
    assert host.dropped[-1] == (THING, 6001)


def test_resources_that_come_and_go_leave_no_memory_behind(guest):
    instance = guest("things").instance()

    def run(times):
        for _ in range(times):
            host = Host(Things(back=True))
            assert isinstance(instance.call(SEND, [None, (b"",)], host, 1000), Returned)

    run(500)
    before = allocated_kib()
    # Each call makes three handles and passes eight: 32 bytes of one kind would be 100 KiB.
    run(1_000)
    assert allocated_kib() - before < 48


@pytest.mark.parametrize("number", [0, -1, 2**32, "1", None, True])
def test_what_is_no_number_of_a_resource_is_refused(guest, number):
    def serve(function, arguments, give):
        give(number)

    ended = guest("things").instance().call(SEND, [None, (b"",)], Host(serve), 1000)
    assert ended.kind == "host"
    assert isinstance(ended.cause, CodecError)


def test_an_error_while_a_resource_is_dropped_ends_the_call(guest):
    class Dropping(Host):
        def resource_dropped(self, name, number):
            raise KeyError(number)

    instance = guest("things").instance()
    ended = instance.call(SEND, [None, (b"",)], Dropping(Things()), 1000)
    assert (ended.kind, type(ended.cause)) == ("host", KeyError)
    assert instance.dead


OWN_RESOURCE = """(component
  (type $r (resource (rep i32)))
  (core func $new (canon resource.new $r))
  (core module $main
    (import "host" "new" (func $new (param i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
    (func (export "make") (param i32 i32 i32) (result i32)
      (i32.store (i32.const 80) (call $new (i32.const 7)))
      (i32.const 64)))
  (core instance $main (instantiate $main (with "host" (instance (export "new" (func $new))))))
  (type $state (option (list u8)))
  (func $make (param "state" $state) (result (result (tuple $state (own $r)) (error string)))
    (canon lift (core func $main "make") (memory (core memory $main "memory"))
      (realloc (core func $main "realloc"))))
  (component $shown
    (import "r" (type $r (sub resource)))
    (type $state (option (list u8)))
    (import "make" (func $make (param "state" $state)
      (result (result (tuple $state (own $r)) (error string)))))
    (export $named "r" (type $r))
    (export "make" (func $make) (func (param "state" $state)
      (result (result (tuple $state (own $named)) (error string))))))
  (instance $shown (instantiate $shown (with "r" (type $r)) (with "make" (func $make))))
  (export "test:own/makes" (instance $shown)))"""
"""Returns a resource that it has made itself."""


def test_a_resource_of_the_guest_s_own_is_no_result(engine):
    instance = engine.load(wat(OWN_RESOURCE)).instance()
    ended = instance.call("test:own/makes/make", [None], Host(), 1000)
    assert (ended.kind, ended.code, ended.cause) == ("result", None, None)
    assert instance.dead
