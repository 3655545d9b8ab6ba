"""What the SDK makes of an actor class, seen from the host."""

from __future__ import annotations

import pytest

from tests.guests.components import Guests
from tests.guests.content import StoreDouble
from tests.guests.host import ACTOR, Host, error_of
from theater.engine import Ended, Returned
from theater.values.types import Err, Ok

pytestmark = pytest.mark.slow

STORE = "theater:simple/store"


@pytest.fixture
def host(guests: Guests) -> Host:
    made = Host(guests.load("conformance"))
    assert isinstance(made.init(), Returned)
    return made


def test_the_first_state_has_the_defaults(guests: Guests) -> None:
    host = Host(guests.load("counter"))
    host.init()
    assert host.fields() == {"v": 1, "count": 0}


def test_an_initial_state_fills_the_fields(guests: Guests) -> None:
    host = Host(guests.load("counter"))
    host.init({"count": 41})
    host.send(1)
    assert host.request(None) == {"count": 42}


@pytest.mark.parametrize(
    "state, text",
    [
        ({"cuont": 1}, "has no field 'cuont'"),
        ({"count": "1"}, "count: expected an integer"),
        ([], "not a JSON object"),
        ({"count": 1, "v": 7}, "override `migrate`"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_with_the_place(
    guests: Guests, state: object, text: str
) -> None:
    error = error_of(Host(guests.load("counter")).init(state))
    assert error.startswith("BadState: ")
    assert text in error


def test_a_message_of_another_type_than_annotated_is_refused(guests: Guests) -> None:
    host = Host(guests.load("counter"))
    host.init()
    assert error_of(host.send("one")) == "BadMessage: expected an integer, got a string"
    assert error_of(host.send(b"\xff")).startswith("BadMessage: not JSON")
    assert host.request(None) == host.request(b"") == {"count": 0}


def test_a_call_that_changes_nothing_returns_no_state(host: Host) -> None:
    outcome = host.callback("handle-request", ("r", b'{"do": "recall"}'))
    assert isinstance(outcome, Returned)
    assert outcome.state is None


def test_the_state_survives_the_instance(host: Host) -> None:
    host.request({"do": "note", "text": "kept"})
    host.renew()
    assert host.request({"do": "recall"})[-1] == "kept"


def test_an_error_in_init_is_the_actors_own(guests: Guests) -> None:
    host = Host(guests.load("conformance"))
    assert error_of(host.init({"v": 2, "notes": ["refuse to start"]})) == "told not to start"


def test_an_uncaught_exception_is_an_error_with_the_users_traceback_in_the_log(host: Host) -> None:
    outcome = host.callback("handle-request", ("r", b'{"do": "divide", "by": 0}'))
    assert error_of(outcome) == "ZeroDivisionError: division by zero"
    trace = host.log[-1]
    assert trace.startswith('Traceback (most recent call last):\n  File "conformance.py", line ')
    assert 'return 1 / message["by"]' in trace
    assert "theater_guest" not in trace
    assert host.request({"do": "recall"}) == [f"started as {ACTOR}"]


def test_a_rejection_is_its_text_alone_and_not_logged(host: Host) -> None:
    assert error_of(host.send({"do": "reject"})) == "a text of its own"
    assert host.log == []
    assert host.request({"do": "recall"}) == [f"started as {ACTOR}"]


@pytest.mark.parametrize(
    "what, error",
    [
        ("leave", "SystemExit: 3"),
        ("recurse", "RecursionError: "),
        ("hoard", "MemoryError"),
        ("spoil", "BadState: Conformance.notes: "),
        ("absent", "AttributeError: "),
    ],
)
def test_no_failure_of_python_costs_the_instance(host: Host, what: str, error: str) -> None:
    assert error_of(host.send({"do": what})).startswith(error)
    assert host.instance is not None
    assert not host.instance.dead
    assert host.request({"do": "echo", "value": 1}) == 1


def test_an_abort_is_a_trap(host: Host) -> None:
    outcome = host.send({"do": "abort"})
    assert isinstance(outcome, Ended)
    assert outcome.kind == "trap"
    assert host.request({"do": "recall"}) == [f"started as {ACTOR}"]


@pytest.mark.parametrize("value", [None, True, 0, -(2**63), 1.5, "ü\0\U0001f600", [], {"a": [{}]}])
def test_json_comes_back_as_it_went(host: Host, value: object) -> None:
    assert host.request({"do": "echo", "value": value}) == value


def test_a_large_message_comes_back_as_it_went(host: Host) -> None:
    value = "snöwflake " * 100_000
    assert host.request({"do": "echo", "value": value}) == value


def test_log_and_print_are_lines(host: Host) -> None:
    host.request({"do": "log", "value": {"a": 1}})
    host.request({"do": "print", "value": "ü"})
    assert host.log == ["logged {'a': 1}"]
    assert sorted(host.lines) == ["stderr: warned", "stdout: printed ü"]


def test_shutdown_takes_json_bytes_or_nothing(host: Host) -> None:
    host.request({"do": "end", "result": {"n": [1, None]}})
    host.request({"do": "end"})
    assert host.asked_of("runtime/shutdown") == [(b'{"n":[1,null]}',), (None,)]


def test_the_generated_bindings_can_be_used_beside_the_sdk(host: Host) -> None:
    event = {"event-type": "wasm-call", "parent": None, "data": b""}
    host.functions = {
        "theater:simple/runtime/get-chain": lambda: {"events": [{"hash": 0, "event": event}]}
    }
    assert host.request({"do": "history"}) == ["wasm-call"]


def test_what_python_would_import_late_is_there(host: Host) -> None:
    assert host.request({"do": "parse_time", "text": "21 November 2026"}) == "2026-11-21"


def test_channels_are_accepted_refused_and_used(host: Host) -> None:
    opened = host.callback("handle-channel-open", ("ch_1", b'"hi"'))
    assert isinstance(opened, Returned)
    assert opened.rest[0] == ({"accepted": True, "message": b'{"welcome":"hi"}'},)
    refusal = host.callback("handle-channel-open", ("ch_2", b'"no"'))
    assert isinstance(refusal, Returned)
    assert refusal.rest[0] == ({"accepted": False, "message": b"not you"},)
    host.callback("handle-channel-message", ("ch_1", b"[1]"))
    host.callback("handle-channel-close", ("ch_1",))
    assert host.request({"do": "recall"})[1:] == [
        "open ch_1 hi",
        "open ch_2 no",
        "message ch_1 [1]",
        "close ch_1",
    ]
    assert host.asked_of("message-server-host/send-on-channel") == [("ch_1", b'{"echo":[1]}')]


def test_every_function_of_the_store_is_reached(host: Host) -> None:
    double = StoreDouble()
    host.functions = double.functions
    assert host.request({"do": "keep", "text": "abc"}) == double.expected(b"abc")
    assert {name.rpartition("/")[2] for name, _ in host.asked} == {
        name.rpartition("/")[2] for name in host.functions
    }
    assert host.fields()["store"] == {"id": "store-1"}


def test_an_error_of_the_host_that_nobody_catches_is_told_to_the_caller(host: Host) -> None:
    host.functions = {f"{STORE}/new": lambda: Err("permission.denied: no store for you")}
    outcome = host.callback("handle-request", ("r", b'{"do": "keep", "text": ""}'))
    assert error_of(outcome) == "HostError: permission.denied: no store for you"


def test_an_interface_that_is_not_granted_is_missed_at_use_with_the_lines_to_add(
    host: Host,
) -> None:
    error = error_of(host.send({"do": "fetch", "url": "http://127.0.0.1/"}))
    assert error.startswith("NotGranted: theater:simple/http-types is not granted")
    assert 'type = "http-client"' in error


def test_only_a_handful_of_wasi_functions_carry_a_guest(host: Host) -> None:
    host.request({"do": "print", "value": 1})
    assert {name.partition("@")[0] for name in host.wasi} <= {
        "wasi:cli/environment",
        "wasi:cli/stderr",
        "wasi:cli/stdout",
        "wasi:cli/terminal-stderr",
        "wasi:cli/terminal-stdout",
        "wasi:filesystem/preopens",
        "wasi:io/streams",
        "wasi:random/random",
    }


def test_timers_are_set_in_seconds(host: Host) -> None:
    host.functions = {"theater:agent/scheduler@0.1/after": lambda ms, body: Ok(f"{ms} {body!r}")}
    assert host.request({"do": "timer", "how": "after", "with": [0.0125, [1]]}) == "12 b'[1]'"
    outcome = host.callback("handle-request", ("r", b'{"do":"timer","how":"after","with":[-1]}'))
    assert error_of(outcome) == "ValueError: a timer can't wait -1 seconds"


def test_an_actor_knows_what_it_is_called_for_and_who_it_is(host: Host) -> None:
    assert host.request({"do": "who"}) == [
        {
            "id": "message-1",
            "kind": "request",
            "origin": "client",
            "sender": "outside",
            "deadline_ms": 1_700_000_000_000,
            "traceparent": None,
        },
        ACTOR,
        "guest",
        None,
    ]
