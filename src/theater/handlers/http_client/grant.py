"""The grant of the HTTP client: which requests an actor may make, and what the host adds to them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from theater import limits
from theater.handlers.http_client.hosts import HostPattern, RequestPattern
from theater.manifest.grants import Flag, Forbidden, Grant, Names, Number, Size, setting
from theater.manifest.table import Table

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods whose interrupted requests are made again unless the grant says otherwise."""

HeaderPairs = tuple[tuple[str, str], ...]
"""Names in lower case with their values."""

NEVER: Final = frozenset({"CONNECT", "TRACE"})
"""Methods that no grant allows: a tunnel, and an echo of the headers with their secrets."""

HOST_SET: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "idempotency-key",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that belong to the connection or to the host, not to guest or grant."""

TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
VALUE: Final = re.compile(r"[\t \x21-\x7e\x80-\xff]*")
_SECRET: Final = re.compile(r"(?:^|(?<= ))secret:([A-Za-z_][A-Za-z0-9_]{0,127})$")


def secret_in(value: str) -> str | None:
    """The name of the secret that a header's value ends with: `secret:NAME`, `Bearer secret:NAME`."""
    match = _SECRET.search(value)
    return match[1] if match else None


def _host(text: str) -> str | None:
    if HostPattern.parse(text) is None:
        return f"{text!r} is not a host: write api.example.com, *.example.com or 127.0.0.1:8080"
    return None


def _narrower_host(mine: str, other: str) -> str | None:
    left, right = HostPattern.parse(mine), HostPattern.parse(other)
    met = left.meet(right) if left and right else None
    return str(met) if met else None


def _method(text: str) -> str | None:
    if text in NEVER:
        return f"{text} is never allowed"
    return None if re.fullmatch(r"[A-Z]{1,32}", text) else f"{text!r} is not a method in capitals"


def _request(text: str) -> str | None:
    if RequestPattern.parse(text) is None:
        return f'{text!r} is not a pattern like "POST api.example.com/v1/"'
    return None


def _narrower_request(mine: str, other: str) -> str | None:
    left, right = RequestPattern.parse(mine), RequestPattern.parse(other)
    met = left.meet(right) if left and right else None
    return str(met) if met else None


@dataclass(frozen=True, slots=True)
class Headers:
    """Headers by name; only those that both have, with the same value, are in the meet.

    So a child gets a header with a secret only if its parent's grant sends that secret too, and, by the
    meet of `allowed_hosts`, only to hosts that the parent may send it to.
    """

    def read(self, table: Table, name: str, default: HeaderPairs) -> HeaderPairs:
        inner = table.table(name)
        if inner is None:
            return default
        headers: dict[str, str] = {}
        for header, value in inner.values.items():
            path = (*inner.path, header)
            lowered = header.lower()
            if not TOKEN.fullmatch(header):
                table.problems.add(path, f"{header!r} is not the name of a header")
            elif lowered in HOST_SET:
                table.problems.add(path, f"{header} is set by the host")
            elif lowered in headers:
                table.problems.add(path, f"{header} is there twice")
            elif not isinstance(value, str) or not VALUE.fullmatch(value):
                table.problems.add_value(path, f"{header} must be a string of printable characters")
            elif "secret:" in value and secret_in(value) is None:
                table.problems.add_value(
                    path, "a secret is named at the end of a value", 'write "Bearer secret:NAME"'
                )
            else:
                headers[lowered] = value.strip()
        return tuple(headers.items())

    def meet(self, mine: HeaderPairs, other: HeaderPairs) -> HeaderPairs:
        return tuple(pair for pair in mine if pair in other)

    def plain(self, value: HeaderPairs) -> object:
        return dict(value)


@dataclass(frozen=True, slots=True)
class HttpClientGrant(Grant):
    """Which requests an actor may make.

    `allowed_hosts` None is every public host; `allowed_methods` None every method but CONNECT and
    TRACE. `headers` are added by the host, by lower-case name; a value may end in `secret:NAME`, and
    then `allowed_hosts` must say where the secret may go. `max_redirects` 0 gives redirects to the
    guest as they are.

    An interrupted request is made again if a pattern of `retry` names it, or its method is one of
    GET, HEAD, OPTIONS, PUT, DELETE; and no pattern of `fail` names it. Patterns: hosts.py.
    """

    type: ClassVar[str] = "http-client"

    allowed_hosts: tuple[str, ...] | None = setting(
        Names(check=_host, narrower=_narrower_host), default=None
    )
    allowed_methods: tuple[str, ...] | None = setting(Names(check=_method), default=None)
    max_redirects: int = setting(
        Number(0, limits.HTTP_REDIRECTS_MAX), default=limits.HTTP_REDIRECTS
    )
    timeout_ms: int = setting(Number(1, limits.HTTP_TIMEOUT_MS_MAX), default=limits.HTTP_TIMEOUT_MS)
    max_response_bytes: int = setting(
        Size(0, limits.HTTP_RESPONSE_BYTES_MAX), default=limits.HTTP_RESPONSE_BYTES
    )
    headers: tuple[tuple[str, str], ...] = setting(Headers(), default=())
    allow_private: bool = setting(Flag(), default=False)
    retry: tuple[str, ...] | None = setting(
        Names(check=_request, narrower=_narrower_request), default=()
    )
    fail: tuple[str, ...] = setting(Forbidden(check=_request), default=())

    def check(self, table: Table) -> None:
        """Note a secret that would go wherever the guest wants."""
        if self.allowed_hosts is None and any(secret_in(value) for _, value in self.headers):
            table.problems.add(
                (*table.path, "headers"),
                "a header with a secret needs allowed_hosts",
                "list the hosts that the secret may be sent to",
            )

    def allows(self, method: str, host: str, port: int) -> bool:
        """Whether a request of this method to this canonical host and port is allowed."""
        if method in NEVER:
            return False
        if self.allowed_methods is not None and method not in self.allowed_methods:
            return False
        if self.allowed_hosts is None:
            return True
        patterns = (HostPattern.parse(text) for text in self.allowed_hosts)
        return any(pattern.matches(host, port) for pattern in patterns if pattern)

    def retries(self, method: str, host: str, port: int, path: str) -> bool:
        """Whether such a request is made again if it was interrupted."""
        if _named(self.fail, method, host, port, path):
            return False
        return method in IDEMPOTENT or _named(self.retry or (), method, host, port, path)


def _named(texts: tuple[str, ...], method: str, host: str, port: int, path: str) -> bool:
    patterns = (RequestPattern.parse(text) for text in texts)
    return any(pattern.matches(method, host, port, path) for pattern in patterns if pattern)
