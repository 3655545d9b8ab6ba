"""One request and its redirects, from connections of a pool, within the bounds of a grant.

Nothing is sent twice here: a request that was begun on a connection that the server had just closed
ends with an error, whatever its method.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import httpcore2

from theater import limits
from theater.handlers.http_client.addresses import Resolver, parse_address
from theater.handlers.http_client.failure import Failure, denied
from theater.handlers.http_client.grant import HttpClientGrant
from theater.handlers.http_client.network import PinningBackend, Scope, check_address
from theater.handlers.http_client.request import Outgoing
from theater.handlers.http_client.secrets import Added

KEEP_ALIVE_S: Final = 4.0
"""Shorter than the 5 s after which common servers close an idle connection."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Received:
    """A whole response, with where it came from at last. Header names are in lower case."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    url: str
    address: str
    redirects: int


class Transport:
    """The connections of a node's HTTP client.

    Grants with and without `allow_private` don't share any: a connection that was checked under one
    rule is not used under the other. Called from many threads.
    """

    def __init__(self, resolver: Resolver, tls: ssl.SSLContext | None = None) -> None:
        self._resolver = resolver
        self._tls = tls
        self._lock = threading.Lock()
        self._pools: dict[bool, httpcore2.ConnectionPool] = {}

    def exchange(
        self, request: Outgoing, grant: HttpClientGrant, added: Added, key: str, scope: Scope
    ) -> Received:
        """The response to a request, after its redirects. Raises Failure."""
        origin = request.target.origin
        at_home = True
        redirects = 0
        while True:
            check_grant(request, grant)
            at_home = at_home and request.target.origin == origin
            with self._open(request, grant, added if at_home else _nothing(added), key, scope) as (
                response,
                address,
            ):
                location = _location(response)
                if location is None or grant.max_redirects == 0:
                    return Received(
                        response.status,
                        tuple((name.lower(), value) for name, value in response.headers),
                        _body(
                            request.method,
                            response,
                            grant.max_response_bytes,
                            plain=bool(added.hidden),
                        ),
                        str(request.target),
                        address,
                        redirects,
                    )
            if redirects == grant.max_redirects:
                raise Failure("http.redirects", f"more than {grant.max_redirects} redirects")
            request = request.following(request.target.redirected(location), response.status)
            redirects += 1

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            pools = list(self._pools.values())
            self._pools.clear()
        for pool in pools:
            pool.close()

    def _pool(self, allow_private: bool) -> httpcore2.ConnectionPool:
        with self._lock:
            pool = self._pools.get(allow_private)
            if pool is None:
                if self._tls is None:
                    self._tls = ssl.create_default_context()
                pool = self._pools[allow_private] = httpcore2.ConnectionPool(
                    ssl_context=self._tls,
                    # Never waited for: the callers' threads are the bound.
                    max_connections=None,
                    max_keepalive_connections=limits.HTTP_IDLE_CONNECTIONS_MAX,
                    keepalive_expiry=KEEP_ALIVE_S,
                    network_backend=PinningBackend(self._resolver, allow_private=allow_private),
                )
            return pool

    @contextmanager
    def _open(
        self, request: Outgoing, grant: HttpClientGrant, added: Added, key: str, scope: Scope
    ) -> Iterator[tuple[httpcore2.Response, str]]:
        target = request.target
        carries_secret = bool(added.headers and added.hidden)
        scope.private_only = carries_secret and target.scheme == "http"
        wire = httpcore2.Request(
            request.method.encode(),
            httpcore2.URL(
                scheme=target.scheme.encode(),
                host=target.host.encode(),
                port=target.port,
                target=(target.path + target.query).encode(),
            ),
            headers=_headers(request, added, key),
            content=request.body or b"",
        )
        with scope.entered(), _failures():
            response = self._pool(grant.allow_private).handle_request(wire)
            try:
                stream = response.extensions["network_stream"]
                if response.status == 101:
                    raise Failure("http.protocol", "the server changed to another protocol")
                yield response, str(stream.get_extra_info("server_addr"))
            finally:
                response.close()


def check_grant(request: Outgoing, grant: HttpClientGrant) -> None:
    """Raise Failure if the grant does not allow a request, as far as can be told without resolving."""
    target = request.target
    if not grant.allows(request.method, target.host, target.port):
        raise denied(
            f"{request.method} {target.authority} is not among this actor's"
            " allowed_hosts and allowed_methods"
        )
    literal = parse_address(target.host)
    if literal is not None:
        check_address(literal, allow_private=grant.allow_private)


def _nothing(added: Added) -> Added:
    """What is left of the grant's headers at another origin: only what is to be hidden."""
    return Added((), added.hidden)


def _headers(request: Outgoing, added: Added, key: str) -> list[tuple[bytes, bytes]]:
    own = {name for name, _ in added.headers}
    if added.hidden:
        own.add("accept-encoding")
    guests = [(name, value) for name, value in request.headers if name.lower() not in own]
    lines = [("Host", request.target.authority), *guests, *added.headers, *request.framing()]
    if added.hidden:
        lines.append(("Accept-Encoding", "identity"))
    if not any(name.lower() == "user-agent" for name, _ in lines):
        lines.append(("User-Agent", "theater"))
    lines.append(("Idempotency-Key", key))
    return [(name.encode(), value.encode("latin-1")) for name, value in lines]


def _location(response: httpcore2.Response) -> bytes | None:
    if response.status not in _REDIRECTS:
        return None
    return next((value for name, value in response.headers if name.lower() == b"location"), None)


def _body(method: str, response: httpcore2.Response, bound: int, *, plain: bool) -> bytes:
    """The body as it came, at most `bound` bytes. `plain`: a compressed one is not taken."""
    for name, value in response.headers:
        lowered = name.lower()
        if plain and lowered == b"content-encoding" and value.lower() != b"identity":
            raise Failure("http.protocol", "a compressed answer to a request that forbids it")
        # The answer to HEAD has a length and no body.
        announced = lowered == b"content-length" and method != "HEAD" and value.isdigit()
        if announced and int(value) > bound:
            raise _too_large(bound)
    chunks: list[bytes] = []
    size = 0
    assert isinstance(response.stream, Iterable)
    for chunk in response.stream:
        size += len(chunk)
        if size > bound:
            raise _too_large(bound)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(bound: int) -> Failure:
    return Failure("http.too_large", f"the response has more than {bound} bytes")


@contextmanager
def _failures() -> Iterator[None]:
    """The library's exceptions as the guest's errors."""
    try:
        yield
    except (httpcore2.ReadError, httpcore2.WriteError) as error:
        raise Failure("http.protocol", f"the connection was lost: {error}") from error
    except httpcore2.ProtocolError as error:
        raise Failure("http.protocol", str(error)) from error
