"""Actors in JavaScript, built by the real tools."""

from __future__ import annotations

import pytest

from tests.guests.components import Guests
from tests.guests.host import ACTOR, Host, error_of

pytestmark = pytest.mark.slow


def test_the_counter_counts(guests: Guests) -> None:
    host = Host(guests.load("counter-js"))
    host.init()
    assert host.fields() == {"v": 1, "self": ACTOR, "count": 0}
    host.send(2)
    host.renew()
    host.send(3)
    assert host.request(None) == {"count": 5}
    assert host.log == ["counted to 2", "counted to 5"]
    assert error_of(host.send(b"\xff")).startswith("BadMessage: not JSON")
