"""What is to be built: a folder with a manifest and sources in Python or JavaScript.

The language is that of the module that defines the actor: the one that `pyproject.toml` or
`package.json` names, or the first that is named like the actor, `actor`, or stands there alone.

The manifest is read for its name, handlers and component only; whether it makes sense otherwise is
for `theater validate` to say. No variables are substituted: none of the three may depend on them.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import Any

from theater.build import npm
from theater.errors import BuildError, ManifestError
from theater.limits import BUILD_SOURCE_BYTES_MAX

MANIFEST = "manifest.toml"
OUTPUT_FOLDER = "build"
EXCLUDED = {OUTPUT_FOLDER, "__pycache__", "node_modules", "venv", "dist", "tests", "test"}
DOCUMENTS = re.compile(r"(readme|licen[cs]e|changelog|notice)(\..*)?", re.IGNORECASE)
COMPONENT_KEYS = ("component", "component_path", "package")
MESSAGES = "message-server"
RESERVED = re.compile(
    r"(wit_world|theater_guest|theater_entry|poll_loop|componentize_py_\w+)(\..*)?"
)


class Language(Enum):
    """What an actor is written in."""

    PYTHON = "python"
    JAVASCRIPT = "javascript"


CALLBACKS = {
    Language.PYTHON: re.compile(
        r"^\s+def (on|handle)_(send|request|channel_open|channel_message|channel_close)\b",
        re.MULTILINE,
    ),
    Language.JAVASCRIPT: re.compile(
        r"\b(on|handle)(Send|Request|ChannelOpen|ChannelMessage|ChannelClose)\s*[(:=]"
    ),
}
SUFFIXES = {
    Language.PYTHON: (".py",),
    Language.JAVASCRIPT: (".js", ".mjs", ".ts", ".mts"),
}


@dataclass(frozen=True, slots=True)
class Project:
    """A folder that can be built. `entry` is the module that defines the actor: its dotted name in
    Python, its path below the folder in JavaScript.

    `engine` is the one that goes into components of JavaScript, empty for Python. `handlers` are the types that the manifest lists; `answering` are those whose callbacks the
    actor exports: an actor may receive messages without being granted to send any.
    """

    folder: Path
    name: str
    language: Language
    engine: str
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
    settings, package = _pyproject(folder), npm.read(folder)
    # The sources of a `src` layout come first: a file there is a module below `src`, not of it.
    roots = tuple(root for root in (folder / "src", folder) if root.is_dir())
    sources = tuple(_sources(folder))
    handlers = _handlers(manifest, path)
    language, entry = _entry(folder, roots, name, settings, package)
    javascript = language is Language.JAVASCRIPT
    return Project(
        folder=folder,
        name=name,
        language=language,
        engine=package.engine if javascript else "",
        handlers=handlers,
        answering=_answering(handlers, sources, language),
        entry=entry,
        roots=roots,
        sources=sources,
        dependencies=package.dependencies if javascript else _dependencies(settings),
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


def _answering(
    handlers: tuple[str, ...], sources: tuple[Path, ...], language: Language
) -> tuple[str, ...]:
    receives = MESSAGES in handlers or any(
        CALLBACKS[language].search(path.read_text("utf-8", "replace"))
        for path in sources
        if path.suffix in SUFFIXES[language]
    )
    return tuple(sorted({*handlers, MESSAGES} if receives else handlers))


def _pyproject(folder: Path) -> Mapping[str, Any]:
    path = folder / "pyproject.toml"
    return table(path) if path.is_file() else {}


def _dependencies(settings: Mapping[str, Any]) -> tuple[str, ...]:
    listed = settings.get("project", {}).get("dependencies", [])
    provided = re.compile(r"theater[-_.]guest\b", re.IGNORECASE)
    return tuple(str(item) for item in listed if not provided.match(str(item)))


def _entry(
    folder: Path,
    roots: tuple[Path, ...],
    name: str,
    settings: Mapping[str, Any],
    package: npm.Package,
) -> tuple[Language, str]:
    wanted = settings.get("tool", {}).get("theater", {}).get("module")
    if wanted:
        entry = _python(roots, str(wanted))
        if entry is None:
            raise BuildError(f"{folder} has no module {wanted}, which pyproject.toml names")
        return Language.PYTHON, entry
    if package.module:
        if not (folder / package.module).is_file():
            raise BuildError(f"{folder} has no file {package.module}, which package.json names")
        return Language.JAVASCRIPT, package.module
    stems = [re.sub(r"\W", "_", name), name, "actor"]
    for stem in dict.fromkeys(stems):
        found = _of_stem(folder, roots, stem)
        if found:
            return _only(folder, found)
    alone = [
        (language, path)
        for language, suffixes in SUFFIXES.items()
        for root in roots
        for path in sorted(root.iterdir())
        if path.suffix in suffixes and not path.name.endswith(".d.ts")
    ]
    found = _of_stem(folder, roots, alone[0][1].stem) if len(alone) == 1 else []
    if found:
        return _only(folder, found)
    raise BuildError(
        f"{folder} has no module {stems[0]}.py, {stems[1]}.js or actor of either kind: create it, "
        "or name the actor's module in pyproject.toml or in package.json:\n"
        '    [tool.theater]\n    module = "…"\n\n    "theater": {"module": "….js"}'
    )


def _of_stem(folder: Path, roots: tuple[Path, ...], stem: str) -> list[tuple[Language, str]]:
    found = []
    module = _python(roots, stem) if stem.isidentifier() else None
    if module:
        found.append((Language.PYTHON, module))
    found += [
        (Language.JAVASCRIPT, (root / f"{stem}{suffix}").relative_to(folder).as_posix())
        for root in roots
        for suffix in SUFFIXES[Language.JAVASCRIPT]
        if (root / f"{stem}{suffix}").is_file()
    ]
    return found


def _only(folder: Path, found: list[tuple[Language, str]]) -> tuple[Language, str]:
    if len(found) > 1:
        names = " and ".join(entry for _, entry in found)
        raise BuildError(
            f"{folder} has more than one module that could be the actor: {names}; name it in "
            'pyproject.toml ([tool.theater] module = "…") or in package.json '
            '("theater": {"module": "….js"})'
        )
    return found[0]


def _python(roots: tuple[Path, ...], module: str) -> str | None:
    relative = Path(*module.split("."))
    for root in roots:
        package = root / relative / "__init__.py"
        if (root / relative).with_suffix(".py").is_file() or package.is_file():
            return _allowed(module)
    return None


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
