"""What the operator decides about the server."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from theater.errors import UsageError
from theater.limits import (
    BODY_GRACE_S,
    CONNECTIONS_MAX,
    MESSAGE_BYTES_CEILING,
    SHUTDOWN_MS,
    STALL_S,
    SUBSCRIPTIONS_MAX,
)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where to listen and whom to answer. Port 0 takes a free one.

    `allowed_hosts` are names, besides the bound address, under which browsers and clients may ask
    for this server, with any port: it may stand behind a proxy. `message_bytes` bounds the body of one message, `stop_ms` how long requests in
    flight are waited for when the server stops, `stall_s` how long a client may take nothing of its
    answer.
    """

    host: str = "127.0.0.1"
    port: int = 9000
    auth: bool = True
    allowed_hosts: tuple[str, ...] = ()
    connections: int = CONNECTIONS_MAX
    subscriptions: int = SUBSCRIPTIONS_MAX
    message_bytes: int = MESSAGE_BYTES_CEILING
    stop_ms: int = SHUTDOWN_MS
    body_grace_s: float = BODY_GRACE_S
    stall_s: float = STALL_S

    def check(self) -> None:
        """Raise UsageError for a combination that would leave the server open to strangers."""
        if not self.auth and not is_loopback(self.host):
            raise UsageError(
                f"--no-auth would let anyone who reaches {self.host} run programs here; "
                "leave it out, or listen on 127.0.0.1",
                code="server.open",
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
