"""Connections to addresses that were checked.

A name is resolved here, every address of it is checked, and the connection is made to one of those
very addresses, so that a second resolution can't say something else.
"""

from __future__ import annotations

import select
import socket
import ssl
from dataclasses import dataclass
from typing import Final

from theater.handlers.http_client.addresses import (
    Address,
    Resolver,
    is_public,
    is_unicast,
    parse_address,
)
from theater.handlers.http_client.failure import Failure, denied
from theater.handlers.http_client.scope import Scope

CONNECT_SHARE_S: Final = 10.0
"""How long one address of several is tried."""


class Stream:
    """One connection, with or without TLS, to one checked address.

    An OSError of `read` and `write` is the peer's doing or the network's; a Failure is the scope's.
    """

    def __init__(self, sock: socket.socket, address: Address) -> None:
        self._socket = sock
        self.address = address

    def read(self, scope: Scope, max_bytes: int) -> bytes:
        """The next bytes, b"" at the end."""
        with scope.blocking(self._socket):
            return self._socket.recv(max_bytes)

    def write(self, scope: Scope, data: bytes) -> None:
        """Send everything."""
        rest = memoryview(data)
        while rest:
            with scope.blocking(self._socket):
                rest = rest[self._socket.send(rest) :]

    def start_tls(self, scope: Scope, context: ssl.SSLContext, name: str) -> None:
        """Go on with TLS, the certificate checked against the name. Raises Failure."""
        try:
            # The handshake comes after the wrapping, so that a cancel finds the socket it is on.
            wrapped = context.wrap_socket(
                self._socket, server_hostname=name, do_handshake_on_connect=False
            )
            self._socket = wrapped
            with scope.blocking(wrapped):
                wrapped.do_handshake()
        except (OSError, ValueError) as error:
            reason = getattr(error, "verify_message", None) or getattr(error, "reason", None)
            raise Failure("http.tls", f"no trusted connection: {reason or error}") from error

    def is_readable(self) -> bool:
        """Whether there is something to read at once: the end, or bytes that nobody asked for."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


@dataclass(frozen=True, slots=True)
class Dialer:
    """Makes connections to the addresses of a name that were checked, and to no other."""

    resolver: Resolver

    def connect(self, host: str, port: int, scope: Scope, *, allow_private: bool) -> Stream:
        """A connection to the first of the host's addresses that answers. Raises Failure."""
        addresses = self._addresses(host, scope)
        for address in addresses:
            check_address(address, allow_private=allow_private)
        refused = "it has no address"
        for number, address in enumerate(addresses):
            last = number == len(addresses) - 1
            try:
                return Stream(
                    _connect(address, port, scope, None if last else CONNECT_SHARE_S), address
                )
            except OSError as error:
                refused = error.strerror or str(error)
        raise Failure("http.connect", f"no connection to {host}: {refused}")

    def _addresses(self, host: str, scope: Scope) -> list[Address]:
        literal = parse_address(host)
        if literal is not None:
            return [literal]
        try:
            texts = scope.aside(lambda: self.resolver.resolve(host))
        except (OSError, UnicodeError) as error:
            raise Failure("http.connect", f"{host} has no address: {error}") from error
        addresses = [parse_address(text) for text in texts]
        if None in addresses:
            raise denied(f"{host} has an address that can't be checked")
        return [address for address in addresses if address is not None]


def check_address(address: Address, *, allow_private: bool) -> None:
    """Raise Failure if an address may not be connected to."""
    if not is_unicast(address):
        raise denied("the host's address is a multicast or unspecified one")
    if not allow_private and not is_public(address):
        raise denied("the host's address is not in the public internet (allow_private = false)")


def _connect(address: Address, port: int, scope: Scope, at_most_s: float | None) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        with scope.blocking(sock, at_most_s):
            sock.connect((str(address), port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock
