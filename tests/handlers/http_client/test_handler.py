"""Requests that guests make, and those that are refused."""

import ssl

import pytest

from tests.handlers.http_client.servers import (
    PRIVATE,
    TLS,
    Call,
    Names,
    Request,
    Server,
    answering,
    ask,
    client,
    code,
    got,
    intent,
    response,
)
from theater.handlers.http_client import HttpClientGrant
from theater.handlers.port import Effect, Intent
from theater.values.types import Err


def test_a_request_goes_out_whole_and_the_response_comes_back_as_it_was_sent():
    answer = response(b"\x1f\x8b raw", "201 Made", [("X-B", "1"), ("x-a", "2"), ("X-B", "3")])
    with Server(answering(answer)) as server, client() as handler:
        call = Call()
        value = ask(
            handler,
            server.url("/p/%7Ea?q=1#part"),
            method="post",
            headers=[("X-One", " 1 "), ("Content-Type", "text/plain")],
            body=b"hello",
            call=call,
            key="abc",
        )
        assert got(value) == {
            "status": 201,
            "headers": [("x-b", "1"), ("x-a", "2"), ("x-b", "3"), ("content-length", "6")],
            "body": b"\x1f\x8b raw",
        }
        sent = server.requests[0]
        assert sent.line == "POST /p/%7Ea?q=1 HTTP/1.1"
        assert sent.body == b"hello"
        assert sent.headers == [
            ("Host", f"127.0.0.1:{server.port}"),
            ("X-One", "1"),
            ("Content-Type", "text/plain"),
            ("Content-Length", "5"),
            ("User-Agent", "theater"),
            ("Idempotency-Key", "abc"),
        ]
        assert call.facts == {
            "url": server.url("/p/%7Ea?q=1"),
            "address": "127.0.0.1",
            "redirects": 0,
        }
        assert call.cancels == []


def test_it_is_an_external_effect_of_one_interface():
    with client() as handler:
        functions = handler.functions(HttpClientGrant())
        assert set(functions) == set(handler.interfaces) == {"theater:simple/http-client"}
        assert functions["theater:simple/http-client"]["send-http"].effect is Effect.EXTERNAL
        with pytest.raises(TypeError):
            handler.functions(object())


def test_an_empty_body_is_none():
    answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    with Server(answering(answer)) as server, client() as handler:
        assert got(ask(handler, server.url()))["body"] is None


def test_a_chunked_body_is_put_together():
    answer = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
    )
    with Server(answering(answer)) as server, client() as handler:
        assert got(ask(handler, server.url()))["body"] == b"abcde"


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200 OK"), ("GET", "304 Not Modified")])
def test_an_answer_without_a_body_may_say_how_long_one_would_be(method: str, status: str):
    answer = f"HTTP/1.1 {status}\r\nContent-Length: 999999999\r\n\r\n".encode()
    grant = HttpClientGrant(allow_private=True, max_response_bytes=10)
    with Server(answering(answer)) as server, client() as handler:
        value = ask(handler, server.url(), method=method, grant=grant)
        assert got(value)["body"] is None


def test_connections_are_used_again():
    with Server(answering(response(b"x"))) as server, client() as handler:
        for _ in range(3):
            got(ask(handler, server.url()))
        assert server.connections == 1
        assert len(server.requests) == 3


def test_a_grant_without_private_addresses_does_not_use_a_connection_of_one_with_them():
    with Server(answering(response(b"x"))) as server:
        names = Names(inner_test=["127.0.0.1"])
        with client(resolver=names) as handler:
            uri = server.url(host="inner.test")
            got(ask(handler, uri))
            strict = HttpClientGrant(allowed_hosts=("inner.test:*",))
            assert code(ask(handler, uri, grant=strict)) == "permission.denied"
        assert len(server.requests) == 1


def test_https_checks_the_certificate_against_the_name_and_sends_the_name():
    trusting = ssl.create_default_context(cafile=str(TLS / "server.pem"))
    names = Names(api_test=["127.0.0.1"], other_test=["127.0.0.1"])
    with Server(answering(response(b"x")), tls=True) as server:
        with client(resolver=names, tls=trusting) as handler:
            value = ask(handler, server.url(host="api.test", scheme="https"))
            assert got(value)["body"] == b"x"
            assert server.requests[0].header("host") == f"api.test:{server.port}"
            wrong_name = ask(handler, server.url(host="other.test", scheme="https"))
            assert code(wrong_name) == "http.tls"
        with client(resolver=names) as handler:
            unknown = ask(handler, server.url(host="api.test", scheme="https"))
            assert code(unknown) == "http.tls"
        assert len(server.requests) == 1


def test_what_the_grant_forbids_is_refused_without_an_intent():
    grant = HttpClientGrant(
        allowed_hosts=("api.test", "*.below.test", "10.0.0.1:8080"), allowed_methods=("GET",)
    )
    names = Names()
    with client(resolver=names) as handler:
        for uri in (
            "http://other.test/",
            "http://api.test:8080/",
            "http://below.test/",
            "http://api.test.evil.test/",
            "http://xapi.test/",
            "http://10.0.0.1:8080/",  # allowed, but private
        ):
            assert code(intent(handler, uri, grant=grant)) == "permission.denied"
        assert code(intent(handler, "http://api.test/", grant=grant, method="POST")) == (
            "permission.denied"
        )
        for uri in ("http://api.test/", "https://API.test.:443/", "https://a.b.below.test"):
            assert isinstance(intent(handler, uri, grant=grant), Intent)
    assert names.asked == []


@pytest.mark.parametrize("method", ["CONNECT", "TRACE"])
def test_no_grant_allows_tunnels_and_traces(method: str):
    with client() as handler:
        assert code(intent(handler, "http://1.1.1.1/", method=method)) == "permission.denied"


@pytest.mark.parametrize(
    "uri",
    [
        "ftp://api.test/",
        "//api.test/",
        "http:///x",
        "http://",
        "api.test",
        "http://user@api.test/",
        "http://user:pass@api.test/",
        "http://api.test@127.0.0.1/",
        "http://0x7f.1/",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://127.1/",
        "http://0177.0.0.1/",
        "http://127.0.0.1.5/",
        "http://1.2.3.256/",
        "http://[fe80::1%25eth0]/",
        "http://[::1/",
        "http://::1/",
        "http://api.test:99999/",
        "http://api.test:0/",
        "http://api.test:8x/",
        "http://api..test/",
        "http://-api.test/",
        "http://api.test/a b",
        "http://api.test/\r\nX: 1",
        "http://api.test/\n",
        "http://api.test\\@evil.test/",
        "http://ｅxample.test/",
        "http://example.test/ü",
        "http://api.test/" + "x" * 20_000,
        "http://api.test/\x00",
    ],
)
def test_urls_that_programs_read_differently_are_refused(uri: str):
    names = Names()
    with client(resolver=names) as handler:
        assert code(intent(handler, uri)) == "http.request"
    assert names.asked == []


@pytest.mark.parametrize("method", ["", "GET\r\nX: 1", "G T", "GÉT", "x" * 40, "GET/"])
def test_malformed_methods_are_refused(method: str):
    with client() as handler:
        assert code(intent(handler, "http://api.test/", method=method)) == "http.request"


@pytest.mark.parametrize(
    "header",
    [
        ("X: 1\r\nY", "1"),
        ("X", "1\r\nY: 2"),
        ("X", "1\nY: 2"),
        ("X", "a\x00"),
        ("X", "\x7f"),
        ("X", "ł"),
        ("", "1"),
        ("X Y", "1"),
        ("X:", "1"),
        ("Idempotency-Key", "mine"),
        ("idempotency-key", "mine"),
    ],
)
def test_malformed_headers_and_a_key_of_the_guests_own_are_refused(header: tuple[str, str]):
    with client() as handler:
        assert code(intent(handler, "http://api.test/", headers=[header])) == "http.request"


def test_headers_of_the_connection_are_the_hosts():
    guests = [
        ("Host", "evil.test"),
        ("content-length", "999"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close, X-Kept"),
        ("Upgrade", "websocket"),
        ("TE", "trailers"),
        ("Expect", "100-continue"),
        ("Proxy-Authorization", "x"),
        ("X-Kept", "é"),
    ]
    with Server(answering(response(b"x"))) as server, client() as handler:
        got(ask(handler, server.url(), headers=guests, method="PUT", body=b"ab"))
        names = [name.lower() for name, _ in server.requests[0].headers]
        assert names == ["host", "x-kept", "content-length", "user-agent", "idempotency-key"]
        assert server.requests[0].header("host") == f"127.0.0.1:{server.port}"
        assert server.requests[0].header("content-length") == "2"


def test_oversized_requests_are_refused_before_they_are_made():
    with client() as handler:
        many = [("X", "1")] * 201
        assert code(intent(handler, "http://api.test/", headers=many)) == "http.too_large"
        long = [("X", "1" * 70_000)]
        assert code(intent(handler, "http://api.test/", headers=long)) == "http.too_large"
        body = b"x" * (64 * 1024 * 1024 + 1)
        assert code(intent(handler, "http://api.test/", body=body)) == "http.too_large"


def test_an_interrupted_request_is_repeated_by_method_and_pattern():
    grant = HttpClientGrant(
        retry=("POST api.test/v1/", "PATCH"), fail=("GET api.test/counter", "DELETE *")
    )

    def retry(method: str, uri: str) -> bool:
        made = intent(handler, uri, method=method, grant=grant)
        assert isinstance(made, Intent)
        assert isinstance(made.interrupted, Err)
        assert code(made.interrupted) == "interrupted"
        return made.retry

    with client() as handler:
        assert retry("GET", "https://api.test/")
        assert retry("HEAD", "https://api.test/counter")
        assert retry("PUT", "https://other.test/")
        assert retry("OPTIONS", "https://other.test/")
        assert retry("PATCH", "https://other.test/x")
        assert retry("POST", "https://api.test/v1/messages?x=1")
        assert not retry("POST", "https://api.test/v1")
        assert not retry("POST", "https://api.test/v10/")
        assert not retry("POST", "https://other.test/v1/")
        assert not retry("POST", "https://api.test:8443/v1/")
        assert not retry("GET", "https://api.test/counter")
        assert not retry("GET", "https://api.test/counter/3")
        assert retry("GET", "https://api.test/counters")
        assert not retry("DELETE", "https://other.test/")


def test_a_repetition_sends_the_same_key():
    with Server(answering(response(b"x"))) as server, client() as handler:
        made = intent(handler, server.url())
        assert isinstance(made, Intent)
        got(made.perform("k"))
        got(made.perform("k"))
        assert [request.header("idempotency-key") for request in server.requests] == ["k", "k"]


def test_configured_headers_replace_the_guests():
    grant = HttpClientGrant(
        allow_private=True, headers=(("x-tenant", "a"), ("user-agent", "mine/1"))
    )
    with Server(answering(response(b"x"))) as server, client() as handler:
        got(ask(handler, server.url(), grant=grant, headers=[("X-Tenant", "b")]))
        sent: Request = server.requests[0]
        assert [value for name, value in sent.headers if name.lower() == "x-tenant"] == ["a"]
        assert sent.header("user-agent") == "mine/1"


def test_parallel_requests_do_not_wait_for_each_other():
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    together = Barrier(4, timeout=20)

    def answer(request: Request) -> bytes:
        together.wait()
        return response(request.line.encode())

    with Server(answering(answer)) as server, client() as handler, ThreadPoolExecutor(4) as pool:
        bodies = pool.map(lambda n: got(ask(handler, server.url(f"/{n}")))["body"], range(4))
        assert list(bodies) == [f"GET /{n} HTTP/1.1".encode() for n in range(4)]


def test_the_private_grant_is_what_the_other_tests_think_it_is():
    assert PRIVATE.allow_private
    assert not HttpClientGrant().allow_private
