"""Whole builds, by the real toolchain."""

from __future__ import annotations

import ast
import hashlib
import io
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guests.components import PROJECTS, Guests
from tests.guests.host import Host
from theater.build import build, wit
from theater.engine import Returned
from theater.errors import BuildError

pytestmark = pytest.mark.slow

MANIFEST = 'name = "made"\n\n[[handler]]\ntype = "message-server"\n'


@pytest.fixture(scope="module")
def guests(request: pytest.FixtureRequest) -> Iterator[Guests]:
    made = Guests(request.config.cache.mkdir("guests"))
    yield made
    made.close()


def project(folder: Path, files: dict[str, str]) -> Path:
    for name, text in {"manifest.toml": MANIFEST, **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def wheel(folder: Path, name: str, module: str) -> None:
    """A pure-Python wheel of one module, for pip to find without a network."""
    info = f"{name}-1.0.dist-info"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(f"{name}.py", module)
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")
    folder.mkdir(exist_ok=True)
    (folder / f"{name}-1.0-py3-none-any.whl").write_bytes(archive.getvalue())


@pytest.mark.parametrize(
    "name, granted",
    [
        ("counter", ["simple/message-server-host"]),
        ("researcher", ["agent/context@0.1", "simple/http-client", "simple/message-server-host"]),
        (
            "conformance",
            [
                *("agent/context@0.1", "agent/registry@0.1", "agent/scheduler@0.1"),
                *("simple/message-server-host", "simple/store", "simple/supervisor"),
                "agent/supervision@0.1",
            ],
        ),
    ],
)
def test_a_component_imports_wasi_and_what_its_manifest_grants(
    guests: Guests, name: str, granted: list[str]
) -> None:
    component = guests.load(name)
    own = {f.interface for f in component.imports if not f.interface.startswith("wasi:")}
    assert own == {f"theater:{name}" for name in [*granted, "simple/runtime"]}
    wanted = {f"theater:simple/{name}" for name in ("actor", "message-server-client")}
    assert wanted <= {export.rpartition("/")[0] for export in component.exports}


def test_a_build_is_pinned_and_not_made_again_until_a_source_changes(
    guests: Guests, tmp_path: Path
) -> None:
    folder = tmp_path / "researcher"
    path = guests.copy("researcher", folder)
    lines: list[str] = []
    result = build(folder, progress=lines.append)
    assert (result.component, result.built, result.edited) == (path, False, ())
    assert result.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert lines == [f"{path} is up to date"]
    for manifest in ("manifest.toml", "openai.toml"):
        pinned = tomllib.loads((folder / manifest).read_text())
        assert pinned["component"] == "build/researcher.wasm"
        assert pinned["component_sha256"] == result.sha256
    assert (PROJECTS["researcher"] / "manifest.toml").read_text().count("component") == 0


def test_an_actor_without_the_sdk_with_a_dependency_and_no_grants(
    guests: Guests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(tmp_path / "wheels", "shouting", "def shout(text): return text.upper()\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    source = (
        "import shouting\n"
        "from pathlib import Path\n"
        'GREETING = Path(__file__).with_name("greeting.txt").read_text()\n'
        "class Actor:\n"
        "    def init(self, state, params):\n"
        "        return (b'raw',)\n"
        "class MessageServerClient:\n"
        "    def handle_request(self, state, params):\n"
        "        return (state, (shouting.shout(GREETING).encode() + params[1],))\n"
    )
    # In the cache, so that the next run finds it built; only the manifest is written anew.
    folder = project(
        guests.cache / "raw",
        {
            "manifest.toml": 'name = "raw"\r\n# mine\r\n',
            "src/actor.py": source,
            "src/greeting.txt": '"hello ',
            "pyproject.toml": '[project]\nname = "raw"\ndependencies = ["shouting", "theater-guest"]\n',
        },
    )
    result = build(folder)
    assert (folder / "manifest.toml").read_bytes().endswith(b"# mine\r\n")
    component = guests.load_file(result.component)
    host = Host(component)
    assert isinstance(host.init(), Returned)
    assert host.state == b"raw"
    assert host.request(b'there"') == "HELLO there"
    interfaces = {function.interface for function in component.imports}
    assert {name for name in interfaces if name.startswith("theater:")} == {
        "theater:simple/runtime"
    }


@pytest.mark.parametrize(
    "files, line, texts",
    [
        (
            {"made.py": "import rules\n", "rules.py": "def f():\n    return nothing\n\nf()\n"},
            ("rules.py", 2),
            ["NameError: name 'nothing' is not defined", "made.py", "    f()"],
        ),
        (
            {
                "made.py": "from theater_guest import Actor\nclass Made(Actor):\n"
                "    def on_send(self, m):\n        import sqlite9\n"
            },
            ("made.py", 4),
            ["import sqlite9", "move to the top of the module"],
        ),
    ],
    ids=["exception", "late import"],
)
def test_a_failed_build_names_the_users_file_and_line_and_nothing_of_ours(
    tmp_path: Path, files: dict[str, str], line: tuple[str, int], texts: list[str]
) -> None:
    folder = project(tmp_path, files)
    kept = tmp_path / "build" / "made.wasm"
    kept.parent.mkdir()
    kept.write_bytes(b"what was there")
    with pytest.raises(BuildError) as failed:
        build(folder)
    said = str(failed.value)
    for text in texts:
        assert text in said
    assert (failed.value.facts["file"], failed.value.facts["line"]) == (
        str(folder / line[0]),
        line[1],
    )
    assert f"{folder / line[0]}:{line[1]}: " in said
    for word in ("theater_entry", "theater_guest/", "componentize", "theater-build-", "backtrace"):
        assert word not in said
    assert kept.read_bytes() == b"what was there"
    assert (folder / "manifest.toml").read_text() == MANIFEST


def test_a_dependency_that_is_not_pure_python_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    pyproject = '[project]\ndependencies = ["absent-package"]\n'
    folder = project(tmp_path, {"made.py": "", "pyproject.toml": pyproject})
    with pytest.raises(BuildError, match="absent-package") as failed:
        build(folder)
    assert failed.value.code == "build.dependencies"


def test_a_handler_that_does_not_exist_is_named_with_those_that_do(tmp_path: Path) -> None:
    folder = project(
        tmp_path, {"made.py": "", "manifest.toml": MANIFEST + '[[handler]]\ntype="x"\n'}
    )
    with pytest.raises(BuildError, match="message-server") as failed:
        build(folder)
    assert failed.value.code == "build.handler"


def test_the_sdk_calls_what_the_bindings_have(tmp_path: Path) -> None:
    """The protocols of theater_guest.interfaces, compared with what is generated."""
    known = wit.files()
    types = wit.handler_types(known)
    wit.write_package(tmp_path / "wit", wit.world(types, types, known), known)
    run = "import sys, componentize_py; sys.exit(componentize_py.script())"
    arguments = ["-d", str(tmp_path / "wit"), "-w", wit.WORLD, "bindings", str(tmp_path / "out")]
    subprocess.run([sys.executable, "-c", run, *arguments], check=True, capture_output=True)

    source = (
        PROJECTS["counter"].parents[1] / "guests/python/theater_guest/interfaces.py"
    ).read_text()
    protocols = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and "theater:simple/" in (ast.get_docstring(node) or "")
    ]
    compared = 0
    for protocol in protocols:
        name = (ast.get_docstring(protocol) or "").split("`")[1].partition("/")[2]
        if "." in name:
            continue
        module = ast.parse(
            (tmp_path / f"out/wit_world/imports/{name.replace('-', '_')}.py").read_text()
        )
        generated = {
            node.name: [argument.arg for argument in node.args.args]
            for node in module.body
            if isinstance(node, ast.FunctionDef)
        }
        for node in protocol.body:
            if isinstance(node, ast.FunctionDef):
                assert [a.arg for a in node.args.args[1:]] == generated[node.name], node.name
                compared += 1
    assert compared >= 25
