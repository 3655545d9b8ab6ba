"""Servers and resolvers that want to do harm."""

import socket
import threading
from collections.abc import Callable, Sequence

import pytest

from tests.handlers.http_client.servers import (
    WAIT_S,
    Call,
    Names,
    Request,
    Script,
    Server,
    answering,
    ask,
    client,
    code,
    got,
    response,
)
from theater.handlers.http_client import HttpClientGrant
from theater.values.types import Ok

Read = Callable[[], Request | None]


def sending(
    head: bytes, then: bytes | None = None, *, pause: threading.Event | None = None
) -> Script:
    """Sends a head and then the same bytes again and again, or closes."""

    def script(connection: socket.socket, read: Read) -> None:
        read()
        connection.sendall(head)
        while then is not None:
            connection.sendall(then)
            if pause is not None:
                pause.wait(0.02)

    return script


SMALL = HttpClientGrant(allow_private=True, max_response_bytes=1000, timeout_ms=20_000)
QUICK = HttpClientGrant(allow_private=True, timeout_ms=300)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_an_endless_body_ends_at_the_bound(head: bytes):
    with Server(sending(head, b"x" * 4096)) as server, client() as handler:
        assert code(ask(handler, server.url(), grant=SMALL)) == "http.too_large"


def test_an_endless_chunked_body_ends_at_the_bound():
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Server(sending(head, b"5\r\nabcde\r\n")) as server, client() as handler:
        assert code(ask(handler, server.url(), grant=SMALL)) == "http.too_large"


def test_a_body_of_the_bounds_size_is_taken_and_one_more_byte_is_not():
    for size, taken in ((1000, True), (1001, False)):
        with Server(answering(response(b"x" * size))) as server, client() as handler:
            value = ask(handler, server.url(), grant=SMALL)
            assert isinstance(value, Ok) is taken


def test_endless_headers_end():
    script = sending(b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"y" * 4000 + b"\r\n")
    with Server(script) as server, client() as handler:
        assert code(ask(handler, server.url(), grant=SMALL)) == "http.protocol"


@pytest.mark.parametrize(
    ("head", "drip"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
)
def test_a_slow_drip_ends_with_the_total_time(head: bytes, drip: bytes):
    never = threading.Event()
    with Server(sending(head, drip, pause=never)) as server, client() as handler:
        assert code(ask(handler, server.url(), grant=QUICK)) == "http.timeout"


def test_a_server_that_never_answers_ends_with_the_total_time():
    over = threading.Event()
    script = lambda connection, read: over.wait(WAIT_S)  # noqa: E731
    with Server(script) as server, client() as handler:
        assert code(ask(handler, server.url(), grant=QUICK)) == "http.timeout"
        # Nobody reads what is more than the buffers hold.
        assert code(ask(handler, server.url(), grant=QUICK, method="PUT", body=b"x" * 2**25)) == (
            "http.timeout"
        )
        over.set()


def test_a_resolver_that_never_answers_ends_with_the_total_time():
    over = threading.Event()

    class Slow:
        def resolve(self, host: str) -> Sequence[str]:
            over.wait(WAIT_S)
            return []

    with client(resolver=Slow()) as handler:
        assert code(ask(handler, "http://api.test/", grant=QUICK)) == "http.timeout"
        over.set()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nBad Header: 1\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.0\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"\x16\x03\x01" * 100,
    ],
)
def test_what_is_not_a_whole_response_is_an_error(answer: bytes):
    with Server(sending(answer)) as server, client() as handler:
        assert code(ask(handler, server.url())) == "http.protocol"


def test_bytes_behind_a_response_are_not_the_next_ones():
    forged = response(b"forged")
    count = iter(range(10))

    def answer(request: Request) -> bytes:
        return response(b"first") + forged if next(count) == 0 else response(b"second")

    with Server(answering(answer)) as server, client() as handler:
        assert got(ask(handler, server.url()))["body"] == b"first"
        assert got(ask(handler, server.url()))["body"] == b"second"


def test_nothing_listens():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with client() as handler:
        assert code(ask(handler, f"http://127.0.0.1:{port}/")) == "http.connect"


def test_no_such_name():
    with client(resolver=Names()) as handler:
        assert code(ask(handler, "http://nowhere.test/")) == "http.connect"


def test_a_post_on_a_connection_that_the_server_drops_is_sent_once():
    def script(connection: socket.socket, read: Read) -> None:
        read()
        connection.sendall(response(b"x"))
        read()

    with Server(script) as server, client() as handler:
        got(ask(handler, server.url()))
        value = ask(handler, server.url(), method="POST", body=b"pay")
        assert code(value) == "http.protocol"
        assert [request.line.split()[0] for request in server.requests] == ["GET", "POST"]
        assert server.connections == 1


def test_a_connection_that_the_server_closed_is_not_used_again():
    def script(connection: socket.socket, read: Read) -> None:
        read()
        connection.sendall(response(b"x"))

    with Server(script) as server, client() as handler:
        for _ in range(3):
            got(ask(handler, server.url()))
            for thread in server._threads:
                thread.join(WAIT_S)
        assert server.connections == 3


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["93.184.216.34", "10.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["fe80::1%eth0"],
        ["169.254.169.254"],
        ["100.64.0.1"],
        ["0.0.0.0"],
        ["64:ff9b::7f00:1"],
    ],
)
def test_a_name_with_an_address_that_is_not_public_is_refused(addresses: list[str]):
    grant = HttpClientGrant(allowed_hosts=("inner.test:*",))
    names = Names(inner_test=addresses)
    with Server(answering(response(b"x"))) as server, client(resolver=names) as handler:
        value = ask(handler, server.url(host="inner.test"), grant=grant)
        assert code(value) == "permission.denied"
        assert server.connections == 0


def test_multicast_and_unspecified_addresses_are_never_connected_to():
    names = Names(all_test=["0.0.0.0"], many_test=["224.0.0.1"], six_test=["::"])
    with client(resolver=names) as handler:
        for host in names.known:
            assert code(ask(handler, f"http://{host}/")) == "permission.denied"
        assert code(ask(handler, "http://0.0.0.0/")) == "permission.denied"


def test_the_address_that_was_checked_is_the_one_connected_to():
    class Rebinding:
        """Says something harmless first and the target afterwards."""

        def __init__(self) -> None:
            self.asked = 0

        def resolve(self, host: str) -> Sequence[str]:
            self.asked += 1
            return ["127.0.0.1"] if self.asked == 1 else ["127.0.0.2"]

    names = Rebinding()
    with Server(answering(response(b"x"))) as server, client(resolver=names) as handler:
        call = Call()
        got(ask(handler, server.url(host="flip.test"), call=call))
        assert names.asked == 1
        assert call.facts["address"] == "127.0.0.1"


def test_the_next_address_is_tried_when_one_does_not_answer():
    names = Names(two_test=["127.0.0.3", "127.0.0.1"])
    with Server(answering(response(b"x"))) as server, client(resolver=names) as handler:
        call = Call()
        got(ask(handler, server.url(host="two.test"), call=call))
        assert call.facts["address"] == "127.0.0.1"


def cancelled(uri: str, started: threading.Event, **options: object) -> None:
    """Assert that a request that is blocked ends when its actor is killed."""
    call = Call()
    grant = HttpClientGrant(allow_private=True, timeout_ms=600_000)
    values: list[object] = []
    with client(**options) as handler:
        thread = threading.Thread(
            target=lambda: values.append(ask(handler, uri, grant=grant, call=call)), daemon=True
        )
        thread.start()
        assert started.wait(WAIT_S)
        call.cancels[0]()
        thread.join(WAIT_S)
        assert not thread.is_alive()
    assert code(values[0]) == "http.cancelled"


def test_a_cancel_ends_a_request_that_waits_for_its_response():
    over = threading.Event()

    def script(connection: socket.socket, read: Read) -> None:
        read()
        over.wait(WAIT_S)

    with Server(script) as server:
        cancelled(server.url(), server.arrived)
        over.set()


def test_a_cancel_ends_a_request_in_the_middle_of_a_body():
    over = threading.Event()
    begun = threading.Event()

    def script(connection: socket.socket, read: Read) -> None:
        read()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        begun.set()
        over.wait(WAIT_S)

    with Server(script) as server:
        cancelled(server.url(), begun)
        over.set()


def test_a_cancel_ends_a_handshake():
    begun = threading.Event()
    over = threading.Event()

    def script(connection: socket.socket, read: Read) -> None:
        connection.recv(10)
        begun.set()
        over.wait(WAIT_S)

    with Server(script) as server:
        cancelled(server.url(scheme="https"), begun)
        over.set()


def test_a_cancel_ends_a_resolution():
    begun = threading.Event()
    over = threading.Event()

    class Slow:
        def resolve(self, host: str) -> Sequence[str]:
            begun.set()
            over.wait(WAIT_S)
            return []

    cancelled("http://api.test/", begun, resolver=Slow())
    over.set()


def test_a_cancel_ends_a_connection_attempt():
    # A listener whose queue is full answers no further attempts.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        begun = threading.Event()

        class Known:
            def resolve(self, host: str) -> Sequence[str]:
                begun.set()
                return ["127.0.0.1"]

        cancelled(f"http://full.test:{port}/", begun, resolver=Known())
        for filler in fillers:
            filler.close()


def test_a_cancel_after_the_end_changes_nothing():
    with Server(answering(response(b"x"))) as server, client() as handler:
        call = Call()
        kept: list[Callable[[], None]] = []
        register = call.on_cancel

        def on_cancel(cancel: Callable[[], None]) -> Callable[[], None]:
            kept.append(cancel)
            return register(cancel)

        call.on_cancel = on_cancel  # type: ignore[method-assign]
        got(ask(handler, server.url(), call=call))
        kept[0]()
        got(ask(handler, server.url()))
        assert server.connections == 1
