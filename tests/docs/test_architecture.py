"""Invariants of the architecture that can be read off the sources."""

from __future__ import annotations

import ast
import re
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "src" / "theater"
PURE = ("values", "chain", "manifest", "protocol")
CLOCKS = {"now", "utcnow", "today"}
"""Of `datetime`, whose types the pure layers may use."""


def test_the_pure_layers_open_no_files() -> None:
    """What `lint-imports` can't see: builtins and methods."""
    found = []
    for path in (path for layer in PURE for path in (SOURCES / layer).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id="open" | "print" | "input")):
                    found.append((path.name, node.lineno))
                case ast.Attribute(value=ast.Name(id="datetime" | "date"), attr=name):
                    if name in CLOCKS:
                        found.append((path.name, node.lineno))
                case ast.Import(names=names) if any(each.name == "os" for each in names):
                    found.append((path.name, node.lineno))
                case ast.ImportFrom(module="os" | "io" | "pathlib"):
                    found.append((path.name, node.lineno))
    assert found == []


def test_the_hash_is_defined_in_one_place() -> None:
    tag = "theater.event.v1"
    where = [path for path in SOURCES.rglob("*.py") if tag in path.read_text()]
    assert [path.relative_to(SOURCES).as_posix() for path in where] == ["chain/event.py"]


def test_events_and_content_are_written_once() -> None:
    """No statement of the journal changes or deletes a row of either."""
    changing = re.compile(
        r"(UPDATE|DELETE FROM|INSERT OR REPLACE INTO|REPLACE INTO)\s+(runs|contents)\b"
    )
    modules = list((SOURCES / "journal").rglob("*.py"))
    assert any("INSERT INTO runs" in path.read_text() for path in modules)
    assert [path.name for path in modules if changing.search(path.read_text())] == []


def test_every_module_of_the_runtime_stands_in_its_map_once() -> None:
    text = (SOURCES.parents[1] / "ARCHITECTURE.md").read_text()
    told = re.search(r"### `runtime`.*?\n\n(\| about.*?)\n\n", text, re.DOTALL)
    assert told is not None
    modules = {path.stem for path in (SOURCES / "runtime").rglob("*.py")} - {"__init__"}
    assert sorted(re.findall(r"`([a-z_]+)`", told[1])) == sorted(modules)
