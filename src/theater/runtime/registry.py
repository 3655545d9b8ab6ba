"""The handlers that come with Theater."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from theater.handlers.http_client.grant import HttpClientGrant
from theater.handlers.http_client.handler import HttpClientHandler
from theater.handlers.message_server.grant import MessageServerGrant
from theater.handlers.message_server.handler import MessageServerHandler
from theater.handlers.port import RouterPort
from theater.handlers.runtime.grant import RuntimeGrant
from theater.handlers.runtime.handler import RuntimeHandler
from theater.handlers.store.grant import StoreGrant
from theater.handlers.store.handler import StoreHandler
from theater.handlers.wasi.handler import WasiHandler
from theater.handlers.wasi.refusal import refusal_text
from theater.journal.port import Journal
from theater.manifest.grants import Grant
from theater.runtime.program import Handlers
from theater.store import Stores

GRANT_TYPES: Final[Mapping[str, type[Grant]]] = {
    grant.type: grant for grant in (RuntimeGrant, MessageServerGrant, StoreGrant, HttpClientGrant)
}
"""The handler types that a manifest may name."""


def standard_handlers(router: RouterPort, journal: Journal, secrets: Mapping[str, str]) -> Handlers:
    """Return the handlers of a node."""
    return Handlers(
        [
            RuntimeHandler(),
            WasiHandler(),
            MessageServerHandler(router),
            StoreHandler(Stores(journal)),
            HttpClientHandler(secrets=secrets),
        ],
        GRANT_TYPES,
        refusal_text,
    )
