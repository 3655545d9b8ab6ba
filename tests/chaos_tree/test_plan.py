"""The plan is a function of its seed, and has every kind of fault in every deal."""

from __future__ import annotations

from itertools import islice

import pytest

from tests.chaos_tree.plan import DEAL, DEAL_SIZE, ROOT, STRATEGIES, Fault, Plan

DEALS = 40


@pytest.mark.parametrize("seed", [1, 2, 7])
def test_the_same_seed_gives_the_same_tree_and_the_same_faults(seed: int) -> None:
    one, other = Plan(seed), Plan(seed)
    assert one.members == other.members
    faults = list(islice(one.faults(), DEALS * DEAL_SIZE))
    assert faults == list(islice(other.faults(), DEALS * DEAL_SIZE))
    assert faults == list(islice(one.faults(), DEALS * DEAL_SIZE))
    assert [fault.number for fault in faults] == list(range(DEALS * DEAL_SIZE))


def test_other_seeds_give_other_faults() -> None:
    sequences = {tuple(islice(Plan(seed).faults(), DEAL_SIZE)) for seed in range(20)}
    assert len(sequences) == 20


def test_every_deal_has_every_kind() -> None:
    first, *faults = islice(Plan(3).faults(), 1 + DEALS * DEAL_SIZE)
    assert first.kind is Fault.CRASH
    for start in range(0, len(faults), DEAL_SIZE):
        kinds = [fault.kind for fault in faults[start : start + DEAL_SIZE]]
        assert {kind: kinds.count(kind) for kind in Fault} == DEAL


def test_a_thousand_actors_stand_in_three_levels_with_everything_mixed() -> None:
    plan = Plan(1)
    members = plan.members.values()
    assert len(members) == 1000
    assert {each.parent for each in members} == {None, ROOT, *plan.branches}
    branches = [plan.members[name] for name in plan.branches]
    leaves = [plan.members[name] for name in plan.leaves]
    assert {each.strategy for each in branches} == set(STRATEGIES)
    assert {each.restart for each in leaves} == {"permanent", "transient", "temporary"}
    assert {each.restart_state for each in leaves} == {"last", "initial"}
    assert {each.restart_state for each in branches} == {"last", "initial"}
    assert [each.language for each in leaves].count("python") == 30
    assert all(plan.members[each.parent] for each in leaves if each.parent is not None)
