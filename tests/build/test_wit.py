"""The WIT package that guests build against is put together from the files beside the handlers."""

from __future__ import annotations

from pathlib import Path

import pytest

from theater.build import wit
from theater.errors import BuildError

KNOWN = wit.files()


def names(interfaces: tuple[wit.Interface, ...]) -> list[str]:
    return [interface.full for interface in interfaces]


def test_an_actor_without_handlers_has_its_log_and_its_start() -> None:
    world = wit.world((), (), KNOWN)
    assert names(world.imports) == ["theater:simple/runtime"]
    assert names(world.exports) == ["theater:simple/actor"]


@pytest.mark.parametrize(
    "handler, imported, exported",
    [
        ("message-server", ["message-server-host"], ["message-server-client"]),
        ("store", ["store"], []),
        ("context", ["context"], []),
        ("scheduler", ["scheduler"], ["scheduler-client"]),
        ("registry", ["registry"], []),
        ("supervisor", ["supervision", "supervisor"], ["supervisor-handlers"]),
        ("http-client", ["http-client"], []),
        ("runtime", [], []),
    ],
)
def test_a_handler_adds_its_interfaces(
    handler: str, imported: list[str], exported: list[str]
) -> None:
    bare, world = wit.world((), (), KNOWN), wit.world((handler,), (handler,), KNOWN)
    assert [i.name for i in world.imports if i not in bare.imports] == imported
    assert [i.name for i in world.exports if i not in bare.exports] == exported


def test_an_actor_may_answer_messages_without_being_granted_to_send_any() -> None:
    world = wit.world((), ("message-server",), KNOWN)
    assert [i.name for i in world.imports] == ["runtime"]
    assert [i.name for i in world.exports] == ["actor", "message-server-client"]


def test_the_world_lists_imports_then_exports() -> None:
    text = wit.world(("store",), ("store",), KNOWN).text
    assert text.splitlines()[2:] == [
        "world guest {",
        "    import theater:simple/runtime;",
        "    import theater:simple/store;",
        "    export theater:simple/actor;",
        "}",
    ]


def test_the_package_has_the_handlers_files_as_they_are(tmp_path: Path) -> None:
    wit.write_package(tmp_path, wit.world((), (), KNOWN), KNOWN)
    written = {path.name: path.read_text() for path in tmp_path.glob("deps/theater-*/*.wit")}
    assert written == {file.path.name: file.text for file in KNOWN}


def test_sides_follow_from_the_text_whatever_its_comments_say(tmp_path: Path) -> None:
    folder = tmp_path / "odd_one"
    folder.mkdir()
    (folder / "odd.wit").write_text(
        "package theater:agent@0.1.0; // interface no { f: func(); }\n"
        "/* interface nor { this: func(state: u8); } */\n"
        "interface only-types { record r { a: u8 } }\n"
        "interface for-host { /// state: of things\n use only-types.{r};\n f: func(a: r) -> u8; }\n"
        "interface for-guest { g: func(state: option<list<u8>>); h: func( state: u8); }\n"
    )
    (file,) = wit.files(tmp_path)
    assert [(i.handler, i.full, i.side.value) for i in file.interfaces] == [
        ("odd-one", "theater:agent/only-types@0.1.0", "types"),
        ("odd-one", "theater:agent/for-host@0.1.0", "host"),
        ("odd-one", "theater:agent/for-guest@0.1.0", "guest"),
    ]
    wit.write_package(tmp_path / "out", wit.world((), (), [file]), [file])
    assert (tmp_path / "out/deps/theater-agent-0.1.0/odd.wit").is_file()


def test_a_file_without_its_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "bad.wit").write_text("interface x {}")
    with pytest.raises(BuildError, match=r"bad\.wit"):
        wit.files(tmp_path)
