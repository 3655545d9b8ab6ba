"""Every kind of WIT value on every way through the engine, with the bridge, without it, and stock.

The host function answers with another value than it got, so that each way is judged by itself: by
the codec, which knows nothing of memory, and by the binding's conversion on the same component
where that can be right.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.echo import BORROW, OWN, back, echo, parts
from tests.engine.generated import all_types, plain_types, random_value, same
from tests.engine.guests import Host
from tests.engine.interface_echo import GUEST, interface_echo
from tests.engine.kinds import KINDS, Histogram, Way
from tests.engine.stock import StockEcho, misled, returns
from theater.engine import Engine, GuestError, Instance, InstanceLimits, Returned, wat
from theater.errors import ComponentError
from theater.limits import MIB
from theater.values.codec import encode_all, encoder
from theater.values.types import STATE, Err, FlagsOf, Ok, WitType

pytestmark = pytest.mark.slow

ROUNDS = 4
LIMITS = InstanceLimits(memory_bytes=64 * MIB)


def check(
    instance: Instance,
    interface: str,
    number: int,
    wit: WitType,
    state: bytes | None,
    value: object,
    result: Ok | Err,
    histogram: Histogram,
) -> None:
    """Pass a value in and another one out, and count both once they are seen to be right."""
    given = []
    host = Host(lambda function, arguments, give: given.append(give(result)))
    outcome = instance.call(f"{interface}/e{number}", [state, value], host, 60_000)

    ((_, arguments, cbor),) = host.calls
    assert same(arguments, (state, value)), wit
    assert cbor == encode_all((STATE, wit))((state, value))
    histogram.add(wit, value, Way.PARAMETER)
    histogram.add(wit, value, Way.ARGUMENT)

    assert given == [encoder(returns(wit))(result)]
    if isinstance(result, Err):
        assert outcome == GuestError(result.value)
        return
    assert isinstance(outcome, Returned), outcome
    new_state, answer = result.value
    assert outcome.state == new_state
    assert same(outcome.rest, (answer,)), wit
    assert outcome.rest_cbor == encode_all((back(wit),))((answer,))
    histogram.add(back(wit), answer, Way.ANSWER)
    histogram.add(back(wit), answer, Way.RESULT)


class Things:
    """Numbers for resources, each only once."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def __call__(self) -> int:
        return next(self._numbers)


def rounds(
    types: list[WitType], seed: int
) -> Iterator[tuple[int, WitType, bytes | None, object, Ok | Err]]:
    """(number, type, state, value, what the host function returns)."""
    chance = random.Random(seed)
    thing = Things()
    states = [None, b"", b"\0\xff state", b"s" * 500]
    for _, (number, wit) in itertools.product(range(ROUNDS), enumerate(types)):
        value = random_value(chance, wit, thing)
        result = Ok((chance.choice(states), random_value(chance, back(wit), thing)))
        failed = chance.random() < 0.05
        yield number, wit, chance.choice(states), value, Err("ñ €") if failed else result


@pytest.mark.parametrize("bridge", [True, False])
def test_every_kind_goes_every_way_with_and_without_the_bridge(
    artifacts: Path, bridge: bool
) -> None:
    types = plain_types(21, 40)
    histogram = Histogram()
    with Engine(artifacts, bridge=bridge) as engine:
        component = engine.load(wat(interface_echo(types)))
        assert component.bridged is bridge
        instance = component.instance(LIMITS)
        for each in rounds(types, 22):
            check(instance, GUEST, *each, histogram)
    print(histogram)
    assert histogram.unknown() == set()
    assert {kind for kind, _ in histogram.missing()} == {"own", "borrow"}


def test_every_kind_goes_every_way_as_the_binding_has_it_where_it_can(engine: Engine) -> None:
    types = all_types(23, 60)
    wasm = wat(echo(types))
    instance, stock = engine.load(wasm).instance(LIMITS), StockEcho(wasm, types)
    histogram, compared = Histogram(), Histogram()
    for number, wit, state, value, result in rounds(types, 24):
        check(instance, "$root", number, wit, state, value, result, histogram)
        if misled(wit):
            continue
        seen, returned = stock.call(number, state, value, result)
        assert encode_all((STATE, wit))(seen) == encode_all((STATE, wit))((state, value)), wit
        assert encoder(returns(wit))(returned) == encoder(returns(wit))(result), wit
        compared.add(wit, value, Way.PARAMETER)
        compared.add(wit, value, Way.ARGUMENT)
        if isinstance(result, Ok):
            compared.add(back(wit), result.value[1], Way.ANSWER)
            compared.add(back(wit), result.value[1], Way.RESULT)
    print(f"{histogram}\n\ncompared with the binding\n{compared}")
    for each in (histogram, compared):
        assert each.unknown() == set()
        assert each.missing() == []


def test_the_histogram_sees_what_is_missing() -> None:
    histogram = Histogram()
    assert len(histogram.missing()) == len(KINDS) * 4 - 2
    histogram.add(BORROW, 1, Way.RESULT)
    assert histogram.unknown() == {("borrow", Way.RESULT)}
    histogram.add(OWN, 1, Way.RESULT)
    assert ("own", Way.RESULT) not in histogram.missing()
    assert ("own", Way.ANSWER) in histogram.missing()


def test_the_types_are_nested_and_all_are_echoed() -> None:
    types = all_types(23, 60)
    assert max(len(parts(wit)) for wit in types) > 20
    assert sum(misled(wit) for wit in types) > 3


@pytest.mark.parametrize("count", [33, 64])
def test_more_flags_than_the_canonical_abi_has_are_refused_by_name(
    engine: Engine, count: int
) -> None:
    with pytest.raises(ComponentError, match="32 flags"):
        engine.load(wat(echo([FlagsOf(tuple(f"flag{number}" for number in range(count)))])))
