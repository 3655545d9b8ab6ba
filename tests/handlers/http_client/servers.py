"""Servers on the loopback address that answer as a test says, byte by byte if it wants."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from theater.handlers.http_client import HttpClientGrant, HttpClientHandler
from theater.handlers.port import Intent
from theater.values.types import Err, Ok

TLS = Path(__file__).parent / "tls"
WAIT_S = 20


@dataclass(frozen=True, slots=True)
class Request:
    """One request as a server got it."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


Script = Callable[[socket.socket, Callable[[], Request | None]], None]


class Server:
    """Runs a script for each connection. `requests` has what came, `connections` how many."""

    def __init__(self, script: Script, tls: bool = False) -> None:
        self._script = script
        self._context = None
        if tls:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(TLS / "server.pem", TLS / "server.key")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[Request] = []
        self.connections = 0
        self.names: list[str] = []
        self.arrived = threading.Event()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            self._script(connection, lambda: self._read(connection))
        except OSError:
            pass
        finally:
            connection.close()

    def _read(self, connection: socket.socket) -> Request | None:
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        line, *rest = head.decode("latin-1").split("\r\n")
        headers = [
            (name, value.strip()) for name, _, value in (text.partition(":") for text in rest)
        ]
        request = Request(line, headers, b"")
        length = int(request.header("content-length") or 0)
        while len(body) < length:
            body += connection.recv(65536)
        request = Request(line, headers, body)
        self.requests.append(request)
        self.arrived.set()
        return request

    def __enter__(self) -> Server:
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(WAIT_S)
        for connection in self._open:
            try:
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join(WAIT_S)
            assert not thread.is_alive()

    def url(self, path: str = "/", host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


def response(
    body: bytes = b"", status: str = "200 OK", headers: Sequence[tuple[str, str]] = ()
) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
    lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def answering(answer: Callable[[Request], bytes] | bytes) -> Script:
    """Answers every request of a connection, until the client closes it."""

    def script(connection: socket.socket, read: Callable[[], Request | None]) -> None:
        while (request := read()) is not None:
            connection.sendall(answer if isinstance(answer, bytes) else answer(request))

    return script


@dataclass
class Call:
    """A host call as the HTTP client sees one."""

    facts: dict[str, object] = field(default_factory=dict)
    cancels: list[Callable[[], None]] = field(default_factory=list)

    def on_cancel(self, cancel: Callable[[], None]) -> Callable[[], None]:
        self.cancels.append(cancel)
        return lambda: self.cancels.remove(cancel)


class Names:
    """A resolver that knows what a test tells it, and counts."""

    def __init__(self, **names: Sequence[str]) -> None:
        self.known = {name.replace("_", "."): addresses for name, addresses in names.items()}
        self.asked: list[str] = []

    def resolve(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        if host not in self.known:
            raise OSError(f"no name {host}")
        return self.known[host]


PRIVATE = HttpClientGrant(allow_private=True, timeout_ms=20_000)


@contextmanager
def client(**options: object) -> Iterator[HttpClientHandler]:
    handler = HttpClientHandler(**options)  # type: ignore[arg-type]
    try:
        yield handler
    finally:
        handler.close()


def ask(
    handler: HttpClientHandler,
    uri: str,
    *,
    grant: HttpClientGrant = PRIVATE,
    method: str = "GET",
    headers: Sequence[tuple[str, str]] = (),
    body: bytes | None = None,
    call: Call | None = None,
    key: str = "key-1",
) -> Ok | Err:
    """What a guest gets for a request, its intent carried out once."""
    made = intent(handler, uri, grant=grant, method=method, headers=headers, body=body, call=call)
    if isinstance(made, Err):
        return made
    value = made.perform(key)
    assert isinstance(value, (Ok, Err))
    return value


def intent(
    handler: HttpClientHandler,
    uri: str,
    *,
    grant: HttpClientGrant = PRIVATE,
    method: str = "GET",
    headers: Sequence[tuple[str, str]] = (),
    body: bytes | None = None,
    call: Call | None = None,
) -> Intent | Err:
    run = handler.functions(grant)["theater:simple/http-client"]["send-http"].run
    request = {"method": method, "uri": uri, "headers": list(headers), "body": body}
    made = run(call or Call(), request)
    assert isinstance(made, (Intent, Err))
    return made


def code(value: object) -> str:
    """The code of an error that a guest got."""
    assert isinstance(value, Err), value
    return str(value.value).partition(":")[0]


def got(value: object) -> dict[str, object]:
    """The response that a guest got."""
    assert isinstance(value, Ok), value
    assert isinstance(value.value, dict)
    return value.value
