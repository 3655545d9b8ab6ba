"""Patterns of hosts and requests, and the meet of grants."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theater.handlers.http_client.grant import HttpClientGrant
from theater.handlers.http_client.hosts import HostPattern, RequestPattern, canonical_host
from theater.manifest.table import Table


def read(**settings: object) -> tuple[HttpClientGrant, int]:
    table = Table(settings)
    return HttpClientGrant.from_settings(table), len(table.problems.found)


def test_the_defaults():
    grant, problems = read()
    assert problems == 0
    assert grant.as_map() == {
        "allowed_hosts": None,
        "allowed_methods": None,
        "max_redirects": 5,
        "timeout_ms": 120_000,
        "max_response_bytes": 16 * 1024 * 1024,
        "headers": {},
        "allow_private": False,
        "retry": [],
        "fail": [],
    }
    hash(grant)


def test_settings_are_read():
    grant, problems = read(
        allowed_hosts=["api.test", "*.b.test:8443", "[::1]:80", "localhost:*"],
        allowed_methods=["GET", "POST"],
        headers={"Authorization": "Bearer secret:KEY", "X-Plain": " a "},
        max_response_bytes="1KiB",
        retry=["POST api.test/v1/", "PATCH", "GET,POST *", "* api.test"],
        fail=["GET *"],
    )
    assert problems == 0
    assert grant.headers == (("authorization", "Bearer secret:KEY"), ("x-plain", "a"))
    assert grant.max_response_bytes == 1024


@pytest.mark.parametrize(
    "settings",
    [
        {"allowed_hosts": ["http://api.test"]},
        {"allowed_hosts": ["*"]},
        {"allowed_hosts": ["a.*.test"]},
        {"allowed_hosts": ["*.1.2.3.4"]},
        {"allowed_hosts": ["127.1"]},
        {"allowed_hosts": ["api.test:0"]},
        {"allowed_hosts": ["api.test/"]},
        {"allowed_hosts": [""]},
        {"allowed_methods": ["get"]},
        {"allowed_methods": ["TRACE"]},
        {"retry": ["post api.test"]},
        {"retry": ["POST https://api.test/"]},
        {"retry": ["POST api.test/?x"]},
        {"fail": [""]},
        {"headers": {"Host": "x"}},
        {"headers": {"Idempotency-Key": "x"}},
        {"headers": {"X": "a\r\nY: b"}},
        {"headers": {"X Y": "a"}},
        {"headers": {"X": "a", "x": "b"}},
        {"headers": {"X": 1}},
        {"headers": {"X": "secret:KEY and more"}, "allowed_hosts": ["a.test"]},
        {"headers": {"X": "secret:KEY"}},  # and no allowed_hosts
        {"max_redirects": 21},
        {"timeout_ms": 0},
        {"nonsense": 1},
    ],
)
def test_wrong_settings_are_noted(settings: dict[str, object]):
    assert read(**settings)[1] == 1


def test_a_child_gets_a_secret_only_where_its_parent_may_send_it():
    parent = HttpClientGrant(
        allowed_hosts=("api.test", "*.b.test"), headers=(("authorization", "secret:KEY"),)
    )
    child = HttpClientGrant(
        allowed_hosts=("evil.test", "x.b.test"),
        headers=(("authorization", "secret:KEY"), ("x", "secret:OTHER")),
    )
    met = child.meet(parent)
    assert met.allowed_hosts == ("x.b.test",)
    assert met.headers == (("authorization", "secret:KEY"),)
    assert child.meet(HttpClientGrant()).headers == ()


_LABEL = st.sampled_from(["a", "b", "c"])
_NAME = st.lists(_LABEL, min_size=1, max_size=3).map(".".join)
_PORT = st.sampled_from(["", ":80", ":443", ":8080", ":*"])
_HOST = st.builds(
    lambda below, name, port: below + name + port, st.sampled_from(["", "*."]), _NAME, _PORT
)
_REQUEST = st.builds(
    lambda methods, host, path: f"{methods} {host}{path}",
    st.sampled_from(["GET", "POST", "GET,POST", "*"]),
    st.one_of(st.just("*"), _HOST),
    st.sampled_from(["", "/", "/v1", "/v1/", "/v1/x"]),
)
_PORTS = st.sampled_from([80, 443, 8080, 1])


def matches(text: str | None, host: str, port: int) -> bool:
    pattern = HostPattern.parse(text) if text is not None else None
    return pattern is not None and pattern.matches(host, port)


@given(_HOST, _HOST, _NAME, _PORTS)
def test_the_meet_of_hosts_names_what_both_name(left: str, right: str, host: str, port: int):
    met = HttpClientGrant(allowed_hosts=(left,)).meet(HttpClientGrant(allowed_hosts=(right,)))
    assert met.allowed_hosts is not None
    both = matches(left, host, port) and matches(right, host, port)
    assert any(matches(text, host, port) for text in met.allowed_hosts) == both
    assert met.allows("GET", host, port) == both


@given(
    _REQUEST,
    _REQUEST,
    st.sampled_from(["POST", "PATCH"]),
    _NAME,
    _PORTS,
    st.sampled_from(["/", "/v1", "/v1/", "/v1/x", "/v1/x/y", "/v10"]),
)
def test_the_meet_of_requests_names_what_both_name(
    left: str, right: str, method: str, host: str, port: int, path: str
):
    one, other = HttpClientGrant(retry=(left,)), HttpClientGrant(retry=(right,))
    place = (method, host, port, path)
    assert one.meet(other).retries(*place) == (one.retries(*place) and other.retries(*place))


@given(st.one_of(_HOST, _REQUEST))
def test_patterns_read_as_they_are_written(text: str):
    for pattern in (HostPattern, RequestPattern):
        read_ = pattern.parse(text)
        if read_ is not None:
            assert pattern.parse(str(read_)) == read_


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("API.Test.", "api.test"),
        ("127.0.0.1", "127.0.0.1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("xn--bcher-kva.test", "xn--bcher-kva.test"),
        ("_dmarc.a.test", "_dmarc.a.test"),
        ("127.1", None),
        ("010.0.0.1", None),
        ("1.2.3.4.", "1.2.3.4"),
        ("0x7f.0.0.1", None),
        ("1.2.3.0x4", None),
        ("[fe80::1%1]", None),
        ("a" * 64 + ".test", None),
        (".".join(["a"] * 200), None),
        ("a..b", None),
        ("", None),
        (".", None),
        ("a b", None),
    ],
)
def test_hosts_have_one_spelling(text: str, host: str | None):
    assert canonical_host(text) == host
