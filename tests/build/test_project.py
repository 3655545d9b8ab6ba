"""What a folder has to have to be built, and what decides whether it is built again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from theater.build import project, staging, wit
from theater.errors import BuildError, ManifestError

KNOWN = wit.files()
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def write(manifest: str = 'name = "a-b"\n', files: dict[str, str] | None = None) -> Path:
        for name, text in {"manifest.toml": manifest, **(files or {})}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def digest(folder: Path, toolchain: str = "tool 1") -> str:
    return staging.digest(project.read(folder), KNOWN, toolchain)


@pytest.mark.parametrize(
    "files, entry",
    [
        (["a_b.py", "actor.py"], "a_b"),
        (["a_b/__init__.py", "other.py"], "a_b"),
        (["actor.py", "other.py"], "actor"),
        (["alone.py"], "alone"),
        (["src/actor.py", "src/other.py"], "actor"),
    ],
)
def test_the_entry_is_named_like_the_actor_or_actor_or_the_only_module(
    make: Make, files: list[str], entry: str
) -> None:
    assert project.read(make(files=dict.fromkeys(files, ""))).entry == entry


def test_the_entry_can_be_named(make: Make) -> None:
    files = {"x.py": "", "y.py": "", "pkg/main.py": ""}
    files["pyproject.toml"] = '[tool.theater]\nmodule = "pkg.main"\n'
    assert project.read(make(files=files)).entry == "pkg.main"


def test_two_modules_without_a_name_are_an_error_that_says_how_to_name_one(make: Make) -> None:
    with pytest.raises(BuildError, match=r"tool\.theater"):
        project.read(make(files={"x.py": "", "y.py": ""}))


@pytest.mark.parametrize("name", ["wit_world", "theater_guest", "theater_entry"])
def test_a_module_with_a_name_that_components_need_is_refused(make: Make, name: str) -> None:
    folder = make()
    (folder / f"{name}.py").touch()
    with pytest.raises(BuildError, match="rename"):
        project.read(folder)


@pytest.mark.parametrize("manifest", ["name = ", "version = '1'", 'name = "a"\n[[handler]]\nx = 1'])
def test_a_manifest_that_cannot_be_read_is_named(make: Make, manifest: str) -> None:
    with pytest.raises(ManifestError, match=r"manifest\.toml"):
        project.read(make(manifest, {"actor.py": ""}))


def test_a_folder_without_a_manifest_is_no_project(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="theater create"):
        project.read(tmp_path)


@pytest.mark.parametrize(
    "where", ["https://x.example/a.wasm", "store://s/l", "/a.wasm", "../a.wasm"]
)
def test_a_component_from_elsewhere_is_not_overwritten(make: Make, where: str) -> None:
    with pytest.raises(BuildError, match="component"):
        project.read(make(f'name = "a"\ncomponent = "{where}"\n', {"actor.py": ""}))


@pytest.mark.parametrize(
    "manifest, component",
    [
        ('name = "a"', "build/a.wasm"),
        ('name = "a b/c"', "build/a-b-c.wasm"),
        ('name = "a"\npackage = "out/x.wasm"', "out/x.wasm"),
    ],
)
def test_the_component_goes_where_the_manifest_says(
    make: Make, manifest: str, component: str
) -> None:
    assert project.read(make(manifest, {"actor.py": ""})).component.as_posix() == component


def test_handlers_of_both_spellings_count(make: Make) -> None:
    manifest = 'name = "a"\n[[handler]]\ntype = "store"\n[[handlers]]\ntype = "http-client"\n'
    assert project.read(make(manifest, {"actor.py": ""})).handlers == ("http-client", "store")


def test_callbacks_are_exported_by_an_actor_that_has_them(make: Make) -> None:
    assert project.read(make(files={"actor.py": ""})).answering == ()
    made = project.read(make(files={"actor.py": "class A:\n    def on_request(self, m): ...\n"}))
    assert (made.handlers, made.answering) == ((), ("message-server",))


def test_only_what_may_matter_is_a_source(make: Make) -> None:
    folder = make(
        files=dict.fromkeys(["actor.py", "pkg/data.py", "tests/test_actor.py", "build/x.py"], "")
    )
    for name in ("README.md", "prompt.txt", ".hidden", "old.wasm", "other.toml", "pkg/table.toml"):
        (folder / name).touch()
    listed = {path.relative_to(folder).as_posix() for path in project.read(folder).sources}
    assert listed == {"actor.py", "pkg/data.py", "prompt.txt", "pkg/table.toml"}


def test_the_digest_changes_with_what_goes_into_the_component(make: Make) -> None:
    folder = make(files={"actor.py": "a = 1\n"})
    (folder / "README.md").touch()
    seen = [digest(folder)]
    (folder / "actor.py").write_text("a = 2\n")
    seen.append(digest(folder))
    (folder / "prompt.txt").write_text("be kind")
    seen.append(digest(folder))
    (folder / "manifest.toml").write_text('name = "a"\n[[handler]]\ntype = "store"\n')
    seen.append(digest(folder))
    (folder / "pyproject.toml").write_text('[project]\ndependencies = ["attrs"]\n')
    seen.append(digest(folder))
    seen.append(digest(folder, "tool 2"))
    assert len(set(seen)) == len(seen)


def test_the_digest_does_not_change_with_what_does_not(make: Make) -> None:
    folder = make(files={"actor.py": "a = 1\n"})
    before = digest(folder)
    (folder / "README.md").write_text("news")
    (folder / "manifest.toml").write_text('# hello\nname = "a-b"\nrequest_timeout_ms = 5\n')
    (folder / "actor.py").touch()
    assert digest(folder) == before


def test_a_stamp_holds_for_the_component_that_it_was_made_for(tmp_path: Path) -> None:
    output = tmp_path / "a.wasm"
    output.write_bytes(b"component")
    good = hashlib.sha256(b"component").hexdigest()
    staging.write_stamp(output, staging.Stamp("inputs", good))
    assert staging.read_stamp(output) == staging.Stamp("inputs", good)
    output.write_bytes(b"another")
    assert staging.read_stamp(output) is None
