"""Calls that return: states, results, errors, host calls."""

from __future__ import annotations

import pytest

from tests.engine.guests import INIT, LOG, REQUEST, SEND, Host
from theater.engine import GuestError, InstanceLimits, Returned
from theater.errors import CodecError, Conflict, NotFound, UsageError


def test_a_state_goes_in_and_comes_out(guest):
    instance = guest("counter").instance()
    host = Host()
    assert instance.call(INIT, [None, ("me",)], host, 1000) == Returned(b"0", (), b"\x80")
    assert instance.call(SEND, [b"9", (b"hi",)], host, 1000) == Returned(b"10", (), b"\x80")
    answered = instance.call(REQUEST, [b"99", ("id", b"hi")], host, 1000)
    assert answered == Returned(b"100", ((b"100",),), b"\x81\x81\x43100")
    assert instance.calls == 3
    assert not instance.dead


def test_a_host_call_brings_its_arguments_and_their_cbor(guest):
    host = Host()
    guest("counter").instance().call(SEND, [None, ("grüß".encode(),)], host, 1000)
    assert host.calls == [(LOG, ("grüß",), b"\x81\x66" + "grüß".encode())]


def test_no_cbor_is_made_of_functions_that_are_not_recorded(engine):
    from tests.engine.guests import binary

    component = engine.load(binary("counter"), recorded=lambda name: name != LOG)
    assert [function.recorded for function in component.imports] == [False]
    host = Host()
    component.instance().call(SEND, [None, (b"hi",)], host, 1000)
    assert host.calls == [(LOG, ("hi",), b"")]


def test_an_error_of_the_guest_leaves_the_instance_alive(guest):
    instance = guest("counter").instance()
    host = Host()
    assert instance.call(SEND, [b"1", (b"fail",)], host, 1000) == GuestError(
        "failed as it was asked to"
    )
    assert instance.call(SEND, [b"1", (b"hi",)], host, 1000) == Returned(b"2", (), b"\x80")


def test_a_state_may_be_absent_or_empty(guest):
    instance = guest("loop").instance()
    assert instance.call(INIT, [None, ("me",)], Host(), 1000) == Returned(None, (), b"\x80")
    assert instance.call(INIT, [b"", ("me",)], Host(), 1000) == Returned(b"", (), b"\x80")


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 100_000, 1_000_000])
def test_bytes_of_any_size_come_back_as_they_were(guest, size):
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]
    limits = InstanceLimits(memory_bytes=8 << 20)
    outcome = guest("loop").instance(limits).call(REQUEST, [body, ("id", body)], Host(), 60_000)
    assert isinstance(outcome, Returned)
    assert outcome.state == body
    assert outcome.rest == ((body,),)


def test_many_calls_of_one_instance_stay_right(guest):
    instance = guest("counter").instance()
    state: bytes | None = None
    for number in range(1, 2001):
        outcome = instance.call(SEND, [state, (b"x" * (number % 50),)], Host(), 1000)
        assert isinstance(outcome, Returned)
        state = outcome.state
        assert state == str(number).encode()


def test_wrong_arguments_are_refused_before_anything_runs(guest):
    instance = guest("counter").instance()
    host = Host()
    with pytest.raises(CodecError):
        instance.call(SEND, [b"1", ("text",)], host, 1000)
    with pytest.raises(CodecError):
        instance.call(SEND, [b"1"], host, 1000)
    assert host.calls == []
    assert instance.calls == 0
    assert instance.call(SEND, [b"1", (b"hi",)], host, 1000) == Returned(b"2", (), b"\x80")


def test_an_unknown_export_is_not_found(guest):
    with pytest.raises(NotFound):
        guest("counter").instance().call("theater:simple/actor/nothing", [None], Host(), 1000)


def test_an_instance_can_not_be_entered_again_from_its_own_host_call(guest):
    instance = guest("counter").instance()
    seen = []

    def serve(function, arguments, give):
        with pytest.raises(Conflict) as caught:
            instance.call(SEND, [None, (b"again",)], Host(), 1000)
        seen.append(caught.value.code)
        with pytest.raises(Conflict):
            instance.close()

    outcome = instance.call(SEND, [None, (b"hi",)], Host(serve), 1000)
    assert outcome == Returned(b"1", (), b"\x80")
    assert seen == ["instance.busy"]


def test_a_host_call_may_call_another_instance(guest):
    component = guest("counter")
    inner, inner_host = component.instance(), Host()
    outcomes = []

    def serve(function, arguments, give):
        outcomes.append(inner.call(SEND, [b"5", (b"inner",)], inner_host, 1000))

    outer = component.instance().call(SEND, [b"7", (b"outer",)], Host(serve), 1000)
    assert outer == Returned(b"8", (), b"\x80")
    assert outcomes == [Returned(b"6", (), b"\x80")]
    assert [arguments for _, arguments, _ in inner_host.calls] == [("inner",)]


def test_fuel_can_only_be_limited_where_it_is_counted(guest):
    with pytest.raises(UsageError):
        guest("counter").instance(InstanceLimits(fuel=1000))
