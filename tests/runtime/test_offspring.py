"""What an actor may name when it starts a child, and what the child may do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.runtime.actors import WAIT_S, Theater, guest, manifest
from tests.runtime.households import HANDLERS, Household, description
from theater.chain import shapes
from theater.errors import ActorFailed, Denied
from theater.handlers.grant_types import GRANT_TYPES
from theater.limits import MANIFEST_BYTES_MAX
from theater.manifest import parse

STORE = '[[handler]]\ntype = "store"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the parent's manifest lies, with a child's beside it, and secrets around it."""
    found = tmp_path / "home"
    (found / "inner").mkdir(parents=True)
    (found / "kid.wasm").write_bytes(guest("parent"))
    (found / "inner" / "kid.wasm").write_bytes(guest("parent"))
    (found / "state").write_bytes(b"kept in a file")
    (tmp_path / "outside.toml").write_text(f'name = "out"\ncomponent = "home/kid.wasm"\n{HANDLERS}')
    (tmp_path / "secret").write_bytes(b"secret")
    text = f'name = "kid"\ncomponent = "kid.wasm"\ninitial_state = "state"\n{HANDLERS}'
    (found / "kid.toml").write_text(text)
    (found / "inner" / "kid.toml").write_text(f'name = "in"\ncomponent = "kid.wasm"\n{HANDLERS}')
    return found


@pytest.fixture
def home(stage: Theater, folder: Path) -> Household:
    """A parent whose manifest lies in the folder, and that may keep content."""
    text = f'name = "parent"\ncomponent = "x.wasm"\n{HANDLERS}{STORE}'
    read = parse(text, grant_types=GRANT_TYPES, path=str(folder / "parent.toml"))
    return Household(stage, stage.start("parent", read), description(stage))


def error_of(home: Household, named: str) -> str:
    """The code with which a spawn is refused."""
    with pytest.raises(ActorFailed) as refused:
        home.spawn(named)
    return str(refused.value).partition(":")[0]


def start_of(home: Household, actor: str) -> shapes.Start:
    """What an actor was started with."""
    first = next(iter(home.stage.node.events(actor)))
    assert first.data is not None
    start = shapes.parse(first.type, first.data)
    assert isinstance(start, shapes.Start)
    return start


def test_a_path_is_looked_up_beside_the_parents_manifest_and_then_beside_its_own(
    home: Household, folder: Path
) -> None:
    child, inner = home.spawn("kid.toml"), home.spawn("inner/kid.toml")
    assert home.ask("g" + child) == "kept in a file"
    info = home.stage.node.info(inner)
    assert (info.name, info.manifest_path) == ("in", str(folder / "inner" / "kid.toml"))
    grandchild = home.spawn("kid.toml", of=inner)
    assert home.stage.node.info(grandchild).name == "in"
    home.stage.prove(home.parent)


@pytest.mark.parametrize(
    "named",
    [
        "../outside.toml",
        "/etc/passwd",
        "inner/../../outside.toml",
        "linked.toml",
        "up/outside.toml",
    ],
)
def test_no_name_leads_out_of_the_folder(home: Household, folder: Path, named: str) -> None:
    (folder / "linked.toml").symlink_to("../outside.toml")
    (folder / "up").symlink_to("..")
    assert error_of(home, named) == "permission.denied"


def test_neither_does_what_a_manifest_names(home: Household, folder: Path) -> None:
    for line in ('component = "../home/kid.wasm"', 'component = "/etc/passwd"'):
        assert error_of(home, f'name = "kid"\n{line}\n{HANDLERS}') == "permission.denied"
    for state in ("../secret", "/etc/passwd", "link"):
        (folder / "link").unlink(missing_ok=True)
        (folder / "link").symlink_to("../secret")
        text = f'name = "kid"\ncomponent = "kid.wasm"\ninitial_state = "{state}"\n{HANDLERS}'
        assert error_of(home, text) == "permission.denied"


def test_what_is_no_file_is_refused_and_nothing_waits_for_it(home: Household, folder: Path) -> None:
    os.mkfifo(folder / "pipe.toml")
    for named in ("nothing.toml", "inner", "pipe.toml", "."):
        assert error_of(home, named) == "file.not_found"
    (folder / "binary.toml").write_bytes(b"\xff\xfe")
    assert error_of(home, "binary.toml") == "manifest.invalid"
    assert error_of(home, "name = 1\n") == "manifest.invalid"
    assert error_of(home, "https://example.com/kid.toml") == "manifest.remote"
    pinned = f'name = "kid"\ncomponent = "https://example.com/k"\ncomponent_sha256 = "{"0" * 64}"\n'
    assert error_of(home, pinned + HANDLERS) == "component.remote"
    wrong = f'name = "kid"\ncomponent = "kid.wasm"\ncomponent_sha256 = "{"0" * 64}"\n{HANDLERS}'
    assert error_of(home, wrong) == "component.pin"
    assert error_of(home, "store://nobodys/kid") == "manifest.not_found"


def test_what_is_wrong_with_a_file_is_told_by_the_name_that_the_parent_gave(
    home: Household, folder: Path
) -> None:
    (folder / "inner" / "typo.toml").write_text('name = "kid"\ncompnent = "kid.wasm"\n')
    (folder / "inner" / "kid.toml").write_text(f'name = "kid"\ncomponent = "no.wasm"\n{HANDLERS}')
    for named, where in (
        ("inner/typo.toml", "inner/typo.toml has 2 problems"),
        ("inner/no.toml", "the parent's manifest"),
        ("inner/kid.toml", "the child's manifest"),
    ):
        with pytest.raises(ActorFailed, match=where) as refused:
            home.spawn(named)
        assert str(folder) not in str(refused.value)


def test_no_variable_of_the_nodes_environment_is_filled_in(
    home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_NAME", "leaked")
    child = home.spawn(description(home.stage, name="${SECRET_NAME}"))
    assert home.stage.node.info(child).name == "${SECRET_NAME}"


def test_an_actor_whose_manifest_lies_nowhere_has_no_paths(stage: Theater) -> None:
    parent = stage.start("parent", manifest("parent", handlers=HANDLERS))
    home = Household(stage, parent, description(stage))
    assert error_of(home, "kid.toml") == "manifest.no_folder"
    assert stage.node.info(home.spawn()).parent == parent.id


def test_what_a_child_may_do_is_recorded_and_holds_after_the_process_ended(stage: Theater) -> None:
    policy = (
        '[permission_policy.supervisor]\ntype = "restrict"\n'
        "[permission_policy.supervisor.config]\nmax_children = 1\n"
    )
    parent = stage.start("parent", manifest("parent", handlers=policy + HANDLERS))
    home = Household(stage, parent, description(stage))
    child = home.spawn()
    recorded = stage.node.content(start_of(home, child).grants[0])
    assert recorded is not None
    assert b"max_children\x01" in recorded
    for _ in range(2):
        home.spawn(of=child)
        with pytest.raises(ActorFailed, match=r"children\.full"):
            home.spawn(of=child)
        stage.reopen()
        home.ask("x" + home.children(child)[0], of=child)
    stage.prove(stage.node.info(child))


def test_a_child_is_resumed_from_what_the_last_one_of_its_manifest_left(home: Household) -> None:
    other = description(home.stage, name="other")
    with pytest.raises(ActorFailed, match=r"child\.not_found"):
        home.ask("u" + home.text)
    first = home.spawn(state=b"one")
    home.spawn(other, state=b"two")
    with pytest.raises(ActorFailed, match=r"child\.init_failed"):
        home.spawn(state=b"e")
    home.ask("x" + first)
    resumed = home.ask("u" + home.text)
    assert home.ask("g" + resumed) == "one"
    start = start_of(home, resumed)
    assert start.origin is not None
    assert start.origin.actor == first
    assert home.stage.types(home.stage.node.info(resumed)) == ["actor-start"]
    given = home.ask(b"U\x03new" + home.text.encode())
    assert home.ask("g" + given) == "new"
    origin = start_of(home, given).origin
    assert origin is not None
    assert origin.actor == home.parent.id
    assert home.ask("s", of=given) == "new"
    for actor in (resumed, given, home.parent.id):
        home.stage.prove(home.stage.node.info(actor))


def test_the_tree_is_bounded_in_depth(stage: Theater, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("theater.limits.TREE_DEPTH_MAX", 2)
    parent = stage.start("parent", manifest("parent", handlers=HANDLERS))
    home = Household(stage, parent, description(stage))
    child = home.spawn()
    grandchild = home.spawn(of=child)
    with pytest.raises(ActorFailed, match=r"tree\.too_deep"):
        home.spawn(of=grandchild)


def test_the_tree_is_bounded_in_number_at_whatever_depth_it_grows(
    stage: Theater, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("theater.limits.TREE_ACTORS_MAX", 2)
    parent = stage.start("parent", manifest("parent", handlers=HANDLERS))
    home = Household(stage, parent, description(stage))
    child = home.spawn()
    grandchild = home.spawn(of=child)
    with pytest.raises(ActorFailed, match=r"tree\.full"):
        home.spawn(of=grandchild)
    stage.node.stop(grandchild).result(WAIT_S)
    assert home.spawn()
    other = stage.start("parent", manifest("parent", handlers=HANDLERS))
    assert Household(stage, other, home.text).spawn()


def test_what_is_too_large_is_refused_with_its_bound(home: Household) -> None:
    small = description(home.stage, more="[limits]\nstate_bytes = 3")
    with pytest.raises(ActorFailed, match=r"state\.too_large"):
        home.spawn(small, state=b"four")
    assert home.spawn(small, state=b"abc")
    assert error_of(home, home.text + "#" * MANIFEST_BYTES_MAX) == "manifest.too_large"


def test_a_supervisor_needs_its_handler(stage: Theater) -> None:
    with pytest.raises(Denied) as refused:
        stage.start("parent", manifest("parent"))
    assert refused.value.code == "permission.missing_handlers"
    text = description(stage, handlers='[[handler]]\ntype = "message-server"\n')
    home = Household(stage, stage.start("parent", manifest("parent", handlers=HANDLERS)), text)
    assert error_of(home, text) == "permission.missing_handlers"
