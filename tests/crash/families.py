"""A parent that starts, restarts and stops children, by a process that may end at any record.

Each order is one request to the parent, under a key: a client that lost its connection asks again and
has the first one's answer. Run again over the same data directory the scenario finishes what it had
begun, and no child is there twice.
"""

from __future__ import annotations

from contextlib import suppress

from tests.crash.scenario import Told
from tests.runtime.actors import WAIT_S, guest, manifest, until
from tests.runtime.households import HANDLERS
from theater.errors import ActorFailed, NotFound
from theater.runtime.node import Node

CHILDREN = ("first", "second", "third")


def play(node: Node, told: Told) -> str:
    """Run the scenario to its end; returns the parent's id."""
    digest = node.add_component(guest("parent"))
    started = node.start(manifest("parent", handlers=HANDLERS), component=digest, key="start")
    parent = started.result(WAIT_S).id
    text = f'name = "child"\ncomponent = "x"\ncomponent_sha256 = "{digest}"\n{HANDLERS}'
    for name in CHILDREN:
        _order(node, told, parent, name, f"c{text}")
    _order(node, told, parent, "bad", f"C\x01e{text}")
    known = told.all()
    _order(node, told, known["first"], "grandchild", f"c{text}")
    _order(node, told, parent, "restart", "y" + known["first"])
    _order(node, told, parent, "stop", "x" + known["second"])
    # Through its parent: itself it is gone when the answer is fetched again.
    _order(node, told, parent, "exit", f"r{known['third']}dbye")
    node.wait(known["third"]).result(WAIT_S)
    _order(node, told, parent, "resume", f"u{text}")
    until(lambda: not node.journal.living_messages(), node)
    _order(node, told, parent, "told", "s")
    _order(node, told, parent, "list", "l")
    _order(node, told, parent, "state", "g" + known["first"])
    _order(node, told, parent, "events", "e" + known["second"])
    node.stop(parent).result(WAIT_S)
    told.note("stopped", parent)
    _fail(node, told, digest, text)
    return parent


def _fail(node: Node, told: Told, digest: str, text: str) -> None:
    """A parent that fails for good, which is recorded before its children are stopped."""
    weak = manifest("weak", handlers=f'poison = "fail"\n{HANDLERS}')
    failing = node.start(weak, component=digest, key="start weak").result(WAIT_S).id
    for name in ("elder", "younger"):
        _order(node, told, failing, name, f"c{text}")
    with suppress(NotFound):  # it has failed, and answers nobody who asks again
        _order(node, told, failing, "failed", "f")
    assert node.wait(failing).result(WAIT_S).status == "failed"
    for name in ("elder", "younger"):
        assert node.wait(told.all()[name]).result(WAIT_S).status == "stopped"


def _order(node: Node, told: Told, actor: str, name: str, order: str) -> None:
    if name in told.all():
        return
    try:
        answer = node.request(actor, order.encode(), key=name).result(WAIT_S).decode()
    except ActorFailed as error:
        answer = error.message
    told.note(name, answer)


def check(node: Node, parent: str, told: Told) -> None:
    """Compare with the oracle: each child once, each restart once, nobody lives on, all proven."""
    known = told.all()
    children = [known[name] for name in CHILDREN]
    assert known["bad"] == "child.init_failed: e"
    assert known["told"] == f"X{known['third']}bye\n"
    assert known["list"] == known["first"] + known["resume"]
    assert known["restart"] == known["stop"] == known["state"] == ""
    family = {each.id: each for each in node.list(ended=True) if each.name != "weak"}
    orphans = [family.pop(known[name]) for name in ("elder", "younger")]
    assert {each.status for each in orphans} == {"stopped"}
    assert orphans[0].parent == orphans[1].parent
    grandchild = family.pop(known["grandchild"])
    assert (grandchild.parent, grandchild.status) == (known["first"], "stopped")
    assert family.pop(parent).status == "stopped"
    [failed] = [each for each in family.values() if each.status == "failed"]
    assert set(family) == {*children, known["resume"], failed.id}
    assert {each.parent for each in family.values()} == {parent}
    assert {each.status for each in family.values()} == {"stopped", "failed"}
    for actor in (*family, parent, grandchild.id):
        types = [event.type for event in node.events(actor)]
        assert types.count("actor-restart") == (actor == known["first"])
        assert types[-1] in ("actor-stop", "actor-fail")
    for actor in (parent, known["first"], known["resume"]):
        report = node.verify(actor)
        assert report.problem is None, report
        replay = node.replay(actor)
        assert replay.equal, replay
    assert not node.journal.waits()
    assert not node.journal.living_messages()
