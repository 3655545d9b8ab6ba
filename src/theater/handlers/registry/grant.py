"""The grant of names: there is nothing to set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from theater.manifest.grants import Grant


@dataclass(frozen=True, slots=True)
class RegistryGrant(Grant):
    """Taking, giving up and looking up names."""

    type: ClassVar[str] = "registry"
