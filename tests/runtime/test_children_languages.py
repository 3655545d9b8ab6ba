"""Parents written with the SDK of each language: children's functions and callbacks."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.guests.components import built
from tests.runtime.actors import WAIT_S, Theater, manifest, until
from tests.runtime.households import description
from tests.runtime.languages import HANDLERS
from theater.runtime.info import ActorInfo


@pytest.mark.slow
@pytest.mark.parametrize("project", ["conformance", "conformance-js"])
def test_a_parent_in_any_language_has_children_and_is_told_of_them(
    request: pytest.FixtureRequest, stage: Theater, project: str
) -> None:
    component = built(project, Path(request.config.cache.mkdir("guests"))).read_bytes()
    parent = stage.start(component, manifest("parent", handlers=HANDLERS))

    def do(how: str, *arguments: object) -> Any:
        order = {"do": "child", "how": how, "with": arguments}
        return json.loads(stage.ask(parent, json.dumps(order).encode()))

    def named(child: str) -> ActorInfo:
        return stage.node.info(child)

    text = description(stage)
    kept, ends = do("spawn", text, "given"), do("spawn", text)
    assert do("living") == [kept, ends]
    assert (do("status", kept), do("state", kept), do("state", ends)) == (
        "running",
        '"given"',
        None,
    )
    assert do("events", kept)[:2] == [["actor-start", True], ["wasm-call", False]]
    do("restart", kept)
    do("stop", kept)
    assert do("status", kept) == "stopped"
    again = do("resume", text)
    assert do("state", again) == '"given"'
    assert do("stop", "nobody") == {"code": "child.not_found"}
    stage.node.request(ends, b"f").exception(WAIT_S)
    stage.ask(named(ends), b'd"bye"')
    stage.node.stop(again).result(WAIT_S)
    expected = [
        *[f"error {ends} internal trap (unreachable)"] * 2,
        f"exit {ends} bye",
        f"stopped {again}",
    ]

    def told() -> list[str]:
        state = json.loads(stage.node.state(parent.id) or b"{}")
        return [note for note in state["notes"] if note.split()[0] in ("error", "exit", "stopped")]

    until(lambda: len(told()) == len(expected), stage.node)
    assert told() == expected
    stage.prove(parent)


@pytest.mark.slow
def test_a_manifest_in_the_parents_own_store_is_found_and_none_in_anybody_elses(
    request: pytest.FixtureRequest, stage: Theater
) -> None:
    component = built("conformance", Path(request.config.cache.mkdir("guests"))).read_bytes()
    owner, other = (
        stage.start(component, manifest(name, handlers=HANDLERS)) for name in ("owner", "other")
    )
    text = description(stage)
    stage.ask(owner, json.dumps({"do": "keep", "text": text}).encode())
    stage.ask(other, json.dumps({"do": "keep", "text": "x"}).encode())
    kept = json.loads(stage.node.state(owner.id) or b"{}")["store"]["id"]
    digest = sha256(text.encode()).hexdigest()

    def spawn(of: ActorInfo, named: str) -> Any:
        order = {"do": "child", "how": "spawn", "with": [named]}
        return json.loads(stage.ask(of, json.dumps(order).encode()))

    child = spawn(owner, f"store://{kept}/hash/{digest}")
    assert stage.node.info(child).parent == owner.id
    # The label has the text twice, one behind the other, which is no manifest any more.
    assert spawn(owner, f"store://{kept}/kept") == {"code": "manifest.invalid"}
    for named in (f"hash/{digest}", "kept"):
        assert spawn(other, f"store://{kept}/{named}") == {"code": "manifest.not_found"}
    for named in ("absent", f"hash/{'0' * 64}"):
        assert spawn(owner, f"store://{kept}/{named}") == {"code": "manifest.not_found"}
    stage.prove(owner)
