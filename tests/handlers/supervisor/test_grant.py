"""How many children an actor may have."""

from __future__ import annotations

from theater.handlers.supervisor.grant import SupervisorGrant
from theater.limits import CHILDREN, CHILDREN_CEILING
from theater.manifest.grants import as_map, of_map
from theater.manifest.table import Table


def test_a_thousand_unless_it_is_said_and_never_above_the_ceiling() -> None:
    assert SupervisorGrant().max_children == CHILDREN == 1_000
    table = Table({"max_children": CHILDREN_CEILING + 1})
    SupervisorGrant.from_settings(table)
    assert table.problems.found


def test_a_child_has_no_more_than_its_parent() -> None:
    assert SupervisorGrant(5).meet(SupervisorGrant(3)).max_children == 3


def test_what_was_recorded_is_read_back() -> None:
    held = {"supervisor": SupervisorGrant(7)}
    assert of_map({**as_map(held), "unknown": {}}, {"supervisor": SupervisorGrant}) == held
