"""A guest's request, checked by its form alone: URL, method, headers, body.

What two programs could read differently is refused instead of interpreted: other spellings of
IPv4 addresses, user names in URLs, backslashes, control characters, characters outside ASCII.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urljoin

from theater import limits
from theater.handlers.http_client.failure import Failure, malformed
from theater.handlers.http_client.grant import HOST_SET, NEVER, TOKEN, VALUE
from theater.handlers.http_client.hosts import canonical_host

PORTS: Final = {"http": 80, "https": 443}

_URL: Final = re.compile(r"(https?)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?", re.IGNORECASE)
_AUTHORITY: Final = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]+)(?::(\d{0,5}))?")
_METHOD: Final = re.compile(r"[A-Z]{1,32}")
_BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
_REFUSED: Final = frozenset({"idempotency-key"})


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes. `host` is canonical (hosts.py), `path` without query as it is sent."""

    scheme: str
    host: str
    port: int
    path: str
    query: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """What decides whether credentials may follow a redirect. Source: RFC 6454."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}{self.query}"

    def redirected(self, location: bytes) -> Target:
        """Where a Location header leads to from here. Raises Failure."""
        text = quote(location, safe="!#$%&'()*+,/:;=?@[]~\\^`{|}\"<>")
        try:
            return parse_target(urljoin(str(self), text))
        except (Failure, ValueError) as error:
            raise Failure("http.protocol", f"a redirect to no usable URL: {error}") from None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request that can be made. Headers are (name, value) as the guest gave them, in its order."""

    method: str
    target: Target
    headers: tuple[tuple[str, str], ...]
    body: bytes | None

    def following(self, target: Target, status: int) -> Outgoing:
        """The request that a redirect with this status asks for. Source: the Fetch standard, 4.4."""
        method, body, headers = self.method, self.body, self.headers
        turned = status in (301, 302) and method == "POST"
        if turned or (status == 303 and method not in ("GET", "HEAD")):
            method, body = "GET", None
            headers = tuple(pair for pair in headers if not pair[0].lower().startswith("content-"))
        if target.origin != self.target.origin:
            headers = tuple(pair for pair in headers if pair[0].lower() not in CREDENTIALS)
        return Outgoing(method, target, headers, body)

    def framing(self) -> tuple[tuple[str, str], ...]:
        """The header that says how long the body is, where one is needed."""
        if self.body is None and self.method in _BODILESS:
            return ()
        return (("Content-Length", str(len(self.body or b""))),)


CREDENTIALS: Final = frozenset({"authorization", "cookie", "x-api-key", "api-key"})
"""Headers of the guest that don't follow a redirect to another origin."""


def parse_target(uri: str) -> Target:
    """The target that a URL means. Raises Failure."""
    if len(uri) > limits.HTTP_URI_BYTES_MAX:
        raise malformed(f"a URL has at most {limits.HTTP_URI_BYTES_MAX} bytes")
    if not re.fullmatch(r"[!-~]*", uri) or "\\" in uri:
        raise malformed("a URL has only printable ASCII characters, no spaces and no backslash")
    match = _URL.fullmatch(uri)
    if match is None:
        raise malformed("a URL starts with http:// or https:// and a host")
    scheme, authority = match[1].lower(), match[2]
    if "@" in authority:
        raise malformed("a URL with a user's name or password is not accepted")
    parts = _AUTHORITY.fullmatch(authority)
    host = canonical_host(parts[1]) if parts else None
    if parts is None or host is None:
        raise malformed("the URL's host is neither a name nor a usual spelling of an address")
    port = int(parts[2]) if parts[2] else PORTS[scheme]
    if not 1 <= port <= 65535:
        raise malformed("the URL's port is not between 1 and 65535")
    return Target(scheme, host, port, match[3] or "/", match[4] or "")


def check_request(request: dict[str, object]) -> Outgoing:
    """The request that a guest's `http-request` record means. Raises Failure.

    Headers of the connection (Host, Content-Length, Transfer-Encoding …) are left out: the host
    sets its own. An Idempotency-Key is refused: the host's key is what makes a repetition safe, and a
    guest's could name another actor's request to the same service.
    """
    method, uri, body = request["method"], request["uri"], request["body"]
    headers = request["headers"]
    if not (isinstance(method, str) and isinstance(uri, str) and isinstance(headers, list)):
        raise TypeError("not an http-request")
    if body is not None and not isinstance(body, bytes):
        raise TypeError("not an http-request")
    name = method.upper() if method.isascii() else method
    if not _METHOD.fullmatch(name):
        raise malformed("a method has 1 to 32 letters")
    if name in NEVER:
        raise Failure("permission.denied", f"{name} is never allowed")
    if body is not None and len(body) > limits.HTTP_REQUEST_BYTES_MAX:
        raise Failure(
            "http.too_large", f"a request's body has at most {limits.HTTP_REQUEST_BYTES_MAX} bytes"
        )
    return Outgoing(name, parse_target(uri), tuple(_headers(headers)), body)


def _headers(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    size = sum(len(name) + len(value) for name, value in headers)
    if len(headers) > limits.HTTP_HEADERS_MAX or size > limits.HTTP_HEADER_BYTES_MAX:
        raise Failure(
            "http.too_large",
            f"a request has at most {limits.HTTP_HEADERS_MAX} headers"
            f" and {limits.HTTP_HEADER_BYTES_MAX} bytes of them",
        )
    kept: list[tuple[str, str]] = []
    for name, value in headers:
        if not TOKEN.fullmatch(name):
            raise malformed("a header's name has characters that names can't have")
        if not VALUE.fullmatch(value):
            raise malformed(f"the value of {name} has characters that values can't have")
        if name.lower() in _REFUSED:
            raise malformed(f"{name} is set by the host")
        if name.lower() not in HOST_SET:
            kept.append((name, value.strip()))
    return kept
