"""Projects in JavaScript and TypeScript: what is built of them, and what is said when that fails."""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guests.components import PROJECTS, ROOT, Guests
from tests.guests.host import Host, error_of
from theater.build import build, javascript, node, npm, project
from theater.engine import Returned
from theater.errors import BuildError

MANIFEST = 'name = "made"\n\n[[handler]]\ntype = "message-server"\n'
ACTOR = 'import { Actor } from "theater-guest";\nexport default class Made extends Actor {\n%s}\n'


@pytest.fixture(scope="module")
def guests(request: pytest.FixtureRequest) -> Iterator[Guests]:
    made = Guests(request.config.cache.mkdir("guests"))
    yield made
    made.close()


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in {"manifest.toml": MANIFEST, **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def packed(path: Path, name: str, module: str) -> None:
    """A package of one module as npm packs it, to be installed without a registry."""
    described = json.dumps({"name": name, "version": "1.0.0", "type": "module", "main": "index.js"})
    with tarfile.open(path, "w:gz") as archive:
        for member, text in (("package.json", described), ("index.js", module)):
            info = tarfile.TarInfo(f"package/{member}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))


# What is a project


@pytest.mark.parametrize(
    "files, entry",
    [
        (["made.js", "actor.js"], "made.js"),
        (["actor.mjs", "other.js"], "actor.mjs"),
        (["src/actor.ts", "src/other.ts"], "src/actor.ts"),
        (["alone.mts"], "alone.mts"),
    ],
)
def test_the_entry_is_named_like_the_actor_or_actor_or_the_only_module(
    tmp_path: Path, files: list[str], entry: str
) -> None:
    read = project.read(written(tmp_path, dict.fromkeys(files, "")))
    assert (read.language, read.entry, read.engine) == (
        project.Language.JAVASCRIPT,
        entry,
        "quickjs",
    )


def test_package_json_names_module_engine_and_dependencies(tmp_path: Path) -> None:
    package = {
        "theater": {"module": "lib/main.js", "engine": "spidermonkey"},
        "dependencies": {"b": "^1", "@a/c": "file:c.tgz", "theater-guest": "*"},
    }
    files = {"lib/main.js": "", "made.py": "", "package.json": json.dumps(package)}
    read = project.read(written(tmp_path, files))
    assert (read.entry, read.engine) == ("lib/main.js", "spidermonkey")
    assert read.dependencies == ("@a/c@file:c.tgz", "b@^1")
    assert npm.specifications(tmp_path) == {"@a/c": f"file:{tmp_path / 'c.tgz'}", "b": "^1"}


def test_two_languages_with_the_same_claim_are_an_error_that_names_both(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"made and made\.js"):
        project.read(written(tmp_path, {"made.py": "", "made.js": ""}))


@pytest.mark.parametrize(
    "package",
    [
        "{",
        "[]",
        "[" * 100_000,
        '{"theater": {"modul": "x"}}',
        '{"theater": {"engine": "v8"}}',
        '{"theater": {"engine": ["quickjs"]}}',
        '{"theater": []}',
        '{"main": "../x.js"}',
        '{"main": 1}',
        '{"main": "absent.js"}',
        '{"dependencies": {"a": 1}}',
        '{"dependencies": []}',
    ],
)
def test_a_package_json_that_makes_no_sense_is_named(tmp_path: Path, package: str) -> None:
    with pytest.raises(BuildError, match=r"package\.json"):
        project.read(written(tmp_path, {"made.js": "", "package.json": package}))


@pytest.mark.parametrize(
    "method", ["onSend(message) {}", "async onRequest(m) {}", "onSend = (m) => {}", "onSend: 1"]
)
def test_callbacks_are_exported_by_an_actor_that_has_them(tmp_path: Path, method: str) -> None:
    files = {"manifest.toml": 'name = "made"\n', "made.js": f"class A {{ {method} }}"}
    assert project.read(written(tmp_path, files)).answering == ("message-server",)


# The tools


def test_the_tools_are_pinned_exactly_and_no_registry_is_named() -> None:
    for engine in npm.ENGINES:
        folder = ROOT / "guests/js/toolchain" / engine
        wanted = json.loads((folder / npm.FILE).read_text())["dependencies"]
        assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
        lock = (folder / npm.LOCK).read_text()
        assert "resolved" not in lock
        assert "//" not in re.sub(r'"(integrity|license)": "[^"]*"', "", lock)
        packages = json.loads(lock)["packages"]
        assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
        assert all(path == "" or "integrity" in each for path, each in packages.items())


@pytest.fixture
def without_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has no Node: not as a wheel, and not on PATH."""
    (tmp_path / "empty").mkdir()
    monkeypatch.setitem(sys.modules, node.WHEEL, None)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))


@pytest.mark.usefixtures("without_node")
def test_without_node_the_error_says_what_to_install_and_python_goes_on(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=re.escape("pip install 'theater-wasm[javascript]'")) as e:
        build(written(tmp_path / "js", {"made.js": ACTOR % ""}))
    assert e.value.code == "build.toolchain"
    folder = written(tmp_path / "py", {"made.py": "def f(:\n"})
    with pytest.raises(BuildError, match="SyntaxError"):
        build(folder)


@pytest.mark.usefixtures("without_node")
def test_a_node_on_path_is_used_if_it_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, version in (("node", "v22.1.0"), ("npm", "10.0.0")):
        (tools / name).write_text(f"#!/bin/sh\necho {version}\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    assert node.find() == node.Node(str(tools / "node"), (str(tools / "npm"),))
    (tools / "node").write_text("#!/bin/sh\necho v16.20.0\n")
    with pytest.raises(BuildError, match=r"v16\.20\.0.*theater-wasm\[javascript\]"):
        node.find()


def test_a_failed_installation_leaves_nothing_and_shows_npms_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_offline", "true")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "nothing"))
    described = tmp_path / "engine"
    described.mkdir()
    (described / npm.FILE).write_text('{"dependencies": {"absent-package": "1.0.0"}}')
    (described / npm.LOCK).write_text("{}")
    said: list[str] = []
    with pytest.raises(BuildError, match="absent-package") as failed:
        node.tools(node.find(), described, said.append)
    assert failed.value.code == "build.dependencies"
    assert said[0].startswith("installing absent-package 1.0.0 into ")
    assert [p for p in (tmp_path / "cache/theater/javascript").iterdir() if p.is_dir()] == []


# Whole builds


@pytest.mark.slow
def test_a_build_is_pinned_and_not_made_again_until_a_source_changes(
    guests: Guests, tmp_path: Path
) -> None:
    folder = tmp_path / "counter"
    path = guests.copy("counter-js", folder)
    result = build(folder)
    assert (result.component, result.built, result.edited) == (path, False, ())
    pinned = tomllib.loads((folder / "manifest.toml").read_text())
    assert pinned["component"] == "build/counter-js.wasm"
    assert pinned["component_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "counter.js").write_text((folder / "counter.js").read_text() + "// changed\n")
    assert build(folder).built
    assert not (folder / "node_modules").exists()
    assert "component" not in (PROJECTS["counter-js"] / "manifest.toml").read_text()


@pytest.mark.slow
def test_typescript_several_files_data_and_a_dependency_become_one_component(
    guests: Guests,
) -> None:
    folder = written(
        guests.cache / "typed",
        {
            "manifest.toml": 'name = "typed"\n',
            "src/actor.ts": 'import { Actor } from "theater-guest";\n'
            'import { shout } from "@loud/shouting";\n'
            'import { greeting, type Greeting } from "./greeting";\n'
            'import words from "./words.json";\n'
            "interface Message { name: string }\n"
            "export default class Typed extends Actor {\n"
            "  seen: number = 0;\n"
            "  async onRequest(message: Message): Promise<Greeting> {\n"
            "    this.seen += 1;\n"
            "    return { text: shout(`${greeting} ${message.name}${words.end}`), seen: this.seen };\n"
            "  }\n}\n",
            "src/greeting.ts": "export interface Greeting { text: string; seen: number }\n"
            'import text from "./greeting.txt";\nexport const greeting: string = text.trim();\n',
            "src/greeting.txt": "hello\n",
            "src/words.json": '{"end": "!"}',
            "package.json": json.dumps({"dependencies": {"@loud/shouting": "file:shouting.tgz"}}),
        },
    )
    if not (folder / "shouting.tgz").exists():
        packed(
            folder / "shouting.tgz",
            "@loud/shouting",
            "export const shout = (text) => text.toUpperCase();\n",
        )
    component = guests.load_file(build(folder).component)
    host = Host(component)
    assert isinstance(host.init(), Returned)
    assert host.request({"name": "you"}) == {"text": "HELLO YOU!", "seen": 1}
    own = {f.interface for f in component.imports if not f.interface.startswith("wasi:")}
    assert own == {"theater:simple/runtime"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "files, line, texts",
    [
        (
            {"made.js": 'import { rule } from "./rules.js";\n' + ACTOR % "", "rules.js": "a b\n"},
            ("rules.js", 1),
            ['Expected ";" but found "b"'],
        ),
        (
            {"made.js": 'import x from "nowhere";\n' + ACTOR % ""},
            ("made.js", 1),
            ['Could not resolve "nowhere"'],
        ),
        (
            {"made.js": 'import "./rules.js";\n' + ACTOR % "", "rules.js": "\nnull.x;\n"},
            ("rules.js", 2),
            ["cannot read property 'x' of null"],
        ),
        ({"made.js": ACTOR % "" + "await 1;\n"}, ("made.js", 4), ["Top-level await"]),
        ({"made.js": "export const a = 1;\n"}, None, ["the module exports no actor"]),
        (
            {"made.js": ACTOR % "  when = new Date();\n"},
            None,
            ["Made.when: an object of Date has no form in JSON"],
        ),
    ],
    ids=["syntax", "unresolved", "exception", "await", "no actor", "field"],
)
def test_a_failed_build_names_the_users_file_and_line_and_nothing_of_ours(
    tmp_path: Path, files: dict[str, str], line: tuple[str, int] | None, texts: list[str]
) -> None:
    folder = written(tmp_path, files)
    with pytest.raises(BuildError) as failed:
        build(folder)
    said = str(failed.value)
    for text in texts:
        assert text in said
    if line is not None:
        assert said.startswith(f"{folder / line[0]}:{line[1]}: ")
        assert failed.value.facts == {"file": str(folder / line[0]), "line": line[1]}
    for word in ("entry.mjs", "actor.mjs", "theater-build-", "componentize", "wizer", "Failed to"):
        assert word not in said
    assert (folder / "manifest.toml").read_text() == MANIFEST


def test_what_spidermonkey_says_of_an_exception_is_cut_to_the_users_part(tmp_path: Path) -> None:
    text = (
        "Failed to initialize component (wizer (/x/wizer)):\n"
        "Exception while evaluating top-level script\n"
        'actor.mjs:2:20 TypeError: can\'t access property "x" of null\n'
        "Additionally, some promises were rejected, but the rejection never handled:\nPromise …"
    )
    place = {"file": str(tmp_path / "s/made.js"), "line": 7}
    said = {"failure": {"text": text, "places": [place]}}
    error = javascript.failure(said, tmp_path / "s", Path("/home/me"))
    assert str(error).startswith(
        '/home/me/made.js:7: TypeError: can\'t access property "x" of null\n'
    )


@pytest.mark.slow
def test_an_actor_without_the_sdks_class_has_its_promises_and_its_errors(guests: Guests) -> None:
    source = (
        "const text = new TextDecoder();\n"
        "export const actor = { init: async () => [await Promise.resolve(Uint8Array.of(1))] };\n"
        "export const messageServerClient = {\n"
        "  async handleRequest(state, [id, body]) {\n"
        "    const said = JSON.parse(text.decode(body));\n"
        '    if (said === "fail") throw new RangeError("told to");\n'
        "    return [state, [body]];\n"
        "  },\n};\n"
    )
    folder = written(
        guests.cache / "bare", {"manifest.toml": 'name = "bare"\n', "actor.js": source}
    )
    host = Host(guests.load_file(build(folder).component))
    assert isinstance(host.init(), Returned)
    assert host.state == b"\x01"
    assert host.request("echo") == "echo"
    assert error_of(host.callback("handle-request", ("r", b'"fail"'))) == "RangeError: told to"
