"""What every journal must do with waits, and with registered names that they may be for."""

from __future__ import annotations

from msgspec.structs import replace

from tests.contract.conftest import A, settled
from tests.journal.making import answer
from theater.journal.port import Journal
from theater.journal.records import CloseWait, GiveAnswer, OpenWait, RegisterName, ReleaseName


def test_the_first_answer_to_a_wait_counts(journal: Journal) -> None:
    wait = OpenWait("w", A, 3, 1, 99, bytes(32))
    journal.append((wait,))
    settled(journal)
    assert journal.wait_row("w") == (wait, None)
    journal.append((GiveAnswer("w", answer(1)),))
    journal.append((GiveAnswer("w", answer(2)),))
    settled(journal)
    journal.append((GiveAnswer("w", answer(4)),))
    settled(journal)
    assert journal.wait_row("w") == (wait, answer(1))
    assert list(journal.waits(A)) == [(wait, answer(1))]
    assert list(journal.waits("nobody")) == []


def test_an_answer_to_a_closed_wait_is_nothing(journal: Journal) -> None:
    journal.append((OpenWait("w", A, 3, 1, 99, bytes(32)),))
    settled(journal)
    journal.append((CloseWait("w"),))
    journal.append((GiveAnswer("w", answer(1)),))
    settled(journal)
    assert journal.wait_row("w") is None
    again = OpenWait("w", A, 4, 1, 99, bytes(32))
    journal.append((again,))
    settled(journal)
    assert journal.wait_row("w") == (again, None)


def test_a_wait_for_a_name_keeps_whom_the_name_meant_until_it_is_closed(journal: Journal) -> None:
    wait = OpenWait("w", A, 3, 1, 99, bytes(32), "meant then")
    journal.append((wait,))
    settled(journal)
    assert journal.wait_row("w") == (wait, None)
    journal.append((CloseWait("w"), replace(wait, due_us=100)))
    journal.append((GiveAnswer("w", answer(1)),))
    settled(journal)
    assert list(journal.waits(A)) == [(replace(wait, due_us=100), answer(1))]
    journal.append((CloseWait("w"),))
    settled(journal)
    again = OpenWait("w", A, 4, 1, 99, bytes(32))
    journal.append((again,))
    settled(journal)
    assert journal.wait_row("w") == (again, None)


def test_a_name_has_the_holder_who_took_it_last_until_it_is_released(journal: Journal) -> None:
    journal.append((RegisterName("clerk", A), RegisterName("teller", A)))
    settled(journal)
    assert dict(journal.names()) == {"clerk": A, "teller": A}
    journal.append((ReleaseName("clerk"), ReleaseName("nobody")))
    journal.append((RegisterName("clerk", "another"),))
    journal.append((RegisterName("short", A), ReleaseName("short")))
    settled(journal)
    assert dict(journal.names()) == {"clerk": "another", "teller": A}
    journal.append((ReleaseName("clerk"),))
    journal.append((ReleaseName("teller"),))
    settled(journal)
    assert dict(journal.names()) == {}
