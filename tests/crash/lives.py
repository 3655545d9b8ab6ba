"""Actors that are paused, resumed, restarted, updated and stopped, by a process that may end at any record.

A client that lost its connection asks again: for a restart or an update with the same key, so that it is done
once; for the others without, because done twice they are done once. Run again over the same data
directory the scenario finishes what it had begun.
"""

from __future__ import annotations

from tests.crash.scenario import Told
from tests.docs.test_second_verifier import second_problem
from tests.runtime.actors import WAIT_S, guest, manifest, until
from tests.runtime.variants import COUNTS_ALIKE, COUNTS_BY_TWO, TRAPS_IN_INIT, alike
from theater.errors import ActorFailed
from theater.runtime.info import ActorInfo
from theater.runtime.node import Node

ANSWERS = {"first": "1", "resumed": "3", "restarted": "1", "kept": "2", "updated": "5"}
"""What the counter answers: a message that waited for the resuming was counted, a restart forgot, and
what it was updated to counts a message as two.
"""


def play(node: Node, told: Told) -> tuple[str, ...]:
    """Run the scenario to its end; returns the ids of the actors."""
    counter = start(node, "counter")
    ask(node, told, counter, "first")
    if "kept" not in told.all():
        node.pause(counter.id).result(WAIT_S)
        told.note("paused", "yes")
        node.send(counter.id, b"waits", key="waits").result(WAIT_S)
        node.resume(counter.id).result(WAIT_S)
    ask(node, told, counter, "resumed")
    node.restart(counter.id, key="restart").result(WAIT_S)
    ask(node, told, counter, "restarted")
    node.restart(counter.id, keep_state=True, key="renew").result(WAIT_S)
    ask(node, told, counter, "kept")
    _update(node, told, counter)
    waiting = _leave_unanswered(node, told)
    failed = _fail(node, told)
    node.stop(counter.id).result(WAIT_S)
    told.note("stopped", counter.id)
    return (counter.id, *waiting, failed)


def start(node: Node, name: str) -> ActorInfo:
    component = node.add_component(guest(name))
    return node.start(manifest(name), component=component, key=f"start-{name}").result(WAIT_S)


def ask(node: Node, told: Told, actor: ActorInfo, name: str) -> None:
    if name not in told.all():
        told.note(name, node.request(actor.id, b"?", key=name).result(WAIT_S).decode())


def _update(node: Node, told: Told, counter: ActorInfo) -> None:
    """First a component that behaves as the first one did, then one that counts otherwise."""
    if "updated" not in told.all():
        tried, forced = node.add_component(COUNTS_ALIKE), node.add_component(COUNTS_BY_TWO)
        node.update(counter.id, tried, key="update").result(WAIT_S)
        node.update(counter.id, forced, force=True, key="force").result(WAIT_S)
        told.note("update", node.info(counter.id).component)
        node.send(counter.id, b"counts twice", key="twice").result(WAIT_S)
        ask(node, told, counter, "updated")


def _leave_unanswered(node: Node, told: Told) -> tuple[str, ...]:
    """A restart takes a client's unanswered request away, and kills a call that waits for another."""
    callee = start(node, "defer")
    component = node.add_component(guest("relay"))
    asker = node.start(
        manifest("relay"), component=component, state=callee.id.encode(), key="start-relay"
    ).result(WAIT_S)
    if "lost" not in told.all():
        lost = node.request(callee.id, b"?", key="lost")
        until(lambda: lost.done() or _has(node, callee.id, "outstanding"), node)
        node.restart(callee.id, key="forget").result(WAIT_S)
        error = lost.exception(WAIT_S)
        assert isinstance(error, ActorFailed)
        told.note("lost", error.code)
    if "late" not in told.all():
        late = node.request(asker.id, b"?", key="late")
        until(lambda: late.done() or _has(node, callee.id, "outstanding"), node)
        node.restart(asker.id, keep_state=True, key="kill").result(WAIT_S)
        until(lambda: late.done() or _has(node, callee.id, "outstanding"), node)
        # Its call waits for an answer: that is killed, and begun anew by the other component.
        other = node.add_component(alike(guest("relay")))
        node.update(asker.id, other, key="change").result(WAIT_S)
        sent = 0
        while not late.done():
            until(lambda: late.done() or _has(node, callee.id, "outstanding"), node)
            node.send(callee.id, b"late", key=f"answer {sent}").result(WAIT_S)
            sent += 1
            until(lambda: late.done() or not _has(node, callee.id, "waiting"), node)
        told.note("late", late.result().decode())
    return callee.id, asker.id


def _has(node: Node, actor: str, state: str) -> bool:
    return any(message.state == state for message in node.journal.messages(actor))


def _fail(node: Node, told: Told) -> str:
    """One that fails in its `init`, and fails again when it is restarted."""
    component = node.add_component(TRAPS_IN_INIT)
    starting = node.start(manifest("bad"), component=component, key="start-bad")
    starting.exception(WAIT_S)
    failed = next(each.id for each in node.list(ended=True) if each.name == "bad")
    node.wait(failed).result(WAIT_S)
    node.restart(failed, key="again").exception(WAIT_S)
    assert node.wait(failed).result(WAIT_S).status == "failed"
    told.note("failed", failed)
    return failed


def check(node: Node, actors: tuple[str, ...], told: Told) -> None:
    """Compare with the oracle: each answer as it must be, each restart once, all chains proven."""
    counter, callee, asker, failed = actors
    known = told.all()
    assert {name: known[name] for name in ANSWERS} == ANSWERS
    assert known["lost"] == "actor.restarted"
    assert known["late"] == "late"
    assert node.info(counter).status == "stopped"
    assert node.info(failed).status == "failed"
    for actor, restarts, updates in (
        (counter, 2, 2),
        (callee, 1, 0),
        (asker, 1, 1),
        (failed, 1, 0),
    ):
        types = [event.type for event in node.events(actor)]
        assert types.count("actor-restart") == restarts
        assert types.count("actor-update") == updates
        report = node.verify(actor)
        assert report.problem is None, report
        assert second_problem(list(node.events(actor))) is None
        replay = node.replay(actor)
        assert replay.equal, replay
    types = [event.type for event in node.events(counter)]
    notes = [each for each in types if each in ("actor-pause", "actor-resume")]
    assert notes
    assert notes == ["actor-pause", "actor-resume"] * (len(notes) // 2)
    assert not node.journal.messages(counter)
