"""The names of interfaces, and which `[[handler]]` entries a component's imports need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from theater.manifest.model import Manifest

OLD_PACKAGE: Final = "ntwk:theater/"
PACKAGE: Final = "theater:simple/"

ALWAYS: Final = frozenset({"runtime", "wasi"})
"""Handler types that every actor has without an entry."""


@dataclass(frozen=True, slots=True)
class Missing:
    """An imported interface that the manifest doesn't grant.

    `type` is the handler type that provides it and `lines` what to add to the manifest; both are
    None where nothing provides the interface.
    """

    interface: str
    type: str | None
    lines: str | None


def canonical(interface: str) -> str:
    """The name of an interface with the package it has today and without its version."""
    name = interface.partition("@")[0]
    if name.startswith(OLD_PACKAGE):
        return PACKAGE + name.removeprefix(OLD_PACKAGE)
    return name


def missing_handlers(
    imports: Iterable[str], manifest: Manifest, providers: Mapping[str, str]
) -> tuple[Missing, ...]:
    """What must be added to the manifest so that a component with these imports may start.

    `providers` maps interfaces without version (`theater:simple/store`) to handler types. Only
    interfaces of `theater:` packages are looked at: WASI is always there, and empty.
    """
    granted = ALWAYS | {entry.type for entry in manifest.handlers}
    missing: list[Missing] = []
    for interface in dict.fromkeys(canonical(name) for name in imports):
        if not interface.startswith("theater:"):
            continue
        needed = providers.get(interface)
        if needed is None:
            missing.append(Missing(interface, None, None))
        elif needed not in granted:
            missing.append(Missing(interface, needed, f'[[handler]]\ntype = "{needed}"\n'))
    return tuple(missing)


def listed(missing: Iterable[Missing]) -> str:
    """What is missing, for people: the lines of each handler once, whatever needs them before."""
    needed: dict[str | None, list[str]] = {}
    for each in missing:
        needed.setdefault(each.lines, []).append(each.interface)
    return "\n".join(
        f"{', '.join(interfaces)}: not available in this version"
        if lines is None
        else f"{', '.join(interfaces)}: imported but not granted; add:\n\n{lines}"
        for lines, interfaces in needed.items()
    )
