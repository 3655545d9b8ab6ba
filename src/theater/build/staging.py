"""The folders that the tools read, and the digest of everything that goes into a component.

Sources are copied, so that nothing of a project but its modules and their data is seen, and no
package that happens to be installed on this machine slips in. The digest is kept beside the output;
it decides whether there is anything to build.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

import theater
from theater.build import imports, wit
from theater.build.project import Language, Project
from theater.errors import BuildError

FORMAT = 1
"""Of the generated entry module and of the staging: another number builds everything again."""

ENTRY = "theater_entry"
SDK = "theater_guest"
FOLDERS = {Language.PYTHON: "python", Language.JAVASCRIPT: "js"}


def guests_folder(language: Language) -> Path:
    """Where the guest SDK of a language is: in the installed package, or in a checkout."""
    package = Path(theater.__file__).parent
    name = FOLDERS[language]
    for folder in (package / "_guests" / name, package.parents[1] / "guests" / name):
        if folder.is_dir():
            return folder
    raise BuildError(f"this installation has no guest SDK for {name}: install theater again")


@dataclass(frozen=True, slots=True)
class Staged:
    """The folders of a staged project; `paths` go to componentize-py in this order."""

    wit: Path
    paths: tuple[Path, ...]
    shown: tuple[tuple[Path, Path], ...]
    """Pairs of a staged folder and the folder that users know it as."""


def stage(project: Project, scratch: Path, known: Sequence[wit.WitFile], bundled: Path) -> Staged:
    """Lay out a project below `scratch`. `bundled` has its dependencies."""
    entry, sources, package = scratch / "entry", scratch / "project", scratch / "wit"
    entry.mkdir(parents=True)
    wanted = world_of(project, known)
    (entry / f"{ENTRY}.py").write_text(entry_module(project, wanted))
    wit.write_package(package, wanted, known)
    copy_sources(project, sources)
    roots = tuple(sources / root.relative_to(project.folder) for root in project.roots)
    sdk = scratch / "sdk"
    shutil.copytree(
        guests_folder(project.language) / SDK,
        sdk / SDK,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    shown = (
        *((root, known_as) for root, known_as in zip(roots, project.roots, strict=True)),
        (bundled, bundled),
    )
    return Staged(package, (entry, *roots, bundled, sdk), shown)


def copy_sources(project: Project, target: Path) -> None:
    """Copy a project's sources, and nothing else of it."""
    for source in project.sources:
        copy = target / source.relative_to(project.folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)


def world_of(project: Project, known: Sequence[wit.WitFile]) -> wit.World:
    """The world that a project's component is made for."""
    return wit.world(project.handlers, project.answering, known)


def entry_module(project: Project, wanted: wit.World) -> str:
    """The generated module that componentize-py starts from: it imports, checks and binds."""
    late = []
    for source in project.sources:
        if source.suffix == ".py":
            module, package = project.module_of(source)
            text = source.read_text("utf-8", "replace")
            late += [
                (module, found.line, found.module, found.name)
                for found in imports.late_imports(text, module, package=package)
            ]
    names = [_class_name(interface.name) for interface in wanted.exports]
    binds = "".join(f"{name} = exports[{name!r}]\n" for name in names)
    return (
        f'"""Generated: binds {project.entry} to the exports of its component."""\n'
        f"from {SDK} import exports as _exports\n"
        f"import {project.entry}\n"
        f"_module = __import__('sys').modules[{project.entry!r}]\n"
        f"exports = _exports.bind(_module, late={late!r})\n"
        f"{binds}"
    )


def _class_name(interface: str) -> str:
    return "".join(part.capitalize() for part in interface.split("-"))


def digest(project: Project, known: Sequence[wit.WitFile], toolchain: str) -> str:
    """SHA-256 over all that decides what the component does, as hexadecimal digits."""
    files = [(f"project/{path.relative_to(project.folder)}", path) for path in project.sources]
    sdk, pattern = guests_folder(project.language), "*"
    if project.language is Language.PYTHON:
        sdk, pattern = sdk / SDK, "*.py"
    files += [
        (f"sdk/{path.relative_to(sdk)}", path)
        for path in sorted(sdk.rglob(pattern))
        if path.is_file()
    ]
    facts = {
        "format": FORMAT,
        "toolchain": toolchain,
        "entry": project.entry,
        "dependencies": project.dependencies,
        "world": world_of(project, known).text,
        "wit": [_sha256(file.text.encode()) for file in known],
        "files": [(name, _sha256(path.read_bytes())) for name, path in files],
    }
    if project.engine:
        facts["engine"] = project.engine
    return _sha256(json.dumps(facts, sort_keys=True).encode())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class Stamp:
    """What is kept beside a component: the digest of its inputs and its own hash."""

    inputs: str
    component: str


def stamp_path(output: Path) -> Path:
    """The file of the stamp of a component."""
    return output.with_suffix(".build.json")


def read_stamp(output: Path) -> Stamp | None:
    """The stamp of a component that is still what it was built as, else None."""
    try:
        kept = json.loads(stamp_path(output).read_text())
        stamp = Stamp(str(kept["inputs"]), str(kept["component"]))
        return stamp if _sha256(output.read_bytes()) == stamp.component else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_stamp(output: Path, stamp: Stamp) -> None:
    """Keep the stamp of a component."""
    text = json.dumps({"inputs": stamp.inputs, "component": stamp.component}, indent=2) + "\n"
    write_atomically(stamp_path(output), text.encode())


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old or the new one, with the old one's permissions."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode if path.exists() else 0o644
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode & 0o777)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
