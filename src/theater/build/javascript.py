"""Makes components of JavaScript and TypeScript: esbuild bundles, the engine's tool does the rest.

Beside the component stand the SDK's types, for editors. The two run in one process of Node, by a script that lies beside the guest SDK. A bundle has the SDK's
polyfills first, so that an actor's modules find the JavaScript that they expect.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from theater.build import node, npm, process, staging, wit
from theater.build.project import OUTPUT_FOLDER, Language, Project
from theater.errors import BuildError

SDK = npm.SDK
BINDINGS = "theater-bindings"
WASI = ("random/random", "clocks/monotonic-clock", "cli/stdout", "cli/stderr")
"""What the SDK itself uses of WASI, all of it in force for every actor."""

WASI_VERSION = "@0.2.0"


def version(project: Project) -> str:
    """The tools' names and versions. Raises BuildError if there is no Node to run them."""
    node.find()
    return node.version(_described(project))


def _described(project: Project) -> Path:
    return staging.guests_folder(Language.JAVASCRIPT) / "toolchain" / project.engine


def componentize(
    project: Project,
    known: Sequence[wit.WitFile],
    scratch: Path,
    cache: Path,
    output: Path,
    progress: Callable[[str], None],
) -> None:
    """Make the component of a project. Raises BuildError with the user's file and line."""
    found = node.find()
    tools = node.tools(found, _described(project), progress)
    guests = staging.guests_folder(Language.JAVASCRIPT)
    sources, package = scratch / "project", scratch / "wit"
    staging.copy_sources(project, sources)
    modules = scratch / "node_modules"
    if project.dependencies:
        progress(f"bundling {len(project.dependencies)} dependencies of {npm.FILE}")
        installed = node.dependencies(found, project.folder, cache)
        shutil.copytree(installed / "node_modules", modules, symlinks=True)
    world = staging.world_of(project, known)
    write_package(package, world, known, guests)
    request = {
        "engine": project.engine,
        "toolchain": str(tools),
        "scratch": str(scratch),
        "project": str(sources),
        "entry": str(_written(scratch / "entry.mjs", entry_module(sources / project.entry))),
        "modules": str(modules),
        "alias": {
            SDK: str(guests / SDK),
            BINDINGS: str(_written(scratch / "bindings.mjs", bindings_module(project, world))),
        },
        "wit": str(package),
        "world": wit.WORLD,
        "answer": str(scratch / "answer.json"),
        "output": str(output),
    }
    asked = _written(scratch / "request.json", json.dumps(request))
    command = [found.node, str(guests / "toolchain" / "build.mjs"), str(asked)]
    done = process.run(command, node.environment(found), folder=scratch)
    answer = scratch / "answer.json"
    if done.returncode != 0 or not answer.is_file():
        raise BuildError(f"the tools for JavaScript failed:\n{done.stderr.strip()[-2000:]}")
    said = json.loads(answer.read_text())
    if said:
        raise failure(said, sources, project.folder)
    types = project.folder / OUTPUT_FOLDER / "types"
    for path in sorted((guests / SDK).glob("*.d.ts")):
        types.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, types / path.name)


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def write_package(
    folder: Path, world: wit.World, known: Sequence[wit.WitFile], guests: Path
) -> None:
    """Write the WIT folder: the actor's world with what the SDK needs of WASI in addition."""
    wit.write_package(folder, world, known)
    imports = "".join(f"    import wasi:{name}{WASI_VERSION};\n" for name in WASI)
    text = world.text.replace(f"world {wit.WORLD} {{\n", f"world {wit.WORLD} {{\n{imports}")
    (folder / "world.wit").write_text(text)
    for path in sorted((guests / "wit").glob("*.wit")):
        target = folder / "deps" / f"wasi-{path.stem}"
        target.mkdir(parents=True)
        shutil.copyfile(path, target / path.name)


def entry_module(entry: Path) -> str:
    """The generated module that the bundle starts from: polyfills, the actor, its exports."""
    return (
        f'import "{SDK}/polyfills";\n'
        f'import {{ bind }} from "{SDK}/entry";\n'
        f"import * as module from {json.dumps(str(entry))};\n"
        "export const { actor, messageServerClient, schedulerClient, supervisorHandlers } = "
        "bind(module);\n"
    )


def bindings_module(project: Project, world: wit.World) -> str:
    """The generated module that has the interfaces of the component by name."""
    lines = [
        f'import * as i{number} from "{interface.full}";'
        for number, interface in enumerate(world.imports)
    ]
    named = [f'"{interface.name}": i{number}' for number, interface in enumerate(world.imports)]
    wasi = []
    for number, name in enumerate(WASI):
        lines.append(f'import * as w{number} from "wasi:{name}{WASI_VERSION}";')
        wasi.append(f"{_camel(name.rpartition('/')[2])}: w{number}")
    return "\n".join(
        (
            *lines,
            f"export const bindings = {{ {', '.join(named)} }};",
            f"export const wasi = {{ {', '.join(wasi)} }};",
            f'export const engine = "{project.engine}";',
            "",
        )
    )


def _camel(name: str) -> str:
    first, *rest = name.split("-")
    return first + "".join(part.capitalize() for part in rest)


_NOISE = (
    re.compile(r"^Failed to initialize component \(wizer .*?\)\):\n"),
    re.compile(r"^Exception while evaluating top-level script\n"),
    re.compile(r"\nAdditionally, some promises.*", re.DOTALL),
    re.compile(r"^(?:(?:Failed to [^:\n]*|Error)?: )+"),
)
"""What the tools put around an exception's own text, in this order."""

_PLACED = re.compile(r"^actor\.mjs:\d+:\d+ ")
_FRAME = re.compile(r"^\s*(?:at .*\(.*\)|at \S+:\d+(?::\d+)?|\S*@\S+:\d+:\d+|Stack:)\s*$")


def failure(said: Mapping[str, Any], sources: Path, folder: Path) -> BuildError:
    """The error that the script's answer stands for, in the user's terms."""

    def known(path: str) -> str:
        within = Path(path)
        return str(
            folder / within.relative_to(sources) if within.is_relative_to(sources) else within
        )

    if "errors" in said:
        texts = []
        for error in said["errors"]:
            place = f"{known(error['file'])}:{error['line']}: " if "file" in error else ""
            source = f"\n    {error['source'].strip()}" if error.get("source") else ""
            notes = "".join(f"\n{note}" for note in error["notes"])
            texts.append(
                f"{place}{error['text']}{source}{notes}".replace(str(sources), str(folder))
            )
        first = said["errors"][0]
        facts = {"file": known(first["file"]), "line": first["line"]} if "file" in first else {}
        return BuildError("\n".join(texts), **facts)
    text, places = said["failure"]["text"], said["failure"]["places"]
    for noise in _NOISE:
        text = noise.sub("", text)
    lines = [_PLACED.sub("", line) for line in text.splitlines() if not _FRAME.match(line)]
    message = "\n".join(lines).strip()
    if not places:
        return BuildError(message)
    frames = "".join(f"\n    at {known(place['file'])}:{place['line']}" for place in places)
    first = places[0]
    heading = f"{known(first['file'])}:{first['line']}: {message}"
    return BuildError(f"{heading}\n{frames}", file=known(first["file"]), line=first["line"])
