"""The grant of the runtime's interface, which every actor has: there is nothing to set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from theater.manifest.grants import Grant


@dataclass(frozen=True, slots=True)
class RuntimeGrant(Grant):
    """The log, the actor's own chain, and its end."""

    type: ClassVar[str] = "runtime"
