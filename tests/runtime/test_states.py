"""The table of states and moves, every pair of it against the table that is written out here."""

from __future__ import annotations

from typing import get_args

import pytest

from theater.errors import Conflict
from theater.journal.records import ActorStatus
from theater.runtime import states
from theater.runtime.states import By, Move

ALLOWED = """
                starting   running    paused     stopping   stopped    failed
start           running    -          -          stopping   -          -
pause           -          paused     paused     -          -          -
resume          -          running    running    -          -          -
stop            stopping   stopping   stopping   stopping   stopped    failed
end             -          -          -          stopped    -          -
shut down       -          stopped    -          stopped    -          -
fail            failed     failed     failed     failed     -          -
restart         -          starting   starting   -          -          starting
keep            -          running    running    -          -          running
update          -          running    running    -          -          running
restart again   starting   -          -          -          -          -
"""
MAKERS = {
    Move.STARTED: {By.ACTOR},
    Move.PAUSE: {By.OPERATOR},
    Move.RESUME: {By.OPERATOR},
    Move.STOP: {By.OPERATOR, By.PARENT, By.SUPERVISOR},
    Move.END: {By.OPERATOR, By.PARENT, By.SUPERVISOR},
    Move.SHUTDOWN: {By.ACTOR},
    Move.FAIL: {By.NODE, By.SUPERVISOR},
    Move.RESTART: {By.OPERATOR, By.PARENT, By.SUPERVISOR},
    Move.RENEW: {By.OPERATOR},
    Move.UPDATE: {By.OPERATOR},
    Move.RETRY: {By.SUPERVISOR},
}
STATES: tuple[ActorStatus, ...] = get_args(ActorStatus)


def written_out() -> dict[tuple[str, str], str]:
    head, *lines = ALLOWED.strip("\n").splitlines()
    columns = head.split()
    found = {}
    for line in lines:
        move = line[:16].strip()
        for state, cell in zip(columns, line[16:].split(), strict=True):
            found[state, move] = cell
    return found


def test_the_table_here_has_every_state_and_every_move() -> None:
    assert {state for state, _ in written_out()} == set(STATES)
    assert len(written_out()) == len(STATES) * len(Move)
    assert set(MAKERS) == set(Move)


@pytest.mark.parametrize("move", Move)
@pytest.mark.parametrize("state", STATES)
def test_a_move_leads_where_the_table_says_or_is_refused(state: ActorStatus, move: Move) -> None:
    name = "keep" if move is Move.RENEW else move.value
    expected = written_out()[state, name]
    if expected == "-":
        with pytest.raises(Conflict) as refused:
            states.after(state, move, next(iter(MAKERS[move])))
        assert refused.value.code == (
            "actor.ended" if state in ("stopped", "failed") else f"actor.{state}"
        )
    else:
        assert states.after(state, move, next(iter(MAKERS[move]))) == expected


@pytest.mark.parametrize("by", By)
@pytest.mark.parametrize("move", Move)
def test_a_move_is_made_by_those_who_may_make_it(move: Move, by: By) -> None:
    assert (by in states.TABLE[move].by) == (by in MAKERS[move])
    if by not in MAKERS[move]:
        with pytest.raises(AssertionError):
            states.after("running", move, by)


def test_nothing_leads_out_of_stopped() -> None:
    for rule in states.TABLE.values():
        assert rule.leads.get("stopped") in (None, "stopped")
