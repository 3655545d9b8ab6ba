"""The repository's own rules, as far as a program can check them."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

import theater

ROOT = Path(__file__).resolve().parent.parent
MODULE_LINES_MAX = 600
DOCUMENTED = (
    "src/",
    "demo/",
    "guests/",
    "examples/",
    "benchmarks/",
    "fuzz/",
    "packaging/",
    "tests/",
)
FORBIDDEN_NAMES = re.compile(r"(^|_)(utils?|helpers?|common|managers?|base)($|_)")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that git has or would take, with its path from the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    paths = [Path(name.decode()) for name in listed.split(b"\0") if name]
    return tuple(path for path in paths if (ROOT / path).is_file())


def modules() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py"]


def test_git_lists_the_modules_that_are_checked_here() -> None:
    assert Path("src/theater/errors.py") in modules()


def test_no_module_is_longer_than_600_lines() -> None:
    lengths = {path: len((ROOT / path).read_text().splitlines()) for path in modules()}
    assert {path: n for path, n in lengths.items() if n > MODULE_LINES_MAX} == {}


def test_every_module_says_what_it_is() -> None:
    silent = [
        path
        for path in modules()
        if path.as_posix().startswith(DOCUMENTED)
        and (text := (ROOT / path).read_text()).strip()
        and not ast.get_docstring(ast.parse(text))
    ]
    assert silent == []


def test_every_package_of_theater_says_what_it_is() -> None:
    packages = [path for path in modules() if path.name == "__init__.py" and path.parts[0] == "src"]
    empty = [
        path for path in packages if not ast.get_docstring(ast.parse((ROOT / path).read_text()))
    ]
    assert empty == []


def test_no_module_or_class_has_a_name_that_says_nothing() -> None:
    bad = [path for path in modules() if FORBIDDEN_NAMES.search(path.stem)]
    for path in modules():
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.ClassDef):
                words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", node.name).lower()
                if FORBIDDEN_NAMES.search(words):
                    bad.append(path / node.name)
    assert bad == []


def test_nothing_is_marked_as_unfinished() -> None:
    marked = []
    for path in tracked():
        if (
            path.suffix in {".py", ".toml", ".md", ".wit", ".wat"}
            and path.name != Path(__file__).name
        ):
            for number, line in enumerate((ROOT / path).read_text().splitlines(), start=1):
                if UNFINISHED.search(line):
                    marked.append(f"{path}:{number}")
    assert marked == []


def test_no_test_is_skipped_without_a_condition() -> None:
    bare = re.compile(r"pytest\.mark\.(skip|xfail)\b|pytest\.xfail\(|unittest\.mock|mock\.patch")
    found = [
        path
        for path in modules()
        if path.parts[0] == "tests"
        and path.name != Path(__file__).name
        and bare.search((ROOT / path).read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "LICENSE",
        "docs/README.md",
        "docs/adr/README.md",
    ],
)
def test_the_repository_has_what_a_stranger_looks_for(name: str) -> None:
    assert (ROOT / name).read_text().strip()


def test_every_decision_record_is_in_its_index() -> None:
    index = (ROOT / "docs/adr/README.md").read_text()
    records = sorted(path.name for path in (ROOT / "docs/adr").glob("[0-9]*.md"))
    assert records
    assert [name for name in records if f"({name})" not in index] == []


def test_decision_records_are_numbered_without_gap_or_double() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs/adr").glob("[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_page_of_the_docs_is_in_its_index() -> None:
    index = (ROOT / "docs/README.md").read_text()
    pages = [
        path.relative_to(ROOT / "docs").as_posix()
        for path in sorted((ROOT / "docs").rglob("*.md"))
        if path.parent.name != "adr" and path.name != "README.md"
    ]
    assert [page for page in pages if f"({page})" not in index] == []


def test_every_link_inside_the_documentation_leads_somewhere() -> None:
    link = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
    broken = []
    for path in tracked():
        if path.suffix == ".md":
            text = re.sub(r"```.*?```", "", (ROOT / path).read_text(), flags=re.DOTALL)
            for target in link.findall(text):
                if not (ROOT / path.parent / target).exists():
                    broken.append(f"{path}: {target}")
    assert broken == []


def test_every_layer_is_in_the_architecture() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    layers = [path.parent.name for path in (ROOT / "src/theater").glob("*/__init__.py")]
    assert layers
    assert [layer for layer in layers if f"`{layer}" not in text] == []


def test_every_dependency_has_an_upper_bound_and_an_argument() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    record = (ROOT / "docs/adr/0001-dependencies.md").read_text()
    wanted = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        wanted += extra
    unbounded = [item for item in wanted if "<" not in item]
    unargued = [item for item in wanted if f"`{re.split('[^A-Za-z0-9_-]', item)[0]}`" not in record]
    assert (unbounded, unargued) == ([], [])


def test_the_changelog_has_the_version_or_an_unreleased_section() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in text or f"## [{theater.__version__}]" in text
