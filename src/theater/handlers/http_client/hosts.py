"""Patterns of hosts, and of requests, in grants.

api.example.com         this host, on ports 80 and 443
*.example.com           every host below example.com, at any depth, but not example.com
127.0.0.1:8080          this address on this port; IPv6 addresses stand in brackets
localhost:*             this host on every port
*                       every host (in patterns of requests only)
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

STANDARD_PORTS: Final = frozenset({80, 443})

_PATTERN: Final = re.compile(r"(\[[^\[\]]*\]|[^:\[\]/]*)(?::(\d{1,5}|\*))?")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


def canonical_host(host: str) -> str | None:
    """A host as the patterns and the connection use it, or None if it can't be one.

    A DNS name in lower case without the dot at its end; a dotted quad; an IPv6 address in its short
    form, without brackets. Other spellings of IPv4 addresses (`0x7f.1`, `2130706433`), which
    resolvers understand differently, and IPv6 zones are not hosts.
    """
    if host.startswith("["):
        inner = host[1:-1]
        if not host.endswith("]") or "%" in inner:
            return None
        try:
            return str(ipaddress.IPv6Address(inner))
        except ValueError:
            return None
    name = host.lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return None
    if labels[-1].isdecimal() or re.fullmatch(r"0x[0-9a-f]*", labels[-1]):
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            return None
    return name


@dataclass(frozen=True, slots=True)
class HostPattern:
    """Which hosts and ports a pattern names. `ports` None is every port; `host` "" every host."""

    host: str
    below: bool
    ports: frozenset[int] | None

    @classmethod
    def parse(cls, text: str) -> HostPattern | None:
        """The pattern, or None if it is none."""
        match = _PATTERN.fullmatch(text)
        if match is None:
            return None
        below = match[1].startswith("*.")
        host = canonical_host(match[1][2:] if below else match[1])
        if host is None or (below and not host.rpartition(".")[2].strip("0123456789")):
            return None
        if match[2] is None:
            return cls(host, below, STANDARD_PORTS)
        if match[2] == "*":
            return cls(host, below, None)
        port = int(match[2])
        return cls(host, below, frozenset({port})) if 1 <= port <= 65535 else None

    def matches(self, host: str, port: int) -> bool:
        """Whether a canonical host and a port are among those named."""
        if self.ports is not None and port not in self.ports:
            return False
        if self.below:
            return host.endswith("." + self.host)
        return not self.host or host == self.host

    def meet(self, other: HostPattern) -> HostPattern | None:
        """What both patterns name, or None if that is nothing."""
        narrower = self._narrower(other) or other._narrower(self)
        ports = self.ports if other.ports is None else other.ports
        if self.ports is not None and other.ports is not None:
            ports = self.ports & other.ports
        if narrower is None or (ports is not None and not ports):
            return None
        return HostPattern(narrower.host, narrower.below, ports)

    def _narrower(self, other: HostPattern) -> HostPattern | None:
        """The pattern itself, if every host of it is one of the other's."""
        if not other.host or (self.host, self.below) == (other.host, other.below):
            return self
        if other.below and self.host and self.host.endswith("." + other.host):
            return self
        return None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host or "*"
        name = f"*.{host}" if self.below else host
        if self.ports == STANDARD_PORTS:
            return name
        return f"{name}:*" if self.ports is None else f"{name}:{min(self.ports)}"


ANYWHERE: Final = HostPattern("", below=False, ports=None)


@dataclass(frozen=True, slots=True)
class RequestPattern:
    """Methods, hosts and a prefix of paths: `POST api.openai.com/v1/`.

    Methods are one, several with commas, or `*`. The host is a pattern as above or `*`; without host
    it is every request of these methods. A path's prefix that ends in `/` covers what is below it; one
    that doesn't covers that path and what is below it. Paths are compared as they are sent.
    """

    methods: frozenset[str] | None
    host: HostPattern
    path: str

    @classmethod
    def parse(cls, text: str) -> RequestPattern | None:
        """The pattern, or None if it is none."""
        named, _, place = text.partition(" ")
        methods = None if named == "*" else frozenset(named.split(","))
        if methods is not None and not all(re.fullmatch(r"[A-Z]{1,32}", name) for name in methods):
            return None
        if not place:
            return None if text.endswith(" ") else cls(methods, ANYWHERE, "/")
        authority, slash, rest = place.partition("/")
        host = ANYWHERE if authority == "*" else HostPattern.parse(authority)
        if host is None or not re.fullmatch(r"[!-~]*", rest) or "?" in rest or "#" in rest:
            return None
        return cls(methods, host, slash + rest or "/")

    def matches(self, method: str, host: str, port: int, path: str) -> bool:
        """Whether a request is among those named."""
        if self.methods is not None and method not in self.methods:
            return False
        return self.host.matches(host, port) and self._holds(path)

    def meet(self, other: RequestPattern) -> RequestPattern | None:
        """What both patterns name, or None if that is nothing."""
        host = self.host.meet(other.host)
        if self._holds(other.path):
            path = other.path
        elif other._holds(self.path):
            path = self.path
        else:
            return None
        methods = self.methods if other.methods is None else other.methods
        if self.methods is not None and other.methods is not None:
            methods = self.methods & other.methods
        if host is None or (methods is not None and not methods):
            return None
        return RequestPattern(methods, host, path)

    def _holds(self, path: str) -> bool:
        prefix = self.path if self.path.endswith("/") else self.path + "/"
        return path == self.path or path.startswith(prefix)

    def __str__(self) -> str:
        methods = "*" if self.methods is None else ",".join(sorted(self.methods))
        return f"{methods} {'*' if self.host == ANYWHERE else self.host}{self.path}"
