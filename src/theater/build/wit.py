"""The WIT that guests build against, assembled from the files beside the handlers.

Each handler's folder has its `.wit` files and is named after the handler's type. What an interface
is for follows from its text: functions that take the state first are callbacks that the guest
exports, other functions are imported, and an interface without functions has types only. So nothing
about interfaces is written down twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from theater import handlers
from theater.errors import BuildError

FOLDERS = Path(handlers.__file__).parent
ALWAYS = ("actor", "runtime")
"""What every actor has without asking: its own exports, the log and its end."""

WORLD = "guest"

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_PACKAGE = re.compile(r"^\s*package\s+([a-z0-9:-]+)(@[0-9.]+)?\s*;", re.MULTILINE)
_INTERFACE = re.compile(r"\binterface\s+%?([a-z0-9-]+)\s*\{")
_FUNCTION = re.compile(r"[\w%-]+\s*:\s*(?:async\s+)?func\s*\(\s*([\w%-]*)")


class Side(Enum):
    """Who implements an interface."""

    HOST = "host"
    GUEST = "guest"
    TYPES = "types"


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface of a handler's `.wit` files; `package` is `theater:simple`."""

    handler: str
    package: str
    version: str
    name: str
    side: Side

    @property
    def full(self) -> str:
        """The name by which a world imports it: `theater:simple/store`, `theater:agent/x@0.1.0`."""
        return f"{self.package}/{self.name}{self.version}"


@dataclass(frozen=True, slots=True)
class WitFile:
    """One `.wit` file beside a handler."""

    handler: str
    path: Path
    text: str
    package: str
    interfaces: tuple[Interface, ...]


def files(folder: Path = FOLDERS) -> tuple[WitFile, ...]:
    """All `.wit` files beside handlers, in the order of their paths."""
    return tuple(_read(path) for path in sorted(folder.glob("*/*.wit")))


def _read(path: Path) -> WitFile:
    text = path.read_text()
    bare = _COMMENT.sub("", text)
    named = _PACKAGE.search(bare)
    if named is None:
        raise BuildError(f"{path}: a WIT file beside a handler starts with its package")
    handler = path.parent.name.replace("_", "-")
    package, version = named[1], named[2] or ""
    interfaces = tuple(
        Interface(handler, package, version, name, _side(body)) for name, body in _interfaces(bare)
    )
    return WitFile(handler, path, text, package + version, interfaces)


def _interfaces(bare: str) -> Iterator[tuple[str, str]]:
    for match in _INTERFACE.finditer(bare):
        depth = 1
        at = match.end()
        while depth and at < len(bare):
            depth += {"{": 1, "}": -1}.get(bare[at], 0)
            at += 1
        yield match[1], bare[match.end() : at - 1]


def _side(body: str) -> Side:
    firsts = _FUNCTION.findall(body)
    if not firsts:
        return Side.TYPES
    return Side.GUEST if all(first == "state" for first in firsts) else Side.HOST


def handler_types(known: Iterable[WitFile]) -> frozenset[str]:
    """The handler types that give a guest something to import or export."""
    return frozenset(file.handler for file in known) - {"actor"}


@dataclass(frozen=True, slots=True)
class World:
    """What an actor imports and exports, sorted by name."""

    imports: tuple[Interface, ...]
    exports: tuple[Interface, ...]

    @property
    def text(self) -> str:
        """The world in WIT."""
        lines = [f"import {interface.full};" for interface in self.imports]
        lines += [f"export {interface.full};" for interface in self.exports]
        body = "".join(f"    {line}\n" for line in lines)
        return f"package theater:build;\n\nworld {WORLD} {{\n{body}}}\n"


def world(granted: Iterable[str], answering: Iterable[str], known: Iterable[WitFile]) -> World:
    """The world of an actor that is granted some handler types and implements callbacks of some."""
    interfaces = [interface for file in known for interface in file.interfaces]

    def of(side: Side, types: set[str]) -> tuple[Interface, ...]:
        found = [i for i in interfaces if i.handler in types and i.side is side]
        return tuple(sorted(found, key=lambda interface: interface.full))

    return World(of(Side.HOST, {*granted, *ALWAYS}), of(Side.GUEST, {*answering, *ALWAYS}))


def write_package(folder: Path, wanted: World, known: Iterable[WitFile]) -> None:
    """Write a WIT folder for any toolchain: the world, and the packages below `deps`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "world.wit").write_text(wanted.text)
    for file in known:
        package = folder / "deps" / re.sub(r"[:@]", "-", file.package)
        package.mkdir(parents=True, exist_ok=True)
        (package / file.path.name).write_text(file.text)
