"""What is to be built: a folder with a manifest and Python sources.

The manifest is read for its name, handlers and component only; whether it makes sense otherwise is
for `theater validate` to say. No variables are substituted: none of the three may depend on them.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from theater.errors import BuildError, ManifestError
from theater.limits import BUILD_SOURCE_BYTES_MAX

MANIFEST = "manifest.toml"
OUTPUT_FOLDER = "build"
EXCLUDED = {OUTPUT_FOLDER, "__pycache__", "node_modules", "venv", "dist", "tests", "test"}
DOCUMENTS = re.compile(r"(readme|licen[cs]e|changelog|notice)(\..*)?", re.IGNORECASE)
COMPONENT_KEYS = ("component", "component_path", "package")
MESSAGES = "message-server"
CALLBACK = re.compile(
    r"^\s+def (on|handle)_(send|request|channel_open|channel_message|channel_close)\b", re.MULTILINE
)
RESERVED = re.compile(
    r"(wit_world|theater_guest|theater_entry|poll_loop|componentize_py_\w+)(\..*)?"
)


@dataclass(frozen=True, slots=True)
class Project:
    """A folder that can be built. `entry` is the module that defines the actor.

    `handlers` are the types that the manifest lists; `answering` are those whose callbacks the
    actor exports: an actor may receive messages without being granted to send any.
    """

    folder: Path
    name: str
    handlers: tuple[str, ...]
    answering: tuple[str, ...]
    entry: str
    roots: tuple[Path, ...]
    sources: tuple[Path, ...]
    dependencies: tuple[str, ...]
    component: PurePosixPath

    @property
    def output(self) -> Path:
        """Where the component goes."""
        return self.folder / self.component

    def module_of(self, source: Path) -> tuple[str, bool]:
        """The dotted module name of a source file, and whether it is a package."""
        root = next(root for root in self.roots if source.is_relative_to(root))
        parts = list(source.relative_to(root).with_suffix("").parts)
        package = parts[-1] == "__init__"
        return ".".join(parts[:-1] if package else parts), package


def read(folder: Path) -> Project:
    """Read a project. Raises ManifestError, BuildError with what to do."""
    folder = folder.resolve()
    path = folder / MANIFEST
    if not path.is_file():
        raise BuildError(f"{folder} has no {MANIFEST}: `theater create NAME` makes a project")
    manifest = table(path)
    name = manifest.get("name")
    if not isinstance(name, str) or not name:
        raise ManifestError(f'{path} needs a name: add `name = "…"` as its first line')
    settings = _pyproject(folder)
    # The sources of a `src` layout come first: a file there is a module below `src`, not of it.
    roots = tuple(root for root in (folder / "src", folder) if root.is_dir())
    sources = tuple(_sources(folder))
    handlers = _handlers(manifest, path)
    return Project(
        folder=folder,
        name=name,
        handlers=handlers,
        answering=_answering(handlers, sources),
        entry=_entry(folder, roots, name, settings),
        roots=roots,
        sources=sources,
        dependencies=_dependencies(settings),
        component=component_of(manifest, name),
    )


def table(path: Path) -> dict[str, Any]:
    """A TOML file. Raises ManifestError with the position in the message."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: {error}") from None


def component_of(manifest: Mapping[str, Any], name: str) -> PurePosixPath:
    """The path of the component below the project: the manifest's, or `build/<name>.wasm`."""
    for key in COMPONENT_KEYS:
        value = manifest.get(key)
        if value is None:
            continue
        path = PurePosixPath(str(value))
        if "://" in str(value) or path.is_absolute() or ".." in path.parts:
            raise BuildError(
                f"the manifest takes its component from {value}: "
                f"delete the line with `{key}` to build it from the sources here"
            )
        return path
    stem = re.sub(r"[^A-Za-z0-9_.-]", "-", name)
    return PurePosixPath(OUTPUT_FOLDER) / f"{stem}.wasm"


def _handlers(manifest: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    entries = [*manifest.get("handler", ()), *manifest.get("handlers", ())]
    types = [entry.get("type") if isinstance(entry, dict) else None for entry in entries]
    if not all(isinstance(type_, str) for type_ in types):
        raise ManifestError(f"{path}: each [[handler]] needs a `type`")
    return tuple(sorted({str(type_) for type_ in types}))


def _answering(handlers: tuple[str, ...], sources: tuple[Path, ...]) -> tuple[str, ...]:
    receives = MESSAGES in handlers or any(
        CALLBACK.search(path.read_text("utf-8", "replace"))
        for path in sources
        if path.suffix == ".py"
    )
    return tuple(sorted({*handlers, MESSAGES} if receives else handlers))


def _pyproject(folder: Path) -> Mapping[str, Any]:
    path = folder / "pyproject.toml"
    return table(path) if path.is_file() else {}


def _dependencies(settings: Mapping[str, Any]) -> tuple[str, ...]:
    listed = settings.get("project", {}).get("dependencies", [])
    provided = re.compile(r"theater[-_.]guest\b", re.IGNORECASE)
    return tuple(str(item) for item in listed if not provided.match(str(item)))


def _entry(folder: Path, roots: tuple[Path, ...], name: str, settings: Mapping[str, Any]) -> str:
    wanted = settings.get("tool", {}).get("theater", {}).get("module")
    candidates = [str(wanted)] if wanted else [re.sub(r"\W", "_", name), "actor"]
    for module in candidates:
        relative = Path(*module.split("."))
        for root in roots:
            if (root / relative).with_suffix(".py").is_file() or (
                root / relative / "__init__.py"
            ).is_file():
                return _allowed(module)
    alone = [path.stem for root in roots for path in sorted(root.glob("*.py"))]
    if not wanted and len(alone) == 1:
        return _allowed(alone[0])
    raise BuildError(
        f"{folder} has no module {' or '.join(f'{module}.py' for module in candidates)}: "
        "create it, or name the actor's module in pyproject.toml:\n"
        '    [tool.theater]\n    module = "…"'
    )


def _allowed(module: str) -> str:
    if RESERVED.fullmatch(module):
        raise BuildError(f"a component has a module {module} of its own: rename yours")
    return module


def _sources(folder: Path) -> Iterator[Path]:
    """Every file that may matter to the component: modules and the data that they read."""
    total = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in EXCLUDED and not f.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            top = path.parent == folder
            if name.startswith(".") or path.suffix in (".pyc", ".wasm") or not path.is_file():
                continue
            if top and (path.suffix == ".toml" or DOCUMENTS.fullmatch(name)):
                continue
            total += path.stat().st_size
            if total > BUILD_SOURCE_BYTES_MAX:
                raise BuildError(
                    f"{folder} has more than {BUILD_SOURCE_BYTES_MAX} bytes of files "
                    "(BUILD_SOURCE_BYTES_MAX): keep what the actor doesn't need elsewhere"
                )
            yield path
