"""Writes the component's path and hash into manifests, as an edit of their text.

Comments, order and spelling stay as they are. The edited text is parsed again and must differ from
the old in these two keys only; if it does not, the manifest is left alone and the user is told the
lines.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from theater.build import project
from theater.build.staging import write_atomically
from theater.errors import BuildError, ManifestError

HASH_KEY = "component_sha256"
_STRINGS = r"\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'"


def pin(built: project.Project, sha256: str) -> list[Path]:
    """Pin the component in the manifest and in others beside it that name it; returns the edited."""
    edited = []
    main = built.folder / project.MANIFEST
    for path in sorted(built.folder.glob("*.toml")):
        if path != main and not _names(path, built):
            continue
        before = path.read_bytes().decode()  # line ends as they are
        after = edit(before, built.component.as_posix(), sha256, path)
        if after != before:
            write_atomically(path, after.encode())
            edited.append(path)
    return edited


def _names(path: Path, built: project.Project) -> bool:
    try:
        manifest = project.table(path)
        named = any(key in manifest for key in project.COMPONENT_KEYS)
        return named and project.component_of(manifest, built.name) == built.component
    except (BuildError, ManifestError):
        return False


def edit(text: str, component: str, sha256: str, path: Path) -> str:
    """The manifest's text with the two values set. Raises BuildError if that is not possible."""
    before = tomllib.loads(text)
    key = next((key for key in project.COMPONENT_KEYS if key in before), "component")
    head = "version" if "version" in before else "name"
    after = text
    for name, value, behind in ((key, component, head), (HASH_KEY, sha256, key)):
        if before.get(name) != value:
            after = _set(after, name, value, behind)
    try:
        unchanged = tomllib.loads(after) == {**before, key: component, HASH_KEY: sha256}
    except tomllib.TOMLDecodeError:
        unchanged = False
    if not unchanged:
        raise BuildError(
            f"{path} is written in a way that can't be edited: set these lines yourself\n"
            f'    {key} = "{component}"\n    {HASH_KEY} = "{sha256}"'
        )
    return after


def _set(text: str, key: str, value: str, behind: str) -> str:
    """Replace a top-level string, or insert it behind another key's line."""
    end = re.search(r"^[ \t]*\[", text, re.MULTILINE)
    head, tables = (text[: end.start()], text[end.start() :]) if end else (text, "")
    line = re.compile(rf"^([ \t]*{key}[ \t]*=[ \t]*)(?:{_STRINGS})", re.MULTILINE)
    if line.search(head):
        return line.sub(lambda match: f'{match[1]}"{value}"', head, count=1) + tables
    if head and not head.endswith("\n"):
        head += "\n"
    at = re.search(rf"^[ \t]*{behind}[ \t]*=.*\n", head, re.MULTILINE)
    position = at.end() if at else 0
    return f'{head[:position]}{key} = "{value}"\n{head[position:]}{tables}'
