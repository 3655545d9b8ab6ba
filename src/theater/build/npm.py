"""What a project's `package.json` says that matters to a build.

It may be missing. Read are the dependencies that go into the component, and Theater's own settings:

    "theater": {"module": "src/main.js", "engine": "spidermonkey"}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from theater.errors import BuildError

FILE = "package.json"
LOCK = "package-lock.json"
SDK = "theater-guest"
QUICKJS, SPIDERMONKEY = "quickjs", "spidermonkey"
ENGINES = (QUICKJS, SPIDERMONKEY)
SETTINGS = ("module", "engine")


@dataclass(frozen=True, slots=True)
class Package:
    """`dependencies` are `name@range`, without the SDK; `module` is empty if none is named."""

    module: str
    engine: str
    dependencies: tuple[str, ...]


def read(folder: Path) -> Package:
    """The package of a project. Raises BuildError that names the file and what is wrong."""
    path = folder / FILE
    if not path.is_file():
        return Package("", QUICKJS, ())
    try:
        described = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BuildError(f"{path}: {error}") from None
    described = _object(described, f"{path} is")
    settings = _object(described.get("theater", {}), f'{path}: "theater" is')
    for key in settings:
        if key not in SETTINGS:
            raise BuildError(f'{path}: "theater" has no setting {key!r}: {" and ".join(SETTINGS)}')
    engine = settings.get("engine", QUICKJS)
    if engine not in ENGINES:
        raise BuildError(f'{path}: "engine" is {" or ".join(ENGINES)}, not {engine!r}')
    return Package(_module(path, settings, described), engine, _dependencies(path, described))


def specifications(folder: Path) -> dict[str, str]:
    """The dependencies to be installed by name, those in files with their whole path."""
    found = {}
    for item in read(folder).dependencies:
        at = item.index("@", 1)
        name, wanted = item[:at], item[at + 1 :]
        if wanted.startswith("file:"):
            wanted = f"file:{(folder / wanted.removeprefix('file:')).resolve()}"
        found[name] = wanted
    return found


def _module(path: Path, settings: Mapping[str, Any], described: Mapping[str, Any]) -> str:
    for where, value in (
        ("theater.module", settings.get("module")),
        ("main", described.get("main")),
    ):
        if value is None:
            continue
        module = PurePosixPath(value) if isinstance(value, str) else None
        if module is None or module.is_absolute() or ".." in module.parts:
            raise BuildError(f"{path}: {where} is a path of a file below the project")
        return module.as_posix()
    return ""


def _dependencies(path: Path, described: Mapping[str, Any]) -> tuple[str, ...]:
    listed = _object(described.get("dependencies", {}), f'{path}: "dependencies" is')
    for name, wanted in listed.items():
        if not isinstance(wanted, str) or not name:
            raise BuildError(
                f"{path}: the dependency {name!r} needs a range of versions as a string"
            )
    return tuple(f"{name}@{wanted}" for name, wanted in sorted(listed.items()) if name != SDK)


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BuildError(f"{what} not a JSON object")
    return value
