"""Every input that fuzzing kept, through every target, and what becomes of them when bytes change.

Needs no fuzzer: whatever one found once is found here for ever.
"""

from __future__ import annotations

import random
import tracemalloc
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.targets import TARGETS, target
from theater.limits import MIB

CORPUS = Path(__file__).parents[2] / "fuzz" / "corpus"
CORPUS_BYTES_MAX = 1 * MIB
INPUT_BYTES_MAX = 8192
MEMORY_BYTES_MAX = 48 * MIB
"""What reading an input of a few kilobytes may take; the largest thing that is there is a server."""

SLOW = ("request", "connection")
"""Targets whose every input is a whole exchange with a server."""

each_target = pytest.mark.parametrize("name", TARGETS)


@cache
def corpus(name: str) -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in sorted((CORPUS / name).iterdir()))


def test_every_target_has_a_corpus_of_small_files_and_nothing_else_does() -> None:
    assert sorted(path.name for path in CORPUS.iterdir()) == sorted(TARGETS)
    sizes = [len(data) for name in TARGETS for data in corpus(name)]
    assert all(corpus(name) for name in TARGETS)
    assert sum(sizes) < CORPUS_BYTES_MAX
    assert max(sizes) <= INPUT_BYTES_MAX


@each_target
def test_what_was_found_once_is_read_as_it_should_be_in_bounded_memory(name: str) -> None:
    one = target(name)
    one(corpus(name)[0])
    tracemalloc.start()
    try:
        for data in corpus(name):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            one(data)
            assert tracemalloc.get_traced_memory()[1] - before < MEMORY_BYTES_MAX
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in TARGETS if name not in SLOW])
def test_what_is_meant_for_another_reader_is_no_harm(name: str) -> None:
    one = target(name)
    for other in TARGETS:
        for data in corpus(other):
            one(data)


@each_target
@given(st.data())
def test_changed_bytes_are_no_harm(name: str, data: st.DataObject) -> None:
    written = data.draw(st.sampled_from(corpus(name)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(written)))
        cut = data.draw(st.integers(0, 4))
        put = data.draw(st.binary(max_size=4) | st.sampled_from(_pieces(name)))
        written = written[:at] + put + written[at + cut :]
    target(name)(written)


@cache
def _pieces(name: str) -> tuple[bytes, ...]:
    """Parts of other inputs, which know the words of the form."""
    chance = random.Random(name)
    found = []
    for data in corpus(name):
        at = chance.randrange(len(data) + 1)
        found.append(data[at : at + 16])
    return tuple(found)
