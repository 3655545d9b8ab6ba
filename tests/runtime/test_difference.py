"""What people are shown of two values that differ: never long, never an error, and not the same twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from theater.limits import DIFFERENCE_BYTES_MAX, DIFFERENCE_CHARS_MAX
from theater.runtime import difference
from theater.values import cbor

SHOWN_MAX = DIFFERENCE_CHARS_MAX + 2


class Nothing:
    """A source without content."""

    def content(self, digest: bytes) -> tuple[bytes | None, bytes] | None:
        return None


@given(st.binary(), st.binary())
def test_whatever_the_bytes_are_both_are_shown_and_short(recorded: bytes, actual: bytes) -> None:
    for text in difference.of_values(recorded, actual, Nothing()):
        assert len(text) <= SHOWN_MAX
    assert len(difference.of_value(actual)) <= SHOWN_MAX


@given(st.text(max_size=600), st.text(max_size=600), st.text(max_size=600))
def test_texts_that_differ_are_shown_where_they_differ(
    before: str, recorded: str, actual: str
) -> None:
    one, two = difference.of_values(
        cbor.encode([before + recorded]), cbor.encode([before + actual]), Nothing()
    )
    assert (one == two) == (recorded == actual)


def test_bytes_are_shown_as_the_text_that_they_are_or_by_their_digest() -> None:
    one, two = difference.of_values(cbor.encode([b"text"]), cbor.encode([b"\xff"]), Nothing())
    assert one == '["text"]'
    assert two.startswith('["1 bytes with the SHA-256 a8100ae6aa1940d0')
    large = bytes(DIFFERENCE_BYTES_MAX + 1)
    assert difference.of_value(large).startswith(f"{len(large)} bytes with the SHA-256 ")


def test_a_state_that_is_gone_or_none_is_told_as_that() -> None:
    assert difference.of_states(None, b"x", Nothing()) == ("none", "x")
    assert difference.of_states((bytes(32), 7), None, Nothing()) == (
        "7 bytes that are gone",
        "none",
    )
