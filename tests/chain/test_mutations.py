"""A thousand changes to a realistic chain, each of which must be found, and where it is."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
import pytest

from tests.chain.sample import realistic, relinked
from theater.chain.event import Event
from theater.chain.verify import verify

CHAIN = realistic(40)
HEAD = CHAIN[-1].hash
replace = msgspec.structs.replace


def flip(random_: random.Random, data: bytes) -> bytes:
    """The bytes with one bit changed."""
    changed = bytearray(data)
    changed[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
    return bytes(changed)


def flip_number(random_: random.Random, number: int) -> int:
    return number ^ (1 << random_.randrange(64))


def flip_type(random_: random.Random, type_: str) -> str:
    """The type with one bit of its UTF-8 changed; lone surrogates stand for what is not UTF-8."""
    return flip(random_, type_.encode()).decode(errors="surrogateescape")


Change = Callable[[random.Random, list[Event], int], int]
"""Changes a chain at a place, and returns the place of the first event that does not follow."""


def in_field(name: str, change: Callable[..., object]) -> Change:
    def mutate(random_: random.Random, events: list[Event], at: int) -> int:
        event = events[at]
        events[at] = replace(event, **{name: change(random_, getattr(event, name))})
        return at

    mutate.__name__ = name
    return mutate


def dropped(random_: random.Random, events: list[Event], at: int) -> int:
    del events[at]
    return at


def cut_off(random_: random.Random, events: list[Event], at: int) -> int:
    del events[at:]
    return at


def doubled(random_: random.Random, events: list[Event], at: int) -> int:
    events.insert(at, events[at])
    return at + 1


def swapped(random_: random.Random, events: list[Event], at: int) -> int:
    first, second = sorted(random_.sample(range(len(events)), 2))
    events[first], events[second] = events[second], events[first]
    return first


def added(random_: random.Random, events: list[Event], at: int) -> int:
    """An event of another place, with a number and a parent that fit here, but its own hash."""
    parent = events[at - 1].hash if at else bytes(32)
    events.insert(at, replace(random_.choice(events), seq=at, parent=parent))
    return at + 1 if events[at] == CHAIN[at] else at


def removed_data(random_: random.Random, events: list[Event], at: int) -> int:
    events[at] = replace(events[at], data=None)
    return at


def other_data(random_: random.Random, events: list[Event], at: int) -> int:
    """Data and digest of another event."""
    while (other := random_.choice(events)).data == events[at].data:
        pass
    events[at] = replace(events[at], data=other.data, data_digest=other.data_digest)
    return at


CHANGES: list[Change] = [
    in_field("seq", flip_number),
    in_field("at", flip_number),
    in_field("parent", flip),
    in_field("type", flip_type),
    in_field("data", flip),
    in_field("data_digest", flip),
    in_field("hash", flip),
    dropped,
    cut_off,
    doubled,
    swapped,
    added,
    removed_data,
    other_data,
]


@pytest.mark.parametrize("block", range(10))
def test_each_of_a_hundred_random_changes_is_found_where_it_is(block: int) -> None:
    for seed in range(block * 100, block * 100 + 100):
        random_ = random.Random(seed)
        change = CHANGES[seed % len(CHANGES)]
        events = list(CHAIN)
        place = change(random_, events, random_.randrange(len(events)))
        problem = verify(events, expected_head=HEAD).problem
        assert problem is not None, (seed, change)
        assert problem.seq == place, (seed, change, problem)


@pytest.mark.parametrize("block", range(5))
def test_each_change_that_a_forger_links_again_is_found_with_the_trusted_head(block: int) -> None:
    for seed in range(block * 40, block * 40 + 40):
        random_ = random.Random(seed)
        change = random_.choice([dropped, cut_off, doubled, swapped, other_data])
        events = list(CHAIN)
        change(random_, events, random_.randrange(len(events)))
        problem = verify(relinked(events), expected_head=HEAD).problem
        assert problem is not None, (seed, change)


def test_the_unchanged_chain_has_no_problem() -> None:
    assert verify(CHAIN, expected_head=HEAD).problem is None


def test_the_digest_of_a_redacted_event_still_counts() -> None:
    for seed in range(50):
        random_ = random.Random(seed)
        at = random_.randrange(len(CHAIN))
        events = list(CHAIN)
        digest = flip(random_, events[at].data_digest)
        events[at] = replace(events[at], data=None, data_digest=digest)
        problem = verify(events, strict=False).problem
        assert problem is not None
        assert (problem.seq, problem.reason) == (at, "hash")
