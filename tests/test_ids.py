"""How ids are spelled, and what is taken for one."""

from __future__ import annotations

import pytest

from theater import ids

PLACE = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("text", [f"00-{PLACE}", f"01-{PLACE}", f"fe-{PLACE}-and-more"])
def test_a_place_in_a_trace_is_kept_in_the_spelling_of_the_first_version(text: str) -> None:
    assert ids.traceparent(text) == f"00-{PLACE}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        PLACE,
        f"ff-{PLACE}",
        f"00-{PLACE}-more",
        f"01-{PLACE}more",
        f"00-{PLACE}\n",
        f"00-{PLACE.upper()}",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
        f"00-{PLACE.replace('4bf9', '４bf9')}",
        "x" * 100_000,
    ],
)
def test_what_is_no_place_in_a_trace_is_none(text: str) -> None:
    assert ids.traceparent(text) is None
