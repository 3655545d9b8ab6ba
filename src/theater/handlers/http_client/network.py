"""Connections to addresses that were checked, each operation within a deadline and ended by a cancel.

The library's pool asks this module for a connection to a name; the name is resolved here, every
address is checked, and the connection is made to one of those very addresses, so that a second
resolution can't say something else. What a blocked operation belongs to is its thread's Scope.
"""

from __future__ import annotations

import contextvars
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import httpcore2

from theater.handlers.http_client.addresses import (
    Address,
    Resolver,
    is_public,
    is_unicast,
    parse_address,
)
from theater.handlers.http_client.failure import Failure, denied

T = TypeVar("T")

CONNECT_SHARE_S: Final = 10.0
"""How long one address of several is tried."""


class Scope:
    """The time that one request has, and the way to end it from another thread.

    `private_only`: the request carries a secret in clear text, so that it may not leave the private
    network.
    """

    def __init__(self, timeout_ms: int) -> None:
        self._ends = time.monotonic() + timeout_ms / 1000
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._cancelled = False
        self._socket: socket.socket | None = None
        self.private_only = False

    def cancel(self) -> None:
        """End the request: a blocked operation returns at once. Called from any thread."""
        with self._lock:
            self._cancelled = True
            self._wake.set()
            if self._socket is not None:
                _shut_down(self._socket)

    def remaining_s(self) -> float:
        """Seconds until the deadline. Raises Failure if it is over or the request was cancelled."""
        if self._cancelled:
            raise Failure("http.cancelled", "the actor was stopped")
        left = self._ends - time.monotonic()
        if left <= 0:
            raise _timeout()
        return left

    @contextmanager
    def blocking(self, sock: socket.socket, at_most_s: float | None = None) -> Iterator[None]:
        """Around an operation of a socket that may wait; an OSError without Failure is the peer's."""
        with self._lock:
            left = self.remaining_s()
            self._socket = sock
        shared = at_most_s is not None and at_most_s < left
        try:
            sock.settimeout(at_most_s if shared else left)
            yield
        except OSError as error:
            self.remaining_s()
            if isinstance(error, TimeoutError) and not shared:
                raise _timeout() from None
            raise
        finally:
            with self._lock:
                self._socket = None
        # A socket that was shut down reads as one whose peer has closed.
        if self._cancelled:
            self.remaining_s()

    def aside(self, work: Callable[[], T]) -> T:
        """The result of work that can't be interrupted, which is left behind if the time is over."""
        results: list[T] = []
        errors: list[Exception] = []

        def run() -> None:
            try:
                results.append(work())
            except Exception as error:  # noqa: BLE001 - raised again by whoever waits
                errors.append(error)
            self._wake.set()

        with self._lock:
            left = self.remaining_s()
            self._wake.clear()
        threading.Thread(target=run, name="http-resolve", daemon=True).start()
        self._wake.wait(left)
        if results:
            return results[0]
        if errors:
            raise errors[0]
        self.remaining_s()
        raise _timeout()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Within it, operations of this thread's connections belong to this scope."""
        token = _SCOPE.set(self)
        try:
            yield
        finally:
            _SCOPE.reset(token)


_SCOPE: contextvars.ContextVar[Scope] = contextvars.ContextVar("http-client scope")


def _timeout() -> Failure:
    return Failure("http.timeout", "the request took longer than its grant allows")


def _shut_down(sock: socket.socket) -> None:
    # Not the method of an SSLSocket: that one first forgets its session, and a thread that is about
    # to write would write in clear text.
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        pass


class Stream(httpcore2.NetworkStream):
    """One connection, with or without TLS, to one checked address."""

    def __init__(self, sock: socket.socket, address: Address) -> None:
        self._socket = sock
        self._address = address

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes, b"" at the end."""
        try:
            with _SCOPE.get().blocking(self._socket):
                return self._socket.recv(max_bytes)
        except OSError as error:
            raise httpcore2.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send everything."""
        scope = _SCOPE.get()
        if scope.private_only and is_public(self._address):
            raise denied("a header with a secret goes to public addresses over https only")
        rest = memoryview(buffer)
        try:
            while rest:
                with scope.blocking(self._socket):
                    rest = rest[self._socket.send(rest) :]
        except OSError as error:
            raise httpcore2.WriteError(str(error)) from error

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> Stream:
        """The same connection with TLS, its certificate checked against the name."""
        try:
            # The handshake comes after the wrapping, so that a cancel finds the socket it is on.
            wrapped = ssl_context.wrap_socket(
                self._socket, server_hostname=server_hostname, do_handshake_on_connect=False
            )
            self._socket = wrapped
            with _SCOPE.get().blocking(wrapped):
                wrapped.do_handshake()
        except (OSError, ValueError) as error:
            self.close()
            reason = getattr(error, "verify_message", None) or getattr(error, "reason", None)
            raise Failure("http.tls", f"no trusted connection: {reason or error}") from error
        except Failure:
            self.close()
            raise
        return self

    def get_extra_info(self, info: str) -> object:
        """What the pool asks for, and the address under `server_addr`."""
        if info == "ssl_object":
            return self._socket if isinstance(self._socket, ssl.SSLSocket) else None
        if info == "server_addr":
            return str(self._address)
        if info == "is_readable":
            return _is_readable(self._socket)
        return None


def _is_readable(sock: socket.socket) -> bool:
    """Whether an idle connection has something to read: the end, or what nobody asked for."""
    if sock.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


class PinningBackend(httpcore2.NetworkBackend):
    """Makes connections to the addresses of a name that were checked, and to no other."""

    def __init__(self, resolver: Resolver, *, allow_private: bool) -> None:
        self._resolver = resolver
        self._allow_private = allow_private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[object] | None = None,
    ) -> Stream:
        """A connection to the first of the host's addresses that answers. Raises Failure."""
        scope = _SCOPE.get()
        addresses = self._addresses(host, scope)
        refused = ""
        for number, address in enumerate(addresses):
            last = number == len(addresses) - 1
            try:
                sock = _connect(address, port, scope, None if last else CONNECT_SHARE_S)
            except OSError as error:
                refused = error.strerror or str(error)
            else:
                return Stream(sock, address)
        raise Failure("http.connect", f"no connection to {host}: {refused or 'no address'}")

    def _addresses(self, host: str, scope: Scope) -> list[Address]:
        literal = parse_address(host)
        if literal is not None:
            addresses = [literal]
        else:
            addresses = self._resolved(host, scope)
        for address in addresses:
            check_address(address, allow_private=self._allow_private)
        return addresses

    def _resolved(self, host: str, scope: Scope) -> list[Address]:
        try:
            texts = scope.aside(lambda: self._resolver.resolve(host))
        except (OSError, UnicodeError) as error:
            raise Failure("http.connect", f"{host} has no address: {error}") from error
        addresses = [parse_address(text) for text in texts]
        if None in addresses:
            raise denied(f"{host} has an address that is not checked")
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
