"""The events of all chains in one order: what every journal must do, whatever it stands on."""

from __future__ import annotations

from pathlib import Path

from tests.contract.conftest import A, Open, settled, with_chain
from tests.journal.making import Maker, actor_row
from theater.journal.port import Journal
from theater.journal.sqlite import SqliteJournal


def test_the_tail_has_every_chain_in_its_order_from_any_position_on(opening: Open) -> None:
    journal = opening()
    maker = Maker()
    for number in range(3):
        journal.append((maker.actor(number),))
    for n in range(900):
        journal.append((maker.event(actor_row(n % 3).id),))
        if n % 200 == 0:
            settled(journal)
    settled(journal)
    found = list(journal.tail())
    for number in range(3):
        actor = actor_row(number).id
        assert [event for _, its, event in found if its == actor] == list(journal.events(actor))
    positions = [position for position, _, _ in found]
    assert positions == sorted(set(positions))
    for at in (0, 1, 255, 256, 600, 898, 899):
        assert list(journal.tail(positions[at])) == found[at + 1 :]
        assert list(journal.tail(positions[at], 7)) == found[at + 1 : at + 8]
    assert list(journal.tail(journal.tail_end())) == []


def test_the_tails_end_is_before_all_that_comes(journal: Journal) -> None:
    assert list(journal.tail(journal.tail_end())) == []
    maker = with_chain(journal, 5)
    end = journal.tail_end()
    assert max(position for position, _, _ in journal.tail()) <= end
    step = maker.event(A)
    journal.append((step,))
    settled(journal)
    assert [(actor, event) for _, actor, event in journal.tail(end)] == [(A, step.event)]


def test_a_position_holds_across_a_restart(tmp_path: Path) -> None:
    journal: Journal = SqliteJournal.open(tmp_path / "data")
    with_chain(journal, 300)
    found = list(journal.tail())
    journal.close()
    journal = SqliteJournal.open(tmp_path / "data")
    assert list(journal.tail(found[150][0])) == found[151:]
    journal.close()
