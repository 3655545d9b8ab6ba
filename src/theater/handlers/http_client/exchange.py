"""One request and its redirects, within the bounds of a grant.

Nothing is sent twice here: a request that was begun on a connection that the server had just closed
ends with an error, whatever its method.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import h11

from theater.handlers.http_client.addresses import Resolver, is_public, parse_address
from theater.handlers.http_client.connection import Connection, Idle
from theater.handlers.http_client.failure import Failure, denied
from theater.handlers.http_client.grant import HttpClientGrant
from theater.handlers.http_client.network import Dialer, check_address
from theater.handlers.http_client.request import Outgoing, Target
from theater.handlers.http_client.scope import Scope
from theater.handlers.http_client.secrets import Added

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
        self._dialer = Dialer(resolver)
        self._tls = tls
        self._lock = threading.Lock()
        self._idle = Idle()

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
            adding = added if at_home else added.without_headers()
            with self._connection(request.target, grant, scope) as connection:
                _check_secrets(request.target, adding, connection)
                headers = _headers(request, adding, key)
                target = request.target.path + request.target.query
                connection.send(scope, request.method, target, headers, request.body)
                head = connection.head(scope)
                location = _location(head)
                if location is None or grant.max_redirects == 0:
                    _check_encoding(head, added)
                    return Received(
                        status=head.status_code,
                        headers=tuple(head.headers),
                        body=_body(connection, scope, head, request.method, grant),
                        url=str(request.target),
                        address=str(connection.stream.address),
                        redirects=redirects,
                    )
            if redirects == grant.max_redirects:
                raise Failure("http.redirects", f"more than {grant.max_redirects} redirects")
            request = request.following(request.target.redirected(location), head.status_code)
            redirects += 1

    def close(self) -> None:
        """Close every idle connection."""
        self._idle.close()

    @contextmanager
    def _connection(
        self, target: Target, grant: HttpClientGrant, scope: Scope
    ) -> Iterator[Connection]:
        """A connection to the target, kept afterwards if it can serve another request."""
        key = (*target.origin, grant.allow_private)
        connection = self._idle.take(key)
        if connection is None:
            stream = self._dialer.connect(
                target.host, target.port, scope, allow_private=grant.allow_private
            )
            connection = Connection(stream)
        try:
            if target.scheme == "https" and not connection.used:
                connection.stream.start_tls(scope, self._context(), target.host)
            yield connection
        except BaseException:
            connection.close()
            raise
        self._idle.give(key, connection)

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            if self._tls is None:
                self._tls = ssl.create_default_context()
            return self._tls


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


def _check_secrets(target: Target, added: Added, connection: Connection) -> None:
    if target.scheme == "http" and added.carries_secret and is_public(connection.stream.address):
        raise denied("a header with a secret goes to public addresses over https only")


def _check_encoding(head: h11.Response, added: Added) -> None:
    for name, value in head.headers:
        if name == b"content-encoding" and value.lower() != b"identity" and added.hidden:
            raise Failure("http.protocol", "a compressed answer to a request that forbids it")


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


def _location(head: h11.Response) -> bytes | None:
    if head.status_code not in _REDIRECTS:
        return None
    return next((value for name, value in head.headers if name == b"location"), None)


def _body(
    connection: Connection, scope: Scope, head: h11.Response, method: str, grant: HttpClientGrant
) -> bytes:
    """The body as it came, at most `max_response_bytes` of it."""
    bound = grant.max_response_bytes
    too_large = Failure("http.too_large", f"the response has more than {bound} bytes")
    for name, value in head.headers:
        # The answers to HEAD and to a condition have a length and no body.
        bodiless = method == "HEAD" or head.status_code == 304
        if name == b"content-length" and not bodiless and int(value) > bound:
            raise too_large
    parts: list[bytes] = []
    size = 0
    for part in connection.body(scope):
        size += len(part)
        if size > bound:
            raise too_large
        parts.append(part)
    return b"".join(parts)
