"""Values of generated types through memory and through guests, with the codec as judge."""

from __future__ import annotations

import functools
import math
import random
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.echo import echo
from tests.engine.guests import Host
from tests.engine.strategies import random_type, values
from theater.engine import InstanceLimits, Returned, native, wat
from theater.engine.lift import lifter
from theater.engine.lower import lowerer
from theater.errors import CodecError
from theater.values.codec import encode_all, encoder
from theater.values.types import (
    BYTES,
    Case,
    EnumOf,
    Err,
    FlagsOf,
    ListOf,
    Ok,
    OptionOf,
    Prim,
    RecordOf,
    ResultOf,
    Some,
    TupleOf,
    VariantOf,
)

CHOSEN = [
    *Prim,
    BYTES,
    ListOf(Prim.U32),
    OptionOf(Prim.STRING),
    OptionOf(OptionOf(Prim.U8)),
    ResultOf(BYTES, Prim.STRING),
    ResultOf(OptionOf(BYTES), Prim.STRING),
    ResultOf(None, None),
    TupleOf((Prim.STRING, BYTES)),
    RecordOf((("zz", Prim.F32), ("a", BYTES), ("bb", OptionOf(Prim.S16)))),
    VariantOf((("none", None), ("some-bytes", BYTES), ("pair", TupleOf((Prim.S64, Prim.F32))))),
    EnumOf(("one", "two", "three")),
    FlagsOf(("read", "write", "execute")),
]


def _generated(seed: int, count: int) -> list:
    chance = random.Random(seed)
    return [random_type(chance, 3) for _ in range(count)]


TYPES = CHOSEN + _generated(7, 60)


@pytest.fixture(scope="module")
def echoing(engine):
    return engine.load(wat(echo(TYPES))).instance(InstanceLimits(memory_bytes=64 << 20))


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_value_goes_through_a_guest_and_the_host_and_comes_back(echoing, data):
    number = data.draw(st.integers(0, len(TYPES) - 1))
    wit = TYPES[number]
    state = data.draw(st.none() | st.binary(max_size=10))
    value = data.draw(values(wit))
    parts = []

    def serve(function, arguments, give):
        assert function.type.params[1][1] == wit
        parts.append(give(Ok(arguments)))

    host = Host(serve)
    outcome = echoing.call(f"$root/e{number}", [state, value], host, 10_000)
    assert isinstance(outcome, Returned), outcome
    assert outcome.state == state
    expected = encoder(wit)(value)
    assert outcome.rest_cbor == b"\x81" + expected
    assert encoder(wit)(outcome.rest[0]) == expected
    name, arguments, cbor = host.calls[0]
    assert name == f"$root/f{number}"
    assert arguments[0] == state
    both = (OptionOf(BYTES), wit)
    assert cbor == encode_all(both)([state, value])
    kept = ResultOf(TupleOf(both), Prim.STRING)
    assert parts == [encoder(kept)(Ok((state, value)))]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_lowering_and_lifting_in_memory_is_lossless(data):
    chance = random.Random(data.draw(st.integers(0, 2**32)))
    wit = random_type(chance, 4)
    value = data.draw(values(wit))
    slot = native.Buffer(native.VAL_BYTES)
    lowered: list[bytes] = []
    lowerer(wit, {})(slot.address >> 3, value, lowered.append, 0)
    lifted: list[bytes] = []
    back = lifter(wit)(slot.address >> 3, lifted.append, 0)
    native.delete_value(slot.address)
    expected = encoder(wit)(value)
    assert b"".join(lowered) == expected
    assert b"".join(lifted) == expected
    assert encoder(wit)(back) == expected
    assert type(back) is type(value) or isinstance(value, (int, float))


@functools.cache
def _lower(wit):
    return lowerer(wit, {})


@pytest.mark.parametrize(
    "wit, value",
    [
        (Prim.U8, 256),
        (Prim.U8, -1),
        (Prim.S64, 2**63),
        (Prim.U64, True),
        (Prim.BOOL, 1),
        (Prim.F64, 1),
        (Prim.F32, 0.1),
        (Prim.F32, 1e300),
        (Prim.CHAR, "ab"),
        (Prim.CHAR, "\ud800"),
        (Prim.STRING, "\ud800"),
        (Prim.STRING, b"bytes"),
        (BYTES, "text"),
        (BYTES, bytearray(b"x")),
        (ListOf(Prim.STRING), ["a", 1]),
        (TupleOf((Prim.U8, BYTES)), (1,)),
        (RecordOf((("a", Prim.U8), ("b", BYTES))), {"a": 1}),
        (RecordOf((("a", Prim.U8), ("b", BYTES))), {"a": 1, "c": b""}),
        (RecordOf((("a", BYTES), ("b", BYTES))), {"a": b"x" * 5000, "b": 1}),
        (VariantOf((("a", None), ("b", BYTES))), Case("c")),
        (VariantOf((("a", None), ("b", BYTES))), Case("a", 1)),
        (VariantOf((("a", None), ("b", BYTES))), Case("b", 1)),
        (VariantOf((("a", None), ("b", BYTES))), ("b", b"")),
        (EnumOf(("a", "b")), "c"),
        (OptionOf(OptionOf(Prim.U8)), 1),
        (OptionOf(OptionOf(Prim.U8)), Some("x")),
        (ResultOf(Prim.U8, None), Ok()),
        (ResultOf(Prim.U8, None), Err(1)),
        (ResultOf(Prim.U8, None), 1),
        (FlagsOf(("a", "b")), frozenset({"c"})),
        (FlagsOf(("a", "b")), ["a"]),
    ],
)
def test_a_value_of_another_type_is_refused_and_what_was_built_can_be_deleted(wit, value):
    slot = native.Buffer(native.VAL_BYTES)
    with pytest.raises(CodecError):
        _lower(wit)(slot.address >> 3, value, lambda _: None, 0)
    native.delete_value(slot.address)
    with pytest.raises(CodecError):
        encoder(wit)(value)


def test_a_wrong_result_of_a_host_function_ends_the_call(engine):
    instance = engine.load(wat(echo([BYTES]))).instance()
    host = Host(lambda function, arguments, give: give(Ok((b"x" * 2000, 1))))
    ended = instance.call("$root/e0", [None, b"v"], host, 1000)
    assert ended.kind == "host"
    assert isinstance(ended.cause, CodecError)


def test_a_result_that_is_not_given_or_given_twice_ends_the_call(engine):
    component = engine.load(wat(echo([BYTES])))
    ended = component.instance().call("$root/e0", [None, b"v"], Host(), 1000)
    assert (ended.kind, type(ended.cause)) == ("host", CodecError)

    def twice(function, arguments, give):
        give(Ok(arguments))
        give(Ok(arguments))

    ended = component.instance().call("$root/e0", [None, b"v"], Host(twice), 1000)
    assert (ended.kind, type(ended.cause)) == ("host", CodecError)


def test_a_nan_has_one_form_on_both_ways(engine):
    component = engine.load(wat(echo([Prim.F32, Prim.F64])))
    strange = [float.fromhex("nan"), -float("nan")]
    for number in (0, 1):
        for value in strange:
            host = Host(lambda function, arguments, give: give(Ok(arguments)))
            outcome = component.instance().call(f"$root/e{number}", [None, value], host, 1000)
            assert outcome.rest_cbor == b"\x81\xf9\x7e\x00"
            assert host.calls[0][2] == b"\x82\xf6\xf9\x7e\x00"


@pytest.mark.parametrize(
    "wit, kind, bits, canonical",
    [
        (Prim.F32, native.KIND_F32, 0xFFA00001, struct.pack("<f", math.nan)),
        (Prim.F64, native.KIND_F64, 0xFFF0000000000001, struct.pack("<d", math.nan)),
    ],
)
def test_a_guest_s_own_nan_does_not_get_through(wit, kind, bits, canonical):
    slot = native.Buffer(native.VAL_BYTES)
    native.BYTES[slot.address] = kind
    native.WORDS[(slot.address >> 3) + 1] = bits
    value = lifter(wit)(slot.address >> 3, lambda _: None, 0)
    assert struct.pack("<f" if wit is Prim.F32 else "<d", value) == canonical


@pytest.mark.parametrize("wit, word", [(Prim.F32, 0x7FC00000), (Prim.F64, 0x7FF8000000000000)])
def test_a_host_s_nan_reaches_the_guest_in_one_form(wit, word):
    slot = native.Buffer(native.VAL_BYTES)
    strange = struct.unpack("<d", struct.pack("<Q", 0xFFF0000000000001))[0]
    lowerer(wit, {})(slot.address >> 3, strange, lambda _: None, 0)
    assert native.WORDS[(slot.address >> 3) + 1] == word
