"""Compiled components on disk: found by what they were made of, checked, made if they aren't there.

An artifact is native code, so only what this program wrote is loaded: the directory is private and
empty when it becomes so, a file is this user's own, and its name has the digest of what is in it,
which is checked before the library sees it.
Whatever doesn't fit is removed and compiled again, and so is what was not used for longest, when all
together take too much. The compiler runs in a process of its own, with
bounds, because its input may be hostile.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import wasmtime
from wasmtime.component import Component as WasmComponent

import theater
from theater.engine.compile_child import REFUSED, UNWRITTEN
from theater.engine.settings import Settings
from theater.errors import ComponentError, Unavailable, UsageError
from theater.limits import (
    COMPILE_MEMORY_BYTES_MAX,
    COMPILE_SECONDS_MAX,
    COMPILED_BYTES_MAX,
    COMPILES_AT_ONCE_MAX,
    ERROR_MESSAGE_BYTES_MAX,
)

_COMPILING = threading.BoundedSemaphore(COMPILES_AT_ONCE_MAX)


class Artifacts:
    """A directory of artifacts for one configuration; None makes one that goes with the object."""

    def __init__(self, directory: Path | None, settings: Settings) -> None:
        self._settings = settings
        self._temporary = directory is None
        if directory is None:
            directory = Path(tempfile.mkdtemp(prefix="theater-artifacts-"))
        self._directory = directory
        _make_private(directory)
        _remove_remains(directory)

    def close(self) -> None:
        """Remove a temporary directory."""
        if self._temporary:
            shutil.rmtree(self._directory, ignore_errors=True)

    def load(
        self, engine: wasmtime.Engine, wasm: Callable[[], bytes], digest: bytes, timeout_s: float
    ) -> WasmComponent:
        """The compiled form of a component. ComponentError if it can't be compiled in its bounds.

        `digest` names it; `wasm` makes its bytes if it isn't there.
        """
        stem = f"{digest.hex()}-{self._settings.key()}"
        try:
            for path in self._directory.glob(f"{stem}-*.cwasm"):
                loaded = _load(engine, path)
                if loaded is not None:
                    _note_use(path)
                    return loaded
                path.unlink(missing_ok=True)
            # Who cleans up caches may have removed the directory.
            _make_private(self._directory)
            path = self._compile(wasm(), stem, timeout_s)
        except OSError as error:
            raise _unwritable(self._directory, error.strerror) from error
        loaded = _load(engine, path)
        if loaded is None:
            raise ComponentError("the compiled component can't be loaded", code="component.compile")
        return loaded

    def _compile(self, wasm: bytes, stem: str, timeout_s: float) -> Path:
        work = self._directory / f".{stem}-{secrets.token_hex(8)}.part"
        try:
            with _COMPILING:
                _run_compiler(wasm, self._settings, work, timeout_s)
            path = self._directory / f"{stem}-{_digest(work)}.cwasm"
            work.replace(path)
            _make_room(self._directory, COMPILED_BYTES_MAX, path)
            return path
        finally:
            work.unlink(missing_ok=True)


def _unwritable(directory: Path, why: str | None) -> Unavailable:
    return Unavailable(
        f"compiled components can't be kept in {directory} ({why}): make room or give this user "
        "access, or set XDG_CACHE_HOME to another folder",
        code="engine.cache",
        path=str(directory),
    )


def _make_private(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = directory.stat()
    except OSError as error:
        raise _unwritable(directory, error.strerror) from error
    if status.st_uid != os.geteuid():
        raise UsageError(
            f"{directory} belongs to somebody else; compiled components must not be kept there: set "
            "XDG_CACHE_HOME to a folder of this user's",
            code="engine.cache",
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        directory.chmod(0o700)
    if stat.S_IMODE(status.st_mode) & 0o022:
        # Others could write here until now, so nothing here need be ours.
        for path in directory.glob("*.cwasm"):
            path.unlink(missing_ok=True)


def _remove_remains(directory: Path) -> None:
    """Remove what processes that were killed had begun to write, and nobody writes any more."""
    for path in directory.glob(".*.part"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > COMPILE_SECONDS_MAX:
                path.unlink()


def _make_room(directory: Path, bytes_max: int, made: Path) -> None:
    """Remove what was not used for longest until the rest, with what was just made, fits."""
    used: list[tuple[float, int, Path]] = []
    for path in directory.glob("*.cwasm"):
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            used.append((status.st_atime, status.st_size, path))
    total = sum(size for _, size, _ in used)
    for _, size, path in sorted(used):
        if total <= bytes_max:
            return
        if path != made:
            path.unlink(missing_ok=True)
            total -= size


def _note_use(path: Path) -> None:
    # Not every file system does it by itself.
    with contextlib.suppress(OSError):
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _load(engine: wasmtime.Engine, path: Path) -> WasmComponent | None:
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            return None
        if path.stem.rpartition("-")[2] != _digest(path):
            return None
        return WasmComponent.deserialize_file(engine, str(path))
    except (OSError, wasmtime.WasmtimeError):
        return None


def _run_compiler(wasm: bytes, settings: Settings, artifact: Path, timeout_s: float) -> None:
    source = str(Path(theater.__file__).parent.parent)
    try:
        process = _compiler(source, settings, artifact)
    except OSError as error:
        raise ComponentError(
            f"the compiler can't be started: {error.strerror} ({sys.executable})",
            code="component.compile",
        ) from error
    try:
        said, _ = process.communicate(wasm, timeout=min(timeout_s, COMPILE_SECONDS_MAX))
    except subprocess.TimeoutExpired:
        raise ComponentError(
            f"compiling took longer than {timeout_s:g} s", code="component.compile_limit"
        ) from None
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    message = said[:ERROR_MESSAGE_BYTES_MAX].decode("utf-8", "replace")
    if process.returncode == REFUSED:
        raise ComponentError(
            f"this is not a sound component; build it again: {message}", code="component.invalid"
        )
    if process.returncode == UNWRITTEN:
        raise _unwritable(artifact.parent, message)
    if process.returncode != 0:
        raise ComponentError(
            "compiling took more memory or time than it may", code="component.compile_limit"
        )


def _compiler(source: str, settings: Settings, artifact: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            sys.executable,
            "-P",
            "-m",
            "theater.engine.compile_child",
            "1" if settings.fuel else "0",
            str(settings.stack_bytes),
            str(COMPILE_MEMORY_BYTES_MAX),
            str(COMPILE_SECONDS_MAX),
            str(artifact),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": source, "PATH": os.defpath},
        cwd="/",
        process_group=0,
    )
