"""Redirects, and what does not follow them."""

import pytest

from tests.handlers.http_client.servers import (
    Call,
    Names,
    Request,
    Server,
    answering,
    ask,
    client,
    code,
    got,
    response,
)
from theater.handlers.http_client import HttpClientGrant

PRIVATE = HttpClientGrant(allow_private=True, timeout_ms=20_000)


def redirect(to: str, status: int = 302) -> bytes:
    return response(b"moved", f"{status} Moved", [("Location", to)])


def site(**pages: bytes) -> object:
    """Answers by path: `a` is /a; every other path with its own request line."""

    def answer(request: Request) -> bytes:
        path = request.line.split()[1].strip("/")
        return pages.get(path, response(request.line.encode() + b"|" + request.body))

    return answering(answer)


def test_redirects_are_followed_within_the_bound():
    with Server(site(a=redirect("b"), b=redirect("/c?x=1#part"))) as server, client() as handler:
        call = Call()
        value = ask(handler, server.url("/a"), call=call)
        assert got(value)["body"] == b"GET /c?x=1 HTTP/1.1|"
        assert call.facts["url"] == server.url("/c?x=1")
        assert call.facts["redirects"] == 2


def test_a_loop_ends():
    with Server(site(a=redirect("/a"))) as server, client() as handler:
        assert code(ask(handler, server.url("/a"))) == "http.redirects"
        assert len(server.requests) == 6


def test_without_redirects_the_guest_gets_them():
    grant = HttpClientGrant(allow_private=True, max_redirects=0)
    with Server(site(a=redirect("/b"))) as server, client() as handler:
        value = got(ask(handler, server.url("/a"), grant=grant))
        assert value["status"] == 302
        assert value["body"] == b"moved"


def test_a_redirect_without_location_is_a_response():
    with Server(site(a=response(b"x", "302 Found"))) as server, client() as handler:
        assert got(ask(handler, server.url("/a")))["status"] == 302


@pytest.mark.parametrize(
    ("method", "status", "expected"),
    [
        ("POST", 301, b"GET /b HTTP/1.1|"),
        ("POST", 302, b"GET /b HTTP/1.1|"),
        ("POST", 303, b"GET /b HTTP/1.1|"),
        ("PUT", 303, b"GET /b HTTP/1.1|"),
        ("PUT", 302, b"PUT /b HTTP/1.1|body"),
        ("POST", 307, b"POST /b HTTP/1.1|body"),
        ("POST", 308, b"POST /b HTTP/1.1|body"),
        ("GET", 301, b"GET /b HTTP/1.1|body"),
    ],
)
def test_methods_change_as_in_browsers(method: str, status: int, expected: bytes):
    with Server(site(a=redirect("/b", status))) as server, client() as handler:
        value = ask(
            handler,
            server.url("/a"),
            method=method,
            body=b"body",
            headers=[("Content-Type", "text/plain"), ("X", "1")],
        )
        assert got(value)["body"] == expected
        last = server.requests[-1]
        assert (last.header("content-type") is None) == (b"body" not in expected)
        assert last.header("x") == "1"
        assert last.header("idempotency-key") == "key-1"


def test_each_redirect_needs_the_grant():
    with Server(site()) as other, client(resolver=Names(a_test=["127.0.0.1"])) as handler:
        with Server(site(a=redirect(other.url("/x")), b=redirect("/c", 303))) as server:
            grant = HttpClientGrant(allow_private=True, allowed_hosts=(f"a.test:{server.port}",))
            value = ask(handler, server.url("/a", host="a.test"), grant=grant)
            assert code(value) == "permission.denied"
            posting = HttpClientGrant(allow_private=True, allowed_methods=("POST",))
            value = ask(handler, server.url("/b"), grant=posting, method="POST")
            assert code(value) == "permission.denied"
        assert other.connections == 0


@pytest.mark.parametrize(
    "location",
    [
        "http://user@127.0.0.1/",
        "ftp://127.0.0.1/",
        "http://0x7f.1/",
        "javascript:alert(1)",
        "http://[::1",
    ],
)
def test_a_redirect_to_what_is_no_usable_url_is_an_error(location: str):
    with Server(site(a=redirect(location))) as server, client() as handler:
        assert code(ask(handler, server.url("/a"))) == "http.protocol"


def test_credentials_stay_at_their_origin():
    guests = [
        ("Authorization", "Basic eA=="),
        ("Cookie", "c=1"),
        ("X-Api-Key", "k"),
        ("Accept", "text/plain"),
    ]
    secrets = {"KEY": "s3cret-value-1"}
    names = Names(a_test=["127.0.0.1"], b_test=["127.0.0.1"])
    with client(secrets=secrets, resolver=names) as handler:
        with Server(site()) as server:
            back = redirect(server.url("/home", host="a.test"))
        with Server(answering(lambda request: back)) as other:
            page = redirect(other.url("/x", host="b.test"))
            with Server(site(a=page, b=redirect("/c"))) as server:
                # The first server's address is known only now: its page is replaced by this one.
                back = redirect(server.url("/home", host="a.test"))
                grant = HttpClientGrant(
                    allow_private=True,
                    allowed_hosts=("a.test:*", "b.test:*"),
                    headers=(("x-secret", "secret:KEY"), ("x-plain", "p")),
                )
                uri = server.url("/a", host="a.test")
                got(ask(handler, uri, grant=grant, headers=guests))
                first, home = server.requests
                away = other.requests[0]
                assert first.header("x-secret") == "s3cret-value-1"
                for request in (away, home):
                    names_sent = {name.lower() for name, _ in request.headers}
                    assert not names_sent & {
                        "authorization",
                        "cookie",
                        "x-api-key",
                        "x-secret",
                        "x-plain",
                    }
                    assert request.header("accept") == "text/plain"
                uri = server.url("/b", host="a.test")
                got(ask(handler, uri, grant=grant, headers=guests))
                assert server.requests[-1].header("x-secret") == "s3cret-value-1"
                assert server.requests[-1].header("authorization") == "Basic eA=="
