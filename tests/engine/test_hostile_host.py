"""Host functions that misbehave: whatever they give or raise, the call ends, and nothing else does.

A handler's mistake must be told as one (kind `host`); it may not reach the library's memory, where
it would end the process or another actor's call.
"""

from __future__ import annotations

from collections import UserDict, UserList

import pytest

from tests.engine.echo import echo
from tests.engine.guests import SEND, Host
from tests.engine.memory import allocated_kib
from tests.engine.test_conversion import TYPES
from theater.engine import EndCall, Ended, GuestTrap, InstanceLimits, Returned, native, wat
from theater.engine.lower import lowerer
from theater.errors import CodecError
from theater.limits import MIB
from theater.values.codec import encoder
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
    Some,
    TupleOf,
)


class Text(str):
    """A text that lies about its bytes."""

    def encode(self, *_):
        return None

    def __len__(self):
        return 100_000


class Numbers(list):
    """A list that has more items when it is read than when it is counted."""

    def __iter__(self):
        return iter([1] * 50_000)


class Fewer(list):
    """A list that has no items when it is read."""

    def __iter__(self):
        return iter([])

    def __len__(self):
        return 50_000


class Everything(frozenset):
    """A set that says of everything that it is in it."""

    def __contains__(self, _):
        return True

    def __le__(self, _):
        return True


class Pretender:
    """An object that says of itself that it is a list."""

    __class__ = list  # type: ignore[assignment]


class Sulking(Exception):
    def __str__(self):
        raise RuntimeError("won't say")


class SulkingTrap(GuestTrap):
    @property
    def code(self):
        raise RuntimeError("won't say")

    @code.setter
    def code(self, _):
        pass


class NoText(EndCall):
    __str__ = len  # type: ignore[assignment]


WRONG = [
    None, True, 0, -1, 2**64, 10**5000, 0.0, 1e300, "", "a", "\ud800", "n" * 100_000, b"", b"x",
    bytearray(b"x"), memoryview(b"x"), (), [], [None], [1, "a", b"b"], {}, {"a": 1}, {1: 2}, set(),
    frozenset({"read"}), {"nothing"}, object(), Ellipsis, int, len, Case("a"), Case("none", 1),
    Case(1, 2), Case(None), Ok(), Ok(Ok()), Err(), Err(1.5), Some(None), Some(Some(1)), 1j, range(3),
    iter([]), UserList([1]), UserDict(a=1), Text("one"), Numbers([1]), Fewer([1]), Everything(),
    Pretender(), Exception("as a value"),
]  # fmt: skip
"""What no handler should give, and some of what it may."""


def _taken(convert):
    try:
        return convert()
    except CodecError:
        return None


@pytest.mark.parametrize("number", range(len(TYPES)))
def test_the_engine_takes_a_value_exactly_if_the_codec_does(number):
    wit = TYPES[number]
    lower, write = lowerer(wit, {}), encoder(wit)
    for value in WRONG:
        if isinstance(value, (Numbers, Fewer, Everything, Pretender, Text)):
            continue  # these say something else each time they are asked
        slot = native.Buffer(native.VAL_BYTES)
        parts: list[bytes] = []

        def convert(slot=slot, value=value, parts=parts):
            lower(slot.address >> 3, value, parts.append, 0)
            return b"".join(parts)

        lowered = _taken(convert)
        native.delete_value(slot.address)
        assert lowered == _taken(lambda value=value: write(value)), value


RESULTS = [
    Prim.U8, Prim.F32, Prim.CHAR, Prim.STRING, BYTES, ListOf(Prim.U32), ListOf(Prim.STRING),
    TupleOf((Prim.U8, Prim.BOOL)), RecordOf((("a", Prim.BOOL), ("b", Prim.U8))),
    OptionOf(OptionOf(Prim.U8)), EnumOf(("one", "two")), FlagsOf(("read", "write")),
    ListOf(RecordOf((("a", Prim.U8),))),
]  # fmt: skip


@pytest.fixture(scope="module")
def echoing(engine):
    return engine.load(wat(echo(RESULTS)))


VALID = [
    1,
    0.5,
    "c",
    "text",
    b"b",
    [1],
    ["t"],
    (1, True),
    {"a": True, "b": 1},
    None,
    "one",
    set(),
    [],
]


@pytest.mark.parametrize("number", range(len(RESULTS)))
def test_whatever_a_handler_gives_the_call_returns_or_ends_as_the_host_s_fault(echoing, number):
    instance = echoing.instance(InstanceLimits(memory_bytes=64 * MIB))
    ends = []
    for wrong in WRONG:
        outcome = instance.call(
            f"$root/e{number}",
            [None, VALID[number]],
            Host(lambda function, arguments, give, wrong=wrong: give(Ok((None, wrong)))),
            10_000,
        )
        if isinstance(outcome, Ended):
            assert outcome.kind == "host", (wrong, outcome)
            ends.append(outcome)
            instance = echoing.instance(InstanceLimits(memory_bytes=64 * MIB))
        else:
            assert isinstance(outcome, Returned)
    assert len(ends) > len(WRONG) / 2
    outcome = instance.call(
        f"$root/e{number}",
        [None, VALID[number]],
        Host(lambda function, arguments, give: give(Ok(arguments))),
        10_000,
    )
    assert isinstance(outcome, Returned)


@pytest.mark.parametrize("error", [Sulking(), SulkingTrap("x", "y"), NoText("events", None, "z")])
def test_an_exception_that_can_not_be_told_ends_the_call_and_is_kept(guest, error):
    def serve(function, arguments, give):
        raise error

    ended = guest("counter").instance().call(SEND, [None, (b"hi",)], Host(serve), 1000)
    assert (ended.kind, ended.code, ended.cause) == ("host", None, error)


def test_a_refused_result_is_not_forgotten_when_the_handler_forgets_it(echoing):
    number = RESULTS.index(TupleOf((Prim.U8, Prim.BOOL)))
    refused = []

    def serve(function, arguments, give):
        # What is built before the refusal is a whole value of this type: (1, false).
        for value in ((1, "x"), (1, True)):
            try:
                give(Ok((None, value)))
            except CodecError as error:
                refused.append(error)

    ended = echoing.instance().call(f"$root/e{number}", [None, (5, True)], Host(serve), 1000)
    assert len(refused) == 2
    assert (ended.kind, type(ended.cause)) == ("host", CodecError)


@pytest.mark.parametrize("raising", [False, True])
def test_a_result_that_comes_after_its_call_is_refused(echoing, raising):
    number = RESULTS.index(ListOf(Prim.U32))
    kept = []

    def serve(function, arguments, give):
        kept.append(give)
        if raising:
            raise GuestTrap("denied", "no")
        give(Ok(arguments))

    instance = echoing.instance()
    instance.call(f"$root/e{number}", [None, [1]], Host(serve), 1000)
    with pytest.raises(CodecError):
        kept[0](Ok((None, [2] * 1000)))


@pytest.mark.parametrize("change", [lambda items: items * 1000, lambda items: []])
def test_a_list_that_changes_while_it_is_read_passes_as_it_was(echoing, change):
    number = RESULTS.index(ListOf(RecordOf((("a", Prim.U8),))))
    items: list[dict[str, int]] = []

    class Changing(dict):
        def __contains__(self, name):
            items[:] = change([{"a": 9}])
            return super().__contains__(name)

    items.extend([Changing(a=1), {"a": 2}, {"a": 3}])
    host = Host(lambda function, arguments, give: give(Ok((None, items))))
    outcome = echoing.instance().call(f"$root/e{number}", [None, []], host, 1000)
    assert isinstance(outcome, Returned), outcome
    assert outcome.rest == ([{"a": 1}, {"a": 2}, {"a": 3}],)


MARGIN_KIB = 64
"""What 500 calls may add; the library's error of each alone would be 850."""


def test_calls_that_the_host_ends_leave_no_memory_behind(guest):
    component = guest("counter")

    def serve(function, arguments, give):
        raise ValueError("a bug")

    def run(times):
        for _ in range(times):
            ended = component.instance().call(SEND, [None, (b"hi",)], Host(serve), 1000)
            assert ended.kind == "host"

    run(100)
    before = allocated_kib()
    run(500)
    assert allocated_kib() - before < MARGIN_KIB
