"""What every SDK makes of the conformance actor, which is written once in each language."""

from __future__ import annotations

import json

import pytest

from tests.guests.components import Guests
from tests.guests.host import ACTOR, Host, refused
from theater.engine import Returned
from theater.values.types import Ok

pytestmark = pytest.mark.slow

OTHER = "00000000-0000-4000-8000-000000000002"
MESSAGES = "theater:simple/message-server-host"
NAMES = "theater:agent/registry@0.1"
ACTORS = ("conformance", "conformance-js", "conformance-sm")


@pytest.fixture(params=ACTORS)
def host(request: pytest.FixtureRequest, guests: Guests) -> Host:
    made = Host(guests.load(request.param))
    assert isinstance(made.init(), Returned)
    return made


def test_a_state_of_an_older_version_is_migrated(host: Host) -> None:
    host.state = json.dumps({"v": 1, "self": ACTOR, "lines": ["old"]}).encode()
    assert host.request({"do": "recall"}) == ["migrated from 1", "old"]
    host.request({"do": "note", "text": "new"})
    assert host.fields()["v"] == 2


def test_messages_go_out_as_json_and_errors_come_back_with_their_code(host: Host) -> None:
    host.send({"do": "tell", "actor": OTHER, "value": {"x": 1}})
    assert host.asked_of("message-server-host/send") == [(OTHER, b'{"x":1}')]
    host.functions = {f"{MESSAGES}/request": lambda actor, body: Ok(b'["heard", 7]')}
    assert host.request({"do": "ask", "actor": OTHER, "value": 1}) == {"answer": ["heard", 7]}
    host.functions = {f"{MESSAGES}/request": refused("actor.not_found: no such actor")}
    assert host.request({"do": "ask", "actor": OTHER, "value": 1}) == {
        "code": "actor.not_found",
        "message": "no such actor",
    }


def test_a_deferred_request_is_answered_later_also_by_another_instance(host: Host) -> None:
    assert host.request({"do": "defer"}, "request-7") is None
    host.renew()
    assert host.request({"do": "answer", "value": "now"}) == 1
    assert host.asked_of("message-server-host/respond-to-request") == [("request-7", b'"now"')]


def test_outstanding_requests_can_be_given_up(host: Host) -> None:
    host.functions = {f"{MESSAGES}/list-outstanding-requests": lambda: ["a", "b"]}
    assert host.request({"do": "give_up"}) == ["a", "b"]
    assert host.asked_of("message-server-host/cancel-request") == [("a",), ("b",)]


def test_channels_are_opened_used_and_closed(host: Host) -> None:
    host.functions = {f"{MESSAGES}/open-channel": lambda actor, body: Ok("ch_9")}
    assert host.request({"do": "converse", "actor": OTHER, "value": 1}) == "ch_9"
    assert host.asked_of("message-server-host/send-on-channel") == [("ch_9", b'"first"')]
    assert host.asked_of("message-server-host/close-channel") == [("ch_9",)]


def test_a_state_that_has_the_actors_id_from_earlier_is_read_and_written_without(
    host: Host,
) -> None:
    host.state = json.dumps({"v": 2, "self": "somebody", "notes": ["old"]}).encode()
    assert host.request({"do": "who"})[1] == ACTOR
    assert host.request({"do": "note", "text": "new"}) == 2
    assert host.fields()["notes"] == ["old", "new"]
    assert "self" not in host.fields()


def test_names_are_taken_given_up_and_looked_up(host: Host) -> None:
    host.functions = {
        f"{NAMES}/register": lambda name: Ok(),
        f"{NAMES}/unregister": refused("name.not_held: this actor does not hold it"),
        f"{NAMES}/whereis": lambda name: OTHER if name == "clerk" else None,
    }
    for how, name, answer in (
        ("register", "clerk", None),
        ("unregister", "clerk", {"code": "name.not_held"}),
        ("whereis", "clerk", OTHER),
        ("whereis", "nobody", None),
    ):
        assert host.request({"do": "name", "how": how, "with": [name]}) == answer
    assert host.asked[0] == (f"{NAMES}/register", ("clerk",))


@pytest.mark.parametrize("name", ["counter", "counter-js"])
def test_an_actor_without_channel_hooks_refuses_channels(guests: Guests, name: str) -> None:
    host = Host(guests.load(name))
    host.init()
    outcome = host.callback("handle-channel-open", ("ch_1", b"0"))
    assert isinstance(outcome, Returned)
    assert outcome.rest[0] == ({"accepted": False, "message": b"Counter takes no channels"},)
