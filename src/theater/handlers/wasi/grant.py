"""What a manifest can grant of WASI: nothing more than everybody has, in this version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from theater.errors import ManifestError


@dataclass(frozen=True, slots=True)
class WasiGrant:
    """The grant without settings."""

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> WasiGrant:
        """The grant of a `[[handler]]` entry. ManifestError if it has settings."""
        if settings:
            names = ", ".join(sorted(settings))
            raise ManifestError(f'a handler of type "wasi" has no settings; remove {names}')
        return cls()

    def meet(self, other: WasiGrant) -> WasiGrant:
        """What both grant."""
        return self

    def as_map(self) -> dict[str, object]:
        """The grant as it is recorded."""
        return {}
