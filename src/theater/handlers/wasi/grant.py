"""What a manifest can grant of WASI: nothing more than everybody has, in this version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from theater.manifest.grants import Grant


@dataclass(frozen=True, slots=True)
class WasiGrant(Grant):
    """The grant without settings."""

    type: ClassVar[str] = "wasi"
