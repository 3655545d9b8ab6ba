"""Every code block of the documentation does what the page says, or says why it isn't run here.

Each page has a fresh folder with a copy of the examples, a home of its own, a real server, and a shell
in which its console blocks are typed. A block that is the contents of a file is written there first, so
a page that shows an actor and then builds it is followed as a reader would. Of the libraries for this,
Sybil and pytest-markdown-docs make each block a test of its own: what one leaves behind would be gone
for the next where tests are spread over processes, and what to do with a block would still be ours.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Block, blocks, pages
from tests.docs.terminal import Terminal, agrees, typed
from tests.guests.components import PROJECTS, built_copy
from tests.server.running import Running, running
from theater.build import node as nodejs
from theater.build import npm
from theater.build.node import cache_folder
from theater.cli import configuration

BUILD = re.compile(r"\btheater build(?: (?!-)(\S+))?")
EXIT = re.compile(r"# exit code (\d+)$")
MODULES = ("*.py", "*.js", "*.ts")
CONFIGURATION = "~/.config/theater/config.toml"


class Why(Enum):
    """Why a block is not run by this test."""

    CHECKED_ELSEWHERE = (
        "another check runs it, or as much as it has time for; here it is seen to be there"
    )
    MODEL = "needs a language model; `make demo` runs the same with one"
    INSTALLS = "needs a package index; the environment of these tests was made in the same way"
    MINUTES = "takes minutes and measures nothing on a machine that runs tests"
    GRAMMAR = "not a program: a test compares its names with the code"


NOT_RUN: dict[tuple[str, str], Why] = {
    ("README.md", "$ make demo"): Why.CHECKED_ELSEWHERE,
    ("README.md", "$ python3 -m venv"): Why.INSTALLS,
    ("CONTRIBUTING.md", "$ make quick"): Why.CHECKED_ELSEWHERE,
    ("CONTRIBUTING.md", "$ python -m tests.chaos --kills"): Why.CHECKED_ELSEWHERE,
    ("CONTRIBUTING.md", "$ python -m tests.chaos_tree"): Why.CHECKED_ELSEWHERE,
    ("CONTRIBUTING.md", "$ python -m tests.engine.fire"): Why.CHECKED_ELSEWHERE,
    ("CONTRIBUTING.md", "$ make bench"): Why.MINUTES,
    ("docs/chain-format.md", "actor-start ="): Why.GRAMMAR,
    ("examples/researcher/README.md", "$ theater build"): Why.MODEL,
}
"""Blocks that are not run, by page and beginning."""

SLOW = {
    *("README.md", "docs/python.md", "docs/javascript.md", "docs/updating.md"),
    *("docs/recovery.md", "docs/supervision.md"),
} | {page for page in pages() if page.startswith("examples/")}
"""Pages for which components are built, unless a run before has."""


def why_not_run(block: Block) -> Why | None:
    for (page, beginning), why in NOT_RUN.items():
        if block.page == page and block.text.startswith(beginning):
            return why
    return None


@dataclass
class World:
    """What the blocks of a page find: a folder, a home, a server, a shell."""

    folder: Path
    cache: Path
    terminal: Terminal
    environment: dict[str, str]

    def check(self, block: Block) -> None:
        match block.language:
            case "console":
                self.console(block)
            case "sh":
                code, printed = self.terminal.run(block.text)
                assert code == 0, f"{block.place}: {printed}"
            case "python" if block.file() is None:
                self.python(block)
            case "toml" if block.file() == CONFIGURATION:
                self.configuration(block)
            case "json" if block.file() is None:
                self.answer(block)
            case "python" | "toml" | "json" | "js" | "javascript" | "ts" | "typescript":
                self.write(block)
            case language:
                pytest.fail(f"{block.place}: a block in {language!r}, which nothing here runs")

    def console(self, block: Block) -> None:
        for each in typed(block.text):
            built = self.before(each.command)
            code, printed = self.terminal.run(each.command)
            expected = EXIT.search(each.command)
            place = f"{block.place}: $ {each.command}\n{printed}"
            assert code == (int(expected[1]) if expected else 0), place
            assert not each.shown or agrees(each.shown, printed), place
            assert "Traceback" not in printed or "Traceback" in block.text, place
            if built is not None and not built[1].exists():
                shutil.copytree(built[0] / "build", built[1])

    def before(self, command: str) -> tuple[Path, Path] | None:
        """Lay out what building the same before has left; says which folder is built, and where
        what it leaves is to be kept.
        """
        found = BUILD.search(command)
        if found is None:
            return None
        code, printed = self.terminal.run("pwd")
        assert code == 0
        folder = Path(printed.strip()) / (found[1] or ".")
        known = self.example(folder)
        if known is not None:
            copy = built_copy(known, self.cache, self.folder.parent / "built" / known)
            shutil.copytree(copy.parent, folder / "build", dirs_exist_ok=True)
            return None
        if scripts_of(folder):
            # Installed by this process: how a machine reaches a registry is not for a page to know.
            nodejs.tools(
                nodejs.find(), ROOT / "guests/js/toolchain" / npm.QUICKJS, lambda _line: None
            )
        digest = hashlib.sha256()
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "build" not in path.relative_to(folder).parts:
                text = re.sub(rb"(?m)^component.*\n", b"", path.read_bytes())
                digest.update(b"%s\0%s\0" % (path.name.encode(), text))
        kept = self.cache.parent / "documented" / digest.hexdigest()
        if kept.exists():
            shutil.copytree(kept, folder / "build", dirs_exist_ok=True)
        return folder, kept

    def example(self, folder: Path) -> str | None:
        """The project of the tests that has the same code, and now the same text, if there is one."""
        for name, project in PROJECTS.items():
            modules = [path.name for pattern in MODULES for path in project.glob(pattern)]
            if modules and all(same_code(folder / each, project / each) for each in modules):
                for each in modules:
                    shutil.copy(project / each, folder / each)
                return name
            scripts = scripts_of(project)
            if scripts and scripts == scripts_of(folder):
                return name
        return None

    def python(self, block: Block) -> None:
        done = subprocess.run(
            [sys.executable, "-"],
            input=block.text,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{block.place}: {done.stderr}"

    def write(self, block: Block) -> None:
        name = block.file()
        assert name is not None, f"{block.place}: the paragraph above must name the file"
        path = self.folder / name
        assert path.resolve().is_relative_to(self.folder.resolve()), block.place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
        if block.language == "python":
            ast.parse(block.text)
        elif block.language == "json":
            json.loads(block.text)
        elif path.name == "manifest.toml":
            # A component that is yet to be built is the one thing that may be missing.
            _, printed = self.terminal.run(f"theater validate {name} --json")
            problems = json.loads(printed.splitlines()[0])["problems"]
            wrong = [each for each in problems if "component" not in each["message"]]
            assert not wrong, f"{block.place}: {wrong}"
        elif block.language == "toml":
            tomllib.loads(block.text)

    def configuration(self, block: Block) -> None:
        folder = self.folder / "configured" / "theater"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text(block.text)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_CONFIG_HOME", str(folder.parent))
            configuration.load({})

    def answer(self, block: Block) -> None:
        """JSON that a command above the block prints."""
        commands = [span for span in block.spans() if span.startswith(("theater ", "curl "))]
        assert commands, f"{block.place}: the paragraph above must name the command or the file"
        _, printed = self.terminal.run(commands[-1])
        assert same_shape(json.loads(block.text), json.loads(printed)), f"{block.place}: {printed}"


def same_code(one: Path, other: Path) -> bool:
    """Whether two modules do the same: Python without docstrings, comments and formatting."""
    if not one.is_file():
        return False
    if one.suffix == ".py":
        return code_of(one) == code_of(other)
    return one.read_bytes() == other.read_bytes()


def code_of(path: Path) -> str:
    """What a module does: its code without docstrings, comments and formatting."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:]
    return ast.dump(tree)


def scripts_of(folder: Path) -> dict[str, str]:
    """The files of a project in JavaScript."""
    return {path.name: path.read_text() for path in sorted(folder.glob("*.js"))}


def same_shape(shown: object, got: object) -> bool:
    """Whether JSON has the shown keys and types; `…` stands for any text, and values are examples."""
    match shown, got:
        case dict(), dict():
            return shown.keys() == got.keys() and all(
                same_shape(value, got[key]) for key, value in shown.items()
            )
        case list(), list():
            return all(same_shape(shown[0], each) for each in got) if shown else not got
        case _:
            return type(shown) is type(got)


@pytest.fixture(scope="module")
def cache(request: pytest.FixtureRequest) -> Path:
    """What lasts from run to run: components that were built."""
    request.config.cache.mkdir("documented")
    made = request.config.cache.mkdir("guests").resolve()
    # The commands find what the server has compiled, and what other tests have installed.
    commands = made / "commands" / "theater"
    commands.mkdir(parents=True, exist_ok=True)
    shared = {"components": made / "compiled", "javascript": cache_folder()}
    for name, target in shared.items():
        target.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            (commands / name).symlink_to(target)
    return made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("served"), cache / "compiled") as opened:
        yield opened


@pytest.fixture
def world(tmp_path: Path, server: Running, cache: Path) -> Iterator[World]:
    folder = tmp_path / "page"
    folder.mkdir()
    ignored = shutil.ignore_patterns("build", "__pycache__")
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=ignored)
    shutil.copytree(ROOT / "docs", folder / "docs")
    kept = {name: os.environ[name] for name in ("PYTHONPATH", "LANG") if name in os.environ}
    environment = {
        **kept,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(cache / "commands"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_DATA_HOME": str(tmp_path / "share"),
        "THEATER_DATA_DIR": str(server.data_dir),
        "NO_COLOR": "1",
    }
    tools = cache / "commands" / "theater" / nodejs.cache_folder().name
    tools.parent.mkdir(parents=True, exist_ok=True)
    if not tools.is_symlink():
        shutil.rmtree(tools, ignore_errors=True)
        with contextlib.suppress(FileExistsError):  # of another worker
            tools.symlink_to(nodejs.cache_folder())
    terminal = Terminal(folder, environment)
    try:
        yield World(folder, cache, terminal, environment)
    finally:
        terminal.close()
        with server.client() as client:
            for actor in client.actors():
                client.stop(actor.id, force=True)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.slow] if page in SLOW else [])
        for page in pages()
        if any(why_not_run(block) is None for block in blocks(page))
    ],
)
def test_a_page_does_what_it_says(page: str, world: World) -> None:
    for block in blocks(page):
        if why_not_run(block) is None:
            world.check(block)


@pytest.mark.parametrize("excuse", sorted(NOT_RUN), ids=lambda excuse: excuse[0])
def test_what_is_not_run_is_there_and_a_command(excuse: tuple[str, str]) -> None:
    page, beginning = excuse
    found = [block for block in blocks(page) if block.text.startswith(beginning)]
    assert len(found) == 1
    if NOT_RUN[excuse] in (Why.CHECKED_ELSEWHERE, Why.MINUTES):
        for each in typed(found[0].text):
            words = each.command.partition("#")[0].split()
            python = [sys.executable, *words[1:3], "--help"]
            dry = ["make", "-n", *words[1:]] if words[0] == "make" else python
            done = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr


# That this test can fail


def page_of(text: str) -> list[Block]:
    return blocks("page.md", text)


@pytest.mark.parametrize(
    "text",
    [
        "```console\n$ false\n```",
        "```console\n$ echo one\ntwo\n```",
        "```console\n$ true # exit code 1\n```",
        "```sh\nexit 3\n```",
        "```python\nraise SystemExit(1)\n```",
        "```fortran\nEND\n```",
        "```\nno language\n```",
        "`manifest.toml`:\n\n```toml\nname = 'a'\nunknown = 1\n```",
        "no file\n\n```toml\nname = 'a'\n```",
        "`~/.config/theater/config.toml`\n\n```toml\nunknown = 1\n```",
        '`theater list --json`\n\n```json\n{"an": "object"}\n```',
        "nothing named\n\n```json\n{}\n```",
    ],
)
def test_a_block_that_is_wrong_is_found(text: str, world: World) -> None:
    with pytest.raises((AssertionError, Exception, pytest.fail.Exception)):
        for block in page_of(text):
            world.check(block)


def test_blocks_that_are_right_pass(world: World) -> None:
    text = """
```console
$ NAME=world
$ echo "hello $NAME"
hello world
$ cat <<END
> several lines
> END
several lines
$ echo 9082cc7dbd252a4e4ccdd0b0b2d6fedd503fd1481a7b4ff5c5fde3c55b6410de took 3 s
7f5d5c15e8b1a5a1… took 12.5 s
$ false # exit code 1
$ seq 5
1
…
5
```

`folder/manifest.toml`:

```toml
name = "a"
```

`theater list --json` prints

```json
[]
```
"""
    for block in page_of(text):
        world.check(block)
