"""What the SDK makes of an actor in JavaScript, seen from the host: the same in both engines.

The actor is the conformance actor of tests/guests/test_sdk.py in another language, and what is said of
it here is what is said of it there, where the languages don't differ.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.guests.components import PROJECTS, Guests
from tests.guests.content import StoreDouble
from tests.guests.host import ACTOR, Host, error_of, refused
from theater.engine import Ended, InstanceLimits, Returned
from theater.handlers.wasi import WasiGrant, WasiHandler
from theater.limits import MEMORY_BYTES
from theater.values.types import Err, Ok

pytestmark = pytest.mark.slow

STORE = "theater:simple/store"
LARGE = {"conformance-js": MEMORY_BYTES, "conformance-sm": 4 * MEMORY_BYTES}
"""The memory that a message of a megabyte needs; docs/javascript.md says so."""

ENGINES = ("conformance-js", "conformance-sm")


@pytest.fixture(params=ENGINES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def host(guests: Guests, name: str) -> Host:
    made = Host(guests.load(name))
    assert isinstance(made.init(), Returned)
    return made


def outcome_of(host: Host, what: str, **given: object) -> Any:
    return host.callback("handle-request", ("r", json.dumps({"do": what, **given}).encode()))


def test_the_counter_counts(guests: Guests) -> None:
    host = Host(guests.load("counter-js"))
    host.init()
    assert host.fields() == {"v": 1, "count": 0}
    host.send(2)
    host.renew()
    host.send(3)
    assert host.request(None) == host.request(b"") == {"count": 5}
    assert host.log == ["counted to 2", "counted to 5"]
    assert error_of(host.send(b"\xff")).startswith("BadMessage: not JSON")


@pytest.mark.parametrize(
    "state, text",
    [
        ({"cuont": 1}, "has no field 'cuont'"),
        ([], "not a JSON object"),
        ({"count": 1, "v": 7}, "override `migrate`"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_with_the_place(
    guests: Guests, state: object, text: str
) -> None:
    error = error_of(Host(guests.load("counter-js")).init(state))
    assert error.startswith("BadState: ")
    assert text in error


def test_a_call_that_changes_nothing_returns_no_state(host: Host) -> None:
    outcome = outcome_of(host, "recall")
    assert isinstance(outcome, Returned)
    assert outcome.state is None


def test_an_error_at_the_start_is_the_actors_own(guests: Guests, name: str) -> None:
    host = Host(guests.load(name))
    assert error_of(host.init({"v": 2, "notes": ["refuse to start"]})) == "told not to start"


def test_an_uncaught_exception_is_an_error_with_the_users_lines_in_the_log(host: Host) -> None:
    assert error_of(outcome_of(host, "divide", by=0)) == "RangeError: no number: 1 / 0"
    first, *frames = host.log[-1].splitlines()
    assert first == "RangeError: no number: 1 / 0"
    assert [frame.split() for frame in frames] == [
        ["at", "divided", "(lib/more.js:6)"],
        ["at", "divide", f"(conformance.js:{line_of('return divided(1, by);')})"],
        ["at", "onRequest", f"(conformance.js:{line_of('return this[message.do](message);', 2)})"],
    ]
    assert host.request({"do": "recall"}) == [f"started as {ACTOR}"]


def line_of(text: str, nth: int = 1) -> int:
    lines = (PROJECTS["conformance-js"] / "conformance.js").read_text().splitlines()
    return [at for at, line in enumerate(lines, start=1) if line.strip() == text][nth - 1]


def test_a_rejection_is_its_text_alone_and_not_logged(host: Host) -> None:
    assert error_of(host.send({"do": "reject"})) == "a text of its own"
    assert error_of(host.send({"do": "shout"})) == "a text"
    assert host.log == []
    assert host.request({"do": "recall"}) == [f"started as {ACTOR}"]


@pytest.mark.parametrize(
    "what, error",
    [
        ("hoard", "out of memory"),
        ("spoil", "BadState: Conformance.spoiled.inside: an object of Map "),
        (
            "keepObject",
            "BadState: Conformance.spoiled: an object of Store has no form in JSON; keep its id",
        ),
        ("grow", "BadState: Conformance.unknown is not a field"),
        ("absent", "TypeError: "),
        ("tell", "TypeError: an actor's id must be a string"),
    ],
)
def test_no_failure_of_javascript_costs_the_instance(host: Host, what: str, error: str) -> None:
    assert error in error_of(host.send({"do": what}))
    assert host.instance is not None
    assert not host.instance.dead
    assert host.request({"do": "echo", "value": 1}) == 1


def test_a_trap_is_a_trap(guests: Guests) -> None:
    host = Host(guests.load("conformance-js"))
    host.init()
    outcome = host.send({"do": "abort"})
    assert isinstance(outcome, Ended)
    assert outcome.kind == "trap"
    assert host.request({"do": "recall"}) == [f"started as {ACTOR}"]


def test_a_recursion_without_end_costs_the_instance_and_no_more(guests: Guests) -> None:
    host = Host(guests.load("conformance-js"))
    host.init()
    outcome = host.send({"do": "recurse"})
    assert isinstance(outcome, Ended)
    assert outcome.kind == "stack"
    assert host.request({"do": "recall"}) == [f"started as {ACTOR}"]


@pytest.mark.parametrize("value", [None, True, 0, -(2**53), 1.5, "ü\0\U0001f600", [], {"a": [{}]}])
def test_json_comes_back_as_it_went(host: Host, value: object) -> None:
    assert host.request({"do": "echo", "value": value}) == value


def test_a_large_message_comes_back_as_it_went(guests: Guests, name: str) -> None:
    host = Host(guests.load(name), limits=InstanceLimits(memory_bytes=LARGE[name]))
    host.init()
    value = "snöwflake " * 100_000
    assert host.request({"do": "echo", "value": value}) == value


def test_log_and_console_are_lines(host: Host) -> None:
    host.lines.clear()
    host.request({"do": "log", "value": {"a": [1, None]}})
    host.request({"do": "print", "value": "ü"})
    assert host.log == ["logged { a: [1, null] }"]
    assert sorted(host.lines) == ["stderr: warned", "stdout: printed ü"]


def test_shutdown_takes_json_or_nothing(host: Host) -> None:
    host.request({"do": "end", "result": {"n": [1, None]}})
    host.request({"do": "end"})
    assert host.asked_of("runtime/shutdown") == [(b'{"n":[1,null]}',), (None,)]


def test_an_interface_can_be_used_beside_the_sdk(host: Host) -> None:
    event = {"event-type": "wasm-call", "parent": None, "data": b""}
    host.functions = {
        "theater:simple/runtime/get-chain": lambda: {"events": [{"hash": 0, "event": event}]}
    }
    assert host.request({"do": "history"}) == ["wasm-call"]


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
        "message ch_1 1",
        "close ch_1",
    ]
    assert host.asked_of("message-server-host/send-on-channel") == [("ch_1", b'{"echo":[1]}')]


def test_every_function_of_the_store_is_reached(host: Host) -> None:
    double = StoreDouble()
    host.functions = double.functions
    host.asked.clear()
    assert host.request({"do": "keep", "text": "abc"}) == double.expected(b"abc")
    assert {name.rpartition("/")[2] for name, _ in host.asked} == {
        name.rpartition("/")[2] for name in host.functions
    }
    assert host.fields()["store"] == "store-1"


def test_an_error_of_the_host_that_nobody_catches_is_told_to_the_caller(host: Host) -> None:
    host.functions = {f"{STORE}/new": lambda: Err("permission.denied: no store for you")}
    outcome = outcome_of(host, "keep", text="")
    assert error_of(outcome) == "HostError: permission.denied: no store for you"


@pytest.mark.parametrize("what", ["fetch", "fetched"])
def test_an_interface_that_is_not_granted_is_missed_at_use_with_the_lines_to_add(
    host: Host, what: str
) -> None:
    error = error_of(host.send({"do": what, "url": "http://127.0.0.1/"}))
    assert error.startswith("NotGranted: theater:simple/http-client is not granted")
    assert 'type = "http-client"' in error


# Promises


def test_what_a_call_promises_is_there_before_it_returns(host: Host) -> None:
    assert host.request({"do": "later", "value": 2}) == {
        "doubled": [2, 2],
        "parts": [0, 1, 2],
        "settled": {"statuses": ["rejected", "fulfilled"], "first": "yes", "finished": True},
    }
    assert host.fields()["notes"][-1] == "later"


def test_a_rejected_promise_is_the_calls_error(host: Host) -> None:
    assert error_of(outcome_of(host, "rejects")) == "RangeError: no number: 1 / 0"
    assert "at divided (lib/more.js:6)" in host.log[-1]


def test_a_promise_that_nothing_settles_is_an_error_and_not_a_hang(guests: Guests) -> None:
    host = Host(guests.load("conformance-js"))
    host.init()
    assert "nothing is left to settle" in error_of(outcome_of(host, "forever"))
    assert host.request({"do": "echo", "value": 1}) == 1


def test_a_rejection_that_nobody_hears_is_in_the_log(guests: Guests) -> None:
    host = Host(guests.load("conformance-js"))
    host.init()
    assert host.request({"do": "unheard"}) is None
    assert host.log[-1].startswith("unhandled rejection: Error: nobody listens\n")


# Chance and time


def observed(host: Host, number: int) -> Any:
    return host.request({"do": "observe", "number": number})


def test_the_same_inputs_give_the_same_answers_states_and_lines(guests: Guests, name: str) -> None:
    def session() -> tuple[list[Any], Host]:
        host = Host(guests.load(name))
        host.init()
        answers = []
        for number in range(6):
            if number == 3:
                host.renew()
            answers.append(observed(host, number))
        return answers, host

    (first, one), (second, two) = session(), session()
    assert first == second
    assert (one.state, one.lines) == (two.state, two.lines)
    assert [answer["global_calls"] for answer in first] == [1, 2, 3, 1, 2, 3]


def test_each_call_draws_its_own_numbers_in_an_old_instance_and_in_a_new_one(host: Host) -> None:
    answers = [observed(host, number) for number in range(3)]
    host.renew()
    answers += [observed(host, number) for number in range(3)]
    for what in ("uuid", "token", "random", "time"):
        assert len({json.dumps(answer[what]) for answer in answers}) == len(answers)
    assert all(0 <= answer["random"] < 1 for answer in answers)
    assert all(answer["uuid"][14] == "4" and answer["uuid"][19] in "89ab" for answer in answers)


def test_the_entropy_of_the_call_decides_and_not_that_of_the_instance(
    guests: Guests, name: str
) -> None:
    warm, fresh = Host(guests.load(name)), Host(guests.load(name))
    for host in (warm, fresh):
        host.init()
        observed(host, 0)
    fresh.renew()
    one, other = observed(warm, 1), observed(fresh, 1)
    assert (one["random"], one["uuid"]) == (other["random"], other["uuid"])


def test_the_clock_is_the_calls(host: Host) -> None:
    answer = observed(host, 1)
    assert host.running is not None
    assert answer["time"] == host.running.now // 1_000_000
    assert answer["now"].startswith("2023-11-14T22:13:20.")


def test_a_timer_sleeps_on_the_virtual_clock(host: Host) -> None:
    answer = host.request({"do": "observe_later", "number": 1})
    assert answer["slept"] == pytest.approx(3, abs=0.01)


# WASI


def test_of_wasi_everything_that_the_engine_imports_is_there_but_files(host: Host) -> None:
    provided = WasiHandler().functions(WasiGrant())
    wasi = [each for each in host.component.imports if each.interface.startswith("wasi:")]
    assert len(wasi) > 20
    missing = {f.name for f in wasi if f.function not in provided.get(f.interface, {})}
    # Every one of them needs a directory or an error of a stream, and nothing gives a guest either.
    assert {name.rpartition("/")[0] for name in missing} == {"wasi:filesystem/types@0.2"}


def test_only_a_handful_of_wasi_functions_carry_an_actor(host: Host) -> None:
    host.request({"do": "print", "value": 1})
    host.request({"do": "observe_later", "number": 1})
    host.send({"do": "divide", "by": 0})
    assert {name.partition("@")[0] for name in host.wasi} <= {
        "wasi:cli/stderr",
        "wasi:cli/stdin",
        "wasi:cli/stdout",
        "wasi:cli/terminal-stderr",
        "wasi:cli/terminal-stdin",
        "wasi:cli/terminal-stdout",
        "wasi:clocks/monotonic-clock",
        "wasi:clocks/wall-clock",
        "wasi:filesystem/preopens",
        "wasi:io/poll",
        "wasi:io/streams",
        "wasi:random/random",
    }


def test_the_environment_is_empty_and_nothing_of_the_machine_shows(host: Host) -> None:
    assert host.request({"do": "machine"}) == {"process": "undefined", "offset": 0}


# HTTP


def answered(body: bytes) -> dict[str, Any]:
    def send(request: dict[str, Any]) -> Ok:
        return Ok(
            {
                "status": 201,
                "headers": [("Content-Type", "application/json"), ("X-Method", request["method"])],
                "body": body,
            }
        )

    return {"theater:simple/http-client/send-http": send}


def test_http_and_fetch_are_one_host_call_each(guests: Guests) -> None:
    host = Host(guests.load("fetching"), answered('{"ü": 1}'.encode()))
    host.init()
    url = "http://a.example/x"
    assert host.request({"do": "http", "url": url}) == {
        "status": 201,
        "json": {"ü": 1},
        "type": "application/json",
        "absent": None,
    }
    assert host.request({"do": "fetch", "url": url}) == {
        "ok": True,
        "status": 201,
        "json": {"ü": 1},
        "method": "POST",
        "headers": [["content-type", "application/json"], ["x-method", "POST"]],
    }
    first, second = (given[0] for given in host.asked_of("http-client/send-http"))
    assert first == {
        "method": "GET",
        "uri": f"{url}?q=a%20b",
        "headers": [("X-A", "1")],
        "body": None,
    }
    assert second == {
        "method": "POST",
        "uri": url,
        "headers": [("content-type", "text/plain;charset=UTF-8")],
        "body": b"hello",
    }


def test_a_failed_fetch_is_a_type_error_with_the_hosts_text(guests: Guests) -> None:
    host = Host(
        guests.load("fetching"),
        {"theater:simple/http-client/send-http": refused("permission.denied: not that host")},
    )
    host.init()
    error = error_of(host.callback("handle-request", ("r", b'{"do":"fetch","url":"http://b"}')))
    assert error == "TypeError: fetch failed: permission.denied: not that host"
    assert "caused by HostError: permission.denied: not that host" in host.log[-1]


@pytest.mark.parametrize(
    "data, text",
    [
        (b"plain", "plain"),
        ("ü€\U0001f600".encode(), "ü€\U0001f600"),
        (b"\xef\xbb\xbfbom", "bom"),
        (b"a\xffb", "a\ufffdb"),
        (b"\xe2\x82", "\ufffd"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (b"\xf0\x9f\x98!", "\ufffd!"),
        (b"\xc0\xaf", "\ufffd\ufffd"),
    ],
)
def test_bytes_are_decoded_as_the_standard_has_it(guests: Guests, data: bytes, text: str) -> None:
    host = Host(guests.load("fetching"))
    host.init()
    told = host.request({"do": "decode", "bytes": list(data)})
    assert told["text"] == text
    assert told["streamed"] == text
    assert told["back"] == list(text.encode())
    assert told["fatal"] == ("\ufffd" in text)


def test_timers_are_whole_milliseconds(host: Host) -> None:
    host.functions = {"theater:agent/scheduler@0.1/after": lambda ms, body: Ok(f"{ms} {body!r}")}
    assert host.request({"do": "timer", "how": "after", "with": [5, {"a": 1}]}) == "5 b'{\"a\":1}'"
    for wrong in (-1, 0.5, "1", 1e300):
        error = error_of(outcome_of(host, "timer", how="after", **{"with": [wrong]}))
        assert error == "TypeError: a delay is a whole number of milliseconds"


def test_an_actor_knows_what_it_is_called_for_and_who_it_is(host: Host) -> None:
    assert host.request({"do": "who"}) == [
        {
            "id": "message-1",
            "kind": "request",
            "origin": "client",
            "sender": "outside",
            "deadline": 1_700_000_000_000,
            "traceparent": None,
        },
        ACTOR,
        "guest",
        None,
    ]
