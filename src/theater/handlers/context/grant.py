"""The grant of an actor's context: there is nothing to set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from theater.manifest.grants import Grant


@dataclass(frozen=True, slots=True)
class ContextGrant(Grant):
    """The message in hand, and who the actor is."""

    type: ClassVar[str] = "context"
