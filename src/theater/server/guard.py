"""Who is let in: the token, and the Host and Origin that a browser was made to send.

A page on the web can make a browser call a server on this machine, and can point its own name at
127.0.0.1 to read the answers (DNS rebinding). Neither gets past a check of the names that the
browser itself puts into Host and Origin: a name that is not ours is not let in. An address instead
of a name can't be rebound.
"""

from __future__ import annotations

import hmac
import ipaddress

from theater.errors import Denied, UsageError
from theater.server.exchange import Exchange
from theater.server.settings import ServerSettings, is_loopback

_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


class Guard:
    """Built once for an address and a port; `admit` raises Denied for whom it doesn't know."""

    __slots__ = ("_any_address", "_authorization", "_hosts", "_named", "_port")

    def __init__(self, settings: ServerSettings, port: int, token: str | None) -> None:
        bound = f"[{settings.host}]" if ":" in settings.host else settings.host
        names = {bound.lower()}
        self._any_address = _is_wildcard(settings.host)
        if is_loopback(settings.host) or self._any_address:
            names.update(_LOCAL_NAMES)
        hosts = {f"{name}:{port}" for name in names}
        if port == 80:
            hosts |= names
        self._port = port
        self._hosts = frozenset(host.encode() for host in hosts)
        self._named = frozenset(name.lower().encode() for name in settings.allowed_hosts)
        self._authorization = None if token is None else b"Bearer " + token.encode()

    def admit(self, exchange: Exchange, *, open_to_all: bool = False) -> None:
        """Return if this request may go on. `open_to_all` asks for no token."""
        head = exchange.head
        host = head.get(b"host", b"").lower()
        if host not in self._hosts and not self._is_allowed(host):
            raise Denied(
                "this server is not known under that Host; use its address, "
                "or start it with --allow-host",
                code="host.unknown",
            )
        if exchange.repeated(b"host") or exchange.repeated(b"authorization"):
            raise UsageError("a header stands twice that may stand once", code="header.repeated")
        origin = head.get(b"origin")
        if origin is not None and origin.lower() not in (b"http://" + host, b"https://" + host):
            raise Denied("requests from pages of other origins are refused", code="origin.unknown")
        if self._authorization is None or open_to_all:
            return
        given = head.get(b"authorization")
        if given is None:
            raise Denied(
                "a token is needed: Authorization: Bearer <token>; it is in the file `token` of the "
                "server's data directory",
                code="token.missing",
            )
        if given[:7].lower() != b"bearer " or not hmac.compare_digest(
            given[7:].strip(), self._authorization[7:]
        ):
            raise Denied(
                "the token is not this server's; it is in the file `token` of its data directory",
                code="token.wrong",
            )

    def _is_allowed(self, host: bytes) -> bool:
        # What the operator names may stand behind a proxy, so its port is not ours.
        if host in self._named or host.rpartition(b":")[0] in self._named:
            return True
        name, _, port = host.decode("latin-1").rpartition(":")
        if not self._any_address or port != str(self._port):
            return False
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True


def _is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
