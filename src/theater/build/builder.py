"""The whole way from a project's folder to a pinned component."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from theater.build import javascript, pin, project, staging, toolchain, wit
from theater.build.project import Language
from theater.errors import BuildError


@dataclass(frozen=True, slots=True)
class BuildResult:
    """A component that is there now; `built` is False if it was there already and still fits."""

    component: Path
    sha256: str
    built: bool
    seconds: float
    edited: tuple[Path, ...]
    """The manifests whose text was changed to name it."""


def _silent(_line: str) -> None:
    pass


def build(
    project_dir: Path, *, clean: bool = False, progress: Callable[[str], None] = _silent
) -> BuildResult:
    """Make the component of a project, if its inputs changed or `clean`, and pin it.

    `progress` gets a line for each step. Raises BuildError and ManifestError; a project that fails
    to build keeps the component that it had.
    """
    began = time.monotonic()
    wanted = project.read(project_dir)
    known = wit.files()
    _check_handlers(wanted, known)
    if clean:
        shutil.rmtree(_cache(wanted), ignore_errors=True)
    inputs = staging.digest(wanted, known, _tools(wanted))
    stamp = None if clean else staging.read_stamp(wanted.output)
    built = stamp is None or stamp.inputs != inputs
    if stamp is None or built:
        stamp = _make(wanted, known, inputs, progress)
    else:
        progress(f"{wanted.output} is up to date")
    edited = pin.pin(wanted, stamp.component)
    for path in edited:
        progress(f"wrote the component's path and hash into {path}")
    seconds = time.monotonic() - began
    return BuildResult(wanted.output, stamp.component, built, seconds, tuple(edited))


def _make(
    wanted: project.Project,
    known: tuple[wit.WitFile, ...],
    inputs: str,
    progress: Callable[[str], None],
) -> staging.Stamp:
    grants = ", ".join(i.name for i in staging.world_of(wanted, known).imports)
    with tempfile.TemporaryDirectory(prefix="theater-build-") as folder:
        scratch = Path(folder).resolve()
        made = scratch / "component.wasm"
        progress(f"building {wanted.entry} with {grants} (some seconds)")
        match wanted.language:
            case Language.PYTHON:
                if wanted.dependencies:
                    count = len(wanted.dependencies)
                    progress(f"bundling {count} dependencies of pyproject.toml")
                bundled = toolchain.bundle(wanted.dependencies, _cache(wanted))
                staged = staging.stage(wanted, scratch, known, bundled)
                toolchain.componentize(staged, scratch, made)
            case Language.JAVASCRIPT:
                javascript.componentize(wanted, known, scratch, _cache(wanted), made, progress)
            case _:
                assert_never(wanted.language)
        data = made.read_bytes()
    staging.write_atomically(wanted.output, data)
    stamp = staging.Stamp(inputs, hashlib.sha256(data).hexdigest())
    staging.write_stamp(wanted.output, stamp)
    progress(f"wrote {wanted.output} ({len(data) / 1e6:.1f} MB)")
    return stamp


def _tools(wanted: project.Project) -> str:
    match wanted.language:
        case Language.PYTHON:
            return toolchain.version()
        case Language.JAVASCRIPT:
            return javascript.version(wanted)
        case _:
            assert_never(wanted.language)


def _cache(wanted: project.Project) -> Path:
    return wanted.folder / project.OUTPUT_FOLDER / ".dependencies"


def _check_handlers(wanted: project.Project, known: tuple[wit.WitFile, ...]) -> None:
    available = wit.handler_types(known) | {"wasi"}
    unknown = [type_ for type_ in wanted.handlers if type_ not in available]
    if unknown:
        raise BuildError(
            f"{wanted.folder / project.MANIFEST} lists the handler {unknown[0]!r}, which this "
            f"Theater doesn't have; it has {', '.join(sorted(available))}",
            code="build.handler",
        )
