"""Errors to statuses and back: nothing that a program needs is lost on the way."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theater import errors
from theater.errors import ManifestError, Problem, TheaterError
from theater.protocol.errors import ErrorBody, body_of, error_of, status_of


def tree(kind: type[TheaterError]) -> list[type[TheaterError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in tree(child))]


EVERY_KIND = [kind for kind in tree(TheaterError) if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_error_has_a_status_and_comes_back_with_its_code(kind: type[TheaterError]) -> None:
    error = kind("words for people")
    status = status_of(error)
    assert 400 <= status < 600
    back = error_of(status, body_of(error))
    assert (back.code, back.message) == (error.code, error.message)
    assert isinstance(back, kind) or issubclass(kind, type(back))


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.UsageError, 400),
        (errors.ManifestError, 400),
        (errors.Denied, 403),
        (errors.NotFound, 404),
        (errors.Conflict, 409),
        (errors.TooLarge, 413),
        (errors.ActorFailed, 422),
        (errors.IntegrityError, 500),
        (errors.Unavailable, 503),
        (errors.TimedOut, 504),
    ],
)
def test_a_status_says_what_may_be_done_about_it(kind: type[TheaterError], status: int) -> None:
    assert status_of(kind("x")) == status


def test_some_codes_have_a_status_of_their_own() -> None:
    assert status_of(errors.Denied("x", code="token.missing")) == 401
    assert status_of(errors.TimedOut("x", code="mailbox.full")) == 503


def test_the_problems_of_a_manifest_survive_the_way() -> None:
    problems = (Problem(1, 2, "wrong", "right"), Problem(3, 4, "also wrong"))
    back = error_of(400, body_of(ManifestError("2 problems", problems)))
    assert isinstance(back, ManifestError)
    assert back.problems == problems


def test_problems_that_are_none_are_left_out() -> None:
    body = ErrorBody(code="manifest.invalid", message="x", facts={"problems": [{"line": "?"}]})
    back = error_of(400, body)
    assert isinstance(back, ManifestError)
    assert back.problems == ()


facts = st.dictionaries(
    st.sampled_from(["actor", "bound", "seen", "digest"]),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    ),
)


@given(facts)
def test_whatever_the_facts_are_they_can_be_told(given_facts: dict[str, object]) -> None:
    body = body_of(TheaterError("x", **given_facts))
    back = msgspec.json.decode(msgspec.json.encode(body), type=ErrorBody)
    assert back.facts.keys() == given_facts.keys()
