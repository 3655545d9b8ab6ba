"""Grants read, met and recorded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.manifest.grant_types import MessageServerGrant, StoreGrant
from theater.manifest import Disallow, Inherit, Restrict, as_map, effective, of_map
from theater.manifest.table import Table

_NAMES = st.lists(st.sampled_from("abcde"), max_size=4, unique=True).map(tuple)
_GRANTS = st.builds(
    StoreGrant,
    max_bytes=st.integers(0, 9),
    max_labels=st.integers(0, 9),
    shared=st.booleans(),
    labels=st.none() | _NAMES,
    denied=_NAMES,
)


def allowed(grant: StoreGrant) -> tuple[int, int, bool, set[str]]:
    labels = set("abcdefgh") if grant.labels is None else set(grant.labels)
    return grant.max_bytes, grant.max_labels, grant.shared, labels - set(grant.denied)


@given(_GRANTS, _GRANTS)
def test_a_meet_is_never_more_than_either_and_as_much_as_both(left: StoreGrant, right: StoreGrant):
    met, one, other = allowed(left.meet(right)), allowed(left), allowed(right)
    assert met[:2] == (min(one[0], other[0]), min(one[1], other[1]))
    assert met[2] == (one[2] and other[2])
    assert met[3] == one[3] & other[3]


@given(_GRANTS, _GRANTS)
def test_what_was_recorded_is_read_back(one: StoreGrant, other: StoreGrant) -> None:
    held = {"store": one.meet(other)}
    assert of_map({**as_map(held), "unknown": {"x": 1}}, {"store": StoreGrant}) == held


def test_what_can_not_be_read_back_is_an_error() -> None:
    for settings in ({"max_bytes": "many"}, {"labels": 5}):
        with pytest.raises(ValueError, match=r"size|list"):
            of_map({"store": settings}, {"store": StoreGrant})


@given(_GRANTS, _GRANTS, _GRANTS)
def test_meets_are_associative_and_idempotent(a: StoreGrant, b: StoreGrant, c: StoreGrant):
    assert allowed(a.meet(b).meet(c)) == allowed(a.meet(b.meet(c)))
    assert a.meet(a) == a


def test_no_list_means_everything_only_where_the_parent_has_everything():
    assert StoreGrant().meet(StoreGrant()).labels is None
    assert StoreGrant().meet(StoreGrant(labels=("a",))).labels == ("a",)
    assert StoreGrant(labels=()).meet(StoreGrant()).labels == ()


def test_grants_of_two_types_have_no_meet():
    with pytest.raises(TypeError):
        StoreGrant().meet(MessageServerGrant())  # type: ignore[arg-type]


def test_an_actor_without_parent_has_what_it_asks_for():
    own = {"store": StoreGrant()}
    assert effective(own) == own


def test_a_child_has_nothing_that_its_parent_has_not():
    own = {"store": StoreGrant(), "message-server": MessageServerGrant()}
    assert effective(own, {}) == {}
    assert effective(own, {"store": StoreGrant(max_bytes=1)}) == {"store": StoreGrant(max_bytes=1)}


def test_a_policy_narrows_what_children_may_have():
    own = {"store": StoreGrant(max_bytes=9)}
    above = {"store": StoreGrant(max_bytes=8)}
    assert effective(own, above, {"store": Inherit()}) == above
    assert effective(own, above, {"store": Disallow()}) == {}
    narrowed = effective(own, above, {"store": Restrict(StoreGrant(max_bytes=7))})
    assert narrowed == {"store": StoreGrant(max_bytes=7)}


def test_grants_are_recorded_as_plain_maps():
    grants = {"store": StoreGrant(max_bytes=1, denied=("x",))}
    assert as_map(grants) == {
        "store": {
            "max_bytes": 1,
            "max_labels": 100,
            "shared": True,
            "labels": None,
            "denied": ["x"],
        }
    }


def test_settings_are_read_and_what_is_wrong_is_noted():
    table = Table({"max_bytes": "1KiB", "labels": "a", "flavour": 1, "nope": 2, "shared": "yes"})
    grant = StoreGrant.from_settings(table)
    assert (grant.max_bytes, grant.labels, grant.shared) == (1024, ("a",), True)
    assert len(table.problems.found) == 2
    assert len(table.problems.warned) == 1
