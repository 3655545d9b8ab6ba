"""Runs componentize-py, and pip for dependencies, and tells their errors as the user's own."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from theater.build import process, wit
from theater.build.staging import ENTRY, Staged
from theater.errors import BuildError

DISTRIBUTION = "componentize-py"
GUEST_PYTHON = "3.14"
"""The CPython that this range of componentize-py puts into components."""

_RUN = "import sys, componentize_py; sys.exit(componentize_py.script())"
_FRAME = re.compile(r'^  File "(?P<folder>/\d+)/(?P<file>[^"]+)", line (?P<line>\d+)', re.MULTILINE)
_PLACE = re.compile(r"^(?P<folder>/\d+)/(?P<file>[^:\n]+):(?P<line>\d+): ", re.MULTILINE)
_STAGED = re.compile(r'(?:(?<=File ")|^)(?P<folder>/\d+)/', re.MULTILINE)
_TRACEBACK = "Traceback (most recent call last):\n"
_NOISE = re.compile(r"\n*(Caused by:|Stack backtrace:)\n.*", re.DOTALL)


def version() -> str:
    """The toolchain's name and version. Raises BuildError if it is not installed."""
    if importlib.util.find_spec("componentize_py") is None:
        raise BuildError(
            "building Python actors needs componentize-py: pip install 'theater-wasm[python]'",
            code="build.toolchain",
        )
    return f"{DISTRIBUTION} {importlib.metadata.version(DISTRIBUTION)}"


def componentize(staged: Staged, scratch: Path, output: Path) -> None:
    """Make a component of a staged project. Raises BuildError with the user's file and line."""
    nothing = scratch / "no-site-packages"
    (nothing / "lib").mkdir(parents=True)
    paths = [argument for path in staged.paths for argument in ("-p", str(path))]
    command = [
        sys.executable, "-c", _RUN,
        "-d", str(staged.wit), "-w", wit.WORLD,
        "componentize", ENTRY, *paths, "-o", str(output),
    ]  # fmt: skip
    # Without an environment of its own it would bundle what is installed for this interpreter.
    environment = {**os.environ, "VIRTUAL_ENV": str(nothing), "RUST_BACKTRACE": "0"}
    environment.pop("PYTHONPATH", None)
    done = process.run(command, environment)
    if done.returncode != 0 or not output.is_file():
        raise failure(done.stderr, staged)


def failure(stderr: str, staged: Staged) -> BuildError:
    """The error that componentize-py's output stands for."""
    # Its own traceback comes first and ends with what the guest's Python printed, so the last one.
    _, found, guest = stderr.rpartition(_TRACEBACK)
    if not found:
        return BuildError(f"componentize-py failed:\n{_NOISE.sub('', stderr).strip()[-2000:]}")
    guest = _NOISE.sub("", guest).rstrip()
    users = dict(staged.shown)
    shown = {f"/{at}": users[path] for at, path in enumerate(staged.paths) if path in users}
    frames = [match for match in _FRAME.finditer(guest) if match["folder"] in shown]
    if frames:
        # From the user's first frame on: what is before it is how we came there.
        guest = guest[frames[0].start() :]
        last = guest.splitlines()[-1]
    else:
        guest = last = _message(guest)

    def named(match: re.Match[str]) -> str:
        folder = shown.get(match["folder"])
        return f"{folder}/" if folder else ""

    text = _STAGED.sub(named, guest)
    place = frames[-1] if frames else _PLACE.search(guest)
    if place is None or place["folder"] not in shown:
        return BuildError(text)
    path, line = shown[place["folder"]] / place["file"], int(place["line"])
    heading = f"{path}:{line}: {last}\n\n" if frames else ""
    return BuildError(heading + text, file=str(path), line=line)


def _message(guest: str) -> str:
    """The exception's text without its frames, which are none of the user's."""
    lines = guest.splitlines()
    first = max((at for at, line in enumerate(lines) if line.startswith("  ")), default=-1)
    return "\n".join(lines[first + 1 :])


def bundle(dependencies: Sequence[str], cache: Path) -> Path:
    """A folder with pure-Python dependencies, installed once for a list of them."""
    listed = hashlib.sha256("\n".join([GUEST_PYTHON, *dependencies]).encode()).hexdigest()[:16]
    folder = cache / listed
    if not dependencies or folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    partial = cache / f".{listed}.{os.getpid()}"
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--no-compile", "--target", str(partial), "--only-binary", ":all:",
        "--implementation", "py", "--abi", "none", "--platform", "any",
        "--python-version", GUEST_PYTHON, *dependencies,
    ]  # fmt: skip
    try:
        done = process.run(command, dict(os.environ))
        if done.returncode != 0:
            raise BuildError(
                "the dependencies in pyproject.toml can't be bundled; a component takes pure "
                f"Python only, for Python {GUEST_PYTHON}:\n{done.stderr.strip()[-2000:]}",
                code="build.dependencies",
            )
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder
