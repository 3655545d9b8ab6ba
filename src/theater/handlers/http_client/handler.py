"""The HTTP client: `theater:simple/http-client`, under a grant.

What can be refused without the network is refused before the intent; the rest happens in `perform`.
The response is given as it came (nothing is decompressed), except that secrets are hidden in it.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

from theater.handlers.http_client.addresses import Resolver, SystemResolver
from theater.handlers.http_client.exchange import Transport, check_grant
from theater.handlers.http_client.failure import Failure
from theater.handlers.http_client.grant import HttpClientGrant
from theater.handlers.http_client.request import Outgoing, check_request
from theater.handlers.http_client.scope import Scope
from theater.handlers.http_client.secrets import Added, resolve
from theater.handlers.http_client.types import TYPES
from theater.handlers.port import Effect, HostCall, HostFunction, Intent
from theater.values.types import Err, Ok

INTERFACE: Final = "theater:simple/http-client"

INTERRUPTED: Final = Err(
    "interrupted: the node stopped during the request, which may or may not have been carried out"
)


class HttpClientHandler:
    """Handler type `http-client`. One for a node; called from many threads.

    `secrets` are the operator's, by name. `tls` None takes the system's trusted certificates.
    """

    type = "http-client"
    interfaces = (INTERFACE,)

    def __init__(
        self,
        secrets: Mapping[str, str] = MappingProxyType({}),
        *,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._secrets = secrets
        self._transport = Transport(resolver or SystemResolver(), tls)

    def functions(self, grant: object) -> Mapping[str, Mapping[str, HostFunction]]:
        """`send-http` under a grant."""
        if not isinstance(grant, HttpClientGrant):
            raise TypeError("the HTTP client needs an HttpClientGrant")
        return {
            INTERFACE: {
                "send-http": HostFunction(
                    Effect.EXTERNAL, partial(self._send_http, grant), TYPES["send-http"]
                )
            }
        }

    def close(self) -> None:
        """Close every idle connection."""
        self._transport.close()

    def _send_http(
        self, grant: HttpClientGrant, call: HostCall, request: dict[str, object]
    ) -> Intent | Err:
        try:
            outgoing = check_request(request)
            check_grant(outgoing, grant)
            added = resolve(grant, self._secrets)
        except Failure as failure:
            return failure.as_error()
        target = outgoing.target
        return Intent(
            perform=partial(self._perform, grant, call, outgoing, added),
            retry=grant.retries(outgoing.method, target.host, target.port, target.path),
            interrupted=INTERRUPTED,
        )

    def _perform(
        self, grant: HttpClientGrant, call: HostCall, outgoing: Outgoing, added: Added, key: str
    ) -> Ok | Err:
        scope = Scope(grant.timeout_ms)
        undo = call.on_cancel(scope.cancel)
        try:
            received = self._transport.exchange(outgoing, grant, added, key, scope)
        except Failure as failure:
            return failure.as_error()
        finally:
            undo()
        call.facts.update(
            url=_text(added.hide(received.url.encode())),
            address=received.address,
            redirects=received.redirects,
        )
        headers = [(_text(name), _text(added.hide(value))) for name, value in received.headers]
        body = added.hide(received.body) or None
        return Ok({"status": received.status, "headers": headers, "body": body})


def _text(data: bytes) -> str:
    """A header's bytes as text: UTF-8 if they are, else Latin-1, as HTTP has it."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
