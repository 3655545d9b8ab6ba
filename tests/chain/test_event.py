"""The event's hash covers every field, in the order that the format says."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theater.chain.content import content_digest, content_ref, plain_digest
from theater.chain.event import ZERO_HASH, event_hash, make_event
from theater.chain.rules import RandomStream, derive

U64 = st.integers(0, 2**64 - 1)
DIGESTS = st.binary(min_size=32, max_size=32)
TYPES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


@given(U64, U64, DIGESTS, TYPES, st.binary(max_size=100))
def test_the_hash_is_the_one_that_the_format_spells_out(
    seq: int, at: int, parent: bytes, type_: str, data: bytes
) -> None:
    name = type_.encode()
    event = make_event(seq, at, parent, type_, data)
    preimage = (
        b"theater.event.v1"
        + seq.to_bytes(8, "big")
        + at.to_bytes(8, "big")
        + parent
        + bytes([len(name)])
        + name
        + sha256(data).digest()
    )
    assert event.hash == sha256(preimage).digest()
    assert event.data_digest == sha256(data).digest()


def test_a_moved_border_between_type_and_digest_is_another_hash() -> None:
    digest = bytes(range(32))
    one = event_hash(0, 0, ZERO_HASH, b"ab", digest)
    assert one != event_hash(0, 0, ZERO_HASH, b"a", digest)
    assert one != event_hash(0, 0, ZERO_HASH, b"ab\x00", digest)


def test_events_are_values() -> None:
    event = make_event(0, 1, ZERO_HASH, "a", b"d")
    assert event == make_event(0, 1, ZERO_HASH, "a", b"d")
    assert len({event, make_event(0, 1, ZERO_HASH, "a", b"d")}) == 1
    with pytest.raises(AttributeError):
        event.seq = 1  # type: ignore[misc]


@given(st.binary(min_size=16, max_size=16), st.binary(max_size=300))
def test_content_is_named_by_its_salted_hash(salt: bytes, data: bytes) -> None:
    digest = sha256(b"theater.content.v1" + salt + data).digest()
    assert content_digest(salt, data) == digest
    assert content_ref(salt, data) == (digest, len(data))
    assert plain_digest(data) == sha256(data).digest()


def test_a_salt_of_another_length_is_refused() -> None:
    for length in (0, 15, 17):
        with pytest.raises(ValueError, match="16 bytes"):
            content_digest(bytes(length), b"data")


@given(st.binary(min_size=16, max_size=16), st.lists(st.integers(0, 100), max_size=20))
def test_random_bytes_are_the_blocks_of_the_rules_taken_without_gaps(
    entropy: bytes, lengths: list[int]
) -> None:
    stream = RandomStream(entropy)
    taken = b"".join(stream.take(length) for length in lengths)
    blocks = b"".join(
        sha256(b"theater.random.v1" + entropy + block.to_bytes(8, "big")).digest()
        for block in range(-(-sum(lengths) // 32))
    )
    assert taken == blocks[: sum(lengths)]
    assert [len(RandomStream(entropy).take(length)) for length in lengths] == lengths


def test_a_derived_id_is_the_hash_of_its_place() -> None:
    place = b"theater.id.v1" + b"actor" + (7).to_bytes(8, "big") + (2).to_bytes(8, "big")
    assert derive("actor", 7, 2) == sha256(place).digest()
    assert len({derive("a", 1, 2), derive("a", 2, 1), derive("b", 1, 2), derive("a", 1, 3)}) == 4
