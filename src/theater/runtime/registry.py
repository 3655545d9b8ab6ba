"""The handlers that come with Theater."""

from __future__ import annotations

from collections.abc import Mapping

from theater.handlers.context.handler import ContextHandler
from theater.handlers.grant_types import GRANT_TYPES
from theater.handlers.http_client.handler import HttpClientHandler
from theater.handlers.message_server.handler import MessageServerHandler
from theater.handlers.port import TimerPort
from theater.handlers.registry.handler import RegistryHandler
from theater.handlers.runtime.handler import RuntimeHandler
from theater.handlers.scheduler.handler import SchedulerHandler
from theater.handlers.store.handler import StoreHandler
from theater.handlers.supervisor.handler import SupervisorHandler
from theater.handlers.supervisor.port import SupervisorPort
from theater.handlers.wasi.handler import WasiHandler
from theater.handlers.wasi.refusal import refusal_text
from theater.runtime.program import Handlers
from theater.runtime.router import Router
from theater.store import Stores


def standard_handlers(
    router: Router,
    timers: TimerPort,
    tree: SupervisorPort,
    stores: Stores,
    secrets: Mapping[str, str],
) -> Handlers:
    """Return the handlers of a node."""
    return Handlers(
        [
            RuntimeHandler(),
            WasiHandler(),
            ContextHandler(),
            MessageServerHandler(router, router.channels),
            SchedulerHandler(timers),
            RegistryHandler(router.names),
            StoreHandler(stores),
            SupervisorHandler(tree),
            HttpClientHandler(secrets=secrets),
        ],
        GRANT_TYPES,
        refusal_text,
    )
