"""Secrets that the host adds and hides."""

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
    intent,
    response,
)
from theater.handlers.http_client import HttpClientGrant
from theater.handlers.http_client.addresses import Resolver

SECRETS = {"KEY": "sk-0123456789", "TWO": "sk-0123456789-and-more"}


def grant(*headers: tuple[str, str]) -> HttpClientGrant:
    return HttpClientGrant(
        allow_private=True, allowed_hosts=("127.0.0.1:*",), headers=headers, timeout_ms=20_000
    )


def test_the_host_adds_secrets_and_hides_them_in_what_comes_back():
    def answer(request: Request) -> bytes:
        sent = (request.header("authorization") or "") + "," + (request.header("x-two") or "")
        return response(sent.encode() * 2, headers=[("X-Echo", sent)])

    granted = grant(("authorization", "Bearer secret:KEY"), ("x-two", "secret:TWO"))
    with Server(answering(answer)) as server, client(secrets=SECRETS) as handler:
        value = got(ask(handler, server.url(), grant=granted, headers=[("Authorization", "mine")]))
        sent = server.requests[0]
        assert [v for n, v in sent.headers if n.lower() == "authorization"] == [
            "Bearer sk-0123456789"
        ]
        assert sent.header("x-two") == "sk-0123456789-and-more"
        hidden = b"Bearer " + b"*" * 13 + b"," + b"*" * 22
        assert value["body"] == hidden * 2
        assert ("x-echo", hidden.decode()) in value["headers"]  # type: ignore[operator]


def test_a_secret_in_a_redirect_is_hidden_in_the_facts():
    def answer(request: Request) -> bytes:
        if request.line.startswith("GET /a"):
            return response(b"", "302 Found", [("Location", "/b?key=sk-0123456789")])
        return response(b"x")

    with Server(answering(answer)) as server, client(secrets=SECRETS) as handler:
        call = Call()
        got(ask(handler, server.url("/a"), grant=grant(("x", "secret:KEY")), call=call))
        assert call.facts["url"] == server.url("/b?key=*************")


def test_a_request_with_a_secret_takes_nothing_compressed():
    squeezed = response(b"x", headers=[("Content-Encoding", "gzip")])
    with Server(answering(squeezed)) as server, client(secrets=SECRETS) as handler:
        asked = [("Accept-Encoding", "gzip")]
        value = ask(handler, server.url(), grant=grant(("x", "secret:KEY")), headers=asked)
        assert code(value) == "http.protocol"
        assert server.requests[0].header("accept-encoding") == "identity"
        plain = ask(handler, server.url(), headers=asked)
        assert got(plain)["body"] == b"x"
        assert server.requests[1].header("accept-encoding") == "gzip"


def test_a_secret_that_the_node_lacks_or_that_no_header_can_carry_refuses_the_request():
    with client(secrets={"BAD": "a\r\nX: 1", "EMPTY": " \n", "FILE": "tail\n"}) as handler:
        for name in ("NONE", "BAD", "EMPTY"):
            value = intent(handler, "http://127.0.0.1:1/", grant=grant(("x", f"secret:{name}")))
            assert code(value) == "permission.denied"
        with Server(answering(response(b"x"))) as server:
            got(ask(handler, server.url(), grant=grant(("x", "secret:FILE"))))
            assert server.requests[0].header("x") == "tail"


def test_a_secret_goes_in_clear_text_to_private_addresses_only(monkeypatch):
    # The server is on the loopback address; what is public is told otherwise for this test.
    from theater.handlers.http_client import exchange

    names: Resolver = Names(api_test=["127.0.0.1"])
    granted = HttpClientGrant(
        allow_private=True, allowed_hosts=("api.test:*",), headers=(("x", "secret:KEY"),)
    )
    open_grant = HttpClientGrant(allow_private=True)
    with (
        Server(answering(response(b"x"))) as server,
        client(secrets=SECRETS, resolver=names) as handler,
    ):
        uri = server.url(host="api.test")
        got(ask(handler, uri, grant=granted))
        monkeypatch.setattr(exchange, "is_public", lambda address: True)
        got(ask(handler, uri, grant=open_grant))
        value = ask(handler, uri, grant=granted)
        assert code(value) == "permission.denied"
    assert len(server.requests) == 2
