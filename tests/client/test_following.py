"""Where a broken stream goes on, and when its reader is told instead."""

from __future__ import annotations

import pytest

from theater.client import following
from theater.client.calls import Call
from theater.client.following import Following, behind_cursor, behind_seq
from theater.errors import IntegrityError, TheaterError, Unavailable

AWAY = Unavailable("nobody answers", code="server.unreachable")


def ask(at: int | str | None, left: int | None) -> Call[None]:
    return Call("GET", f"{at} {left}", lambda _status, _body: None, again=True)


def stream(*, again: bool = True, limit: int | None = None) -> Following:
    return Following(ask, behind_seq, limit=limit, again=again)


def test_it_goes_on_behind_the_last_line() -> None:
    followed = stream(limit=5)
    assert followed.call().path == "None 5"
    followed.opened(None)
    followed.took(b'{"seq":7,"at":1}')
    assert followed.call().path == "8 4"


def test_what_begins_with_now_goes_on_where_it_began() -> None:
    followed = Following(ask, behind_cursor, again=True)
    followed.opened("12.3")
    assert followed.call().path == "12.3 None"
    followed.took(b'{"cursor":"12.4"}')
    followed.opened("12.5")
    assert followed.call().path == "12.4 None"


def test_it_is_done_when_all_lines_came_that_were_asked_for() -> None:
    followed = stream(limit=1)
    assert not followed.done
    followed.took(b'{"seq":0}')
    assert followed.done


def test_waits_grow_up_to_a_bound_and_begin_anew_after_a_sign_of_life() -> None:
    followed = stream()
    followed.opened(None)
    waits = [followed.pause_s(AWAY) for _ in range(10)]
    assert waits == sorted(waits)
    assert waits[0] == following.PAUSE_S
    assert waits[-1] == following.PAUSE_S_MAX
    followed.alive()
    assert followed.pause_s(AWAY) == following.PAUSE_S


def test_a_server_that_stays_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(following.time, "monotonic", lambda: now[0])
    followed = stream()
    followed.opened(None)
    followed.pause_s(AWAY)
    now[0] += following.GIVE_UP_S + 1
    with pytest.raises(Unavailable):
        followed.pause_s(AWAY)


@pytest.mark.parametrize(
    ("again", "begun", "error"),
    [
        (True, False, AWAY),
        (False, True, AWAY),
        (True, True, IntegrityError("event 3 was tampered with")),
    ],
)
def test_what_does_not_pass_or_never_began_is_told_at_once(
    again: bool, begun: bool, error: TheaterError
) -> None:
    followed = stream(again=again)
    if begun:
        followed.opened(None)
    with pytest.raises(type(error)):
        followed.pause_s(error)
