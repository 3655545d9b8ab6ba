"""The grants that a manifest may ask for, by handler type; apart from the handlers, so that reading
a manifest loads nothing that runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from theater.handlers.context.grant import ContextGrant
from theater.handlers.http_client.grant import HttpClientGrant
from theater.handlers.message_server.grant import MessageServerGrant
from theater.handlers.registry.grant import RegistryGrant
from theater.handlers.runtime.grant import RuntimeGrant
from theater.handlers.scheduler.grant import SchedulerGrant
from theater.handlers.store.grant import StoreGrant
from theater.handlers.supervisor.grant import SupervisorGrant
from theater.handlers.wasi.grant import WasiGrant
from theater.manifest.grants import Grant

GRANT_TYPES: Final[Mapping[str, type[Grant]]] = {
    grant.type: grant
    for grant in (
        RuntimeGrant,
        WasiGrant,
        ContextGrant,
        MessageServerGrant,
        SchedulerGrant,
        RegistryGrant,
        StoreGrant,
        SupervisorGrant,
        HttpClientGrant,
    )
}
