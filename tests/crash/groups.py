"""Groups that are restarted and supervisors that give up, by a process that may end at any record.

A parent of four that go on in four ways (last state, initial state, stopped, a call in hand that is
killed) with one that is permanent and asks for its end, so that there is one restart and no second
try; and one whose only child gives up when one of its own does the same. Run again over
the same data directory the scenario finishes what it had begun.
"""

from __future__ import annotations

from tests.crash.scenario import Told
from tests.runtime.actors import WAIT_S, guest, manifest, until
from tests.runtime.households import HANDLERS
from theater.errors import ActorFailed
from theater.runtime.node import Node

MANY = "intensity = 20\nperiod_s = 3600\n"
CHILDREN = {
    "first": ("counter", ""),
    "anew": ("counter", 'restart_state = "initial"\n'),
    "worker": ("relay", ""),
    "bad": ("parent", 'restart = "permanent"\n'),
    "extra": ("counter", 'restart = "temporary"\n'),
}
COUNTED = {"first": "2", "anew": "1", "niece": "2"}
RESTARTED = ("first", "anew", "worker", "bad", "middle", "leaf", "niece")


def play(node: Node, told: Told) -> None:
    """Run the scenario to its end."""
    group = _top(node, "group", f'strategy = "one_for_all"\n{MANY}')
    outside = _start(node, "outside", "defer", "")
    for name, (kind, settings) in CHILDREN.items():
        state = outside.encode() if kind == "relay" else b""
        _ask(node, told, group, name, _spawn(node, name, kind, settings, state))
    top = _top(node, "top", MANY)
    _ask(node, told, top, "middle", _spawn(node, "middle", "parent", "intensity = 0\n"))
    known = told.all()
    permanent = CHILDREN["bad"][1]
    _ask(node, told, known["middle"], "niece", _spawn(node, "niece", "counter", ""))
    _ask(node, told, known["middle"], "leaf", _spawn(node, "leaf", "parent", permanent))
    known = told.all()
    for name in COUNTED:
        _ask(node, told, known[name], f"one {name}", b"?")
    waits = None
    if "answer" not in known:
        waits = node.request(known["worker"], b"?", key="answer")
    told.note("begun", str(node.journal.appended()))
    _ask(node, told, known["bad"], "exit bad", b"dbye")
    _ask(node, told, known["leaf"], "exit leaf", b"dbye")
    until(lambda: all(_restarts(node, known[name]) for name in RESTARTED), node)
    # Only once all is as it was planned: who is restarted after that would answer anew.
    until(lambda: not any(each.plan for each in node.journal.supervision()), node)
    told.note("settled", str(node.journal.appended()))
    for name in COUNTED:
        _ask(node, told, known[name], f"two {name}", b"?")
    sent = 0
    while waits is not None and not waits.done():
        until(lambda: waits.done() or _has(node, outside, "outstanding"), node)
        node.send(outside, b"late", key=f"late {sent}").result(WAIT_S)
        sent += 1
        until(lambda: waits.done() or not _has(node, outside, "waiting"), node)
    if waits is not None:
        told.note("answer", waits.result(WAIT_S).decode())
    node.wait(known["extra"]).result(WAIT_S)


def _start(node: Node, name: str, kind: str, settings: str) -> str:
    handlers = f"[supervision]\n{settings}{HANDLERS}"
    component = node.add_component(guest(kind))
    started = node.start(manifest(name, handlers=handlers), component=component, key=name)
    return started.result(WAIT_S).id


def _top(node: Node, name: str, settings: str) -> str:
    return _start(node, name, "parent", settings)


def _spawn(node: Node, name: str, kind: str, settings: str, state: bytes = b"") -> bytes:
    digest = node.add_component(guest(kind))
    text = (
        f'name = "{name}"\ncomponent = "x"\ncomponent_sha256 = "{digest}"\n'
        f"[supervision]\n{settings}{HANDLERS}"
    )
    return (b"C" + bytes([len(state)]) + state if state else b"c") + text.encode()


def _ask(node: Node, told: Told, actor: str, name: str, body: bytes) -> None:
    if name in told.all():
        return
    try:
        answer = node.request(actor, body, key=name).result(WAIT_S).decode()
    except ActorFailed as error:
        answer = error.code
    told.note(name, answer)


def _has(node: Node, actor: str, state: str) -> bool:
    return any(message.state == state for message in node.journal.messages(actor))


def check(node: Node, told: Told) -> None:
    """Compare with the oracle: everybody as they must be, each message handled once, all proven."""
    known = told.all()
    assert {name: known[f"two {name}"] for name in COUNTED} == COUNTED
    assert {known[f"one {name}"] for name in COUNTED} == {"1"}
    assert known["exit bad"] == known["exit leaf"] == ""
    assert known["answer"] == "late"
    actors = {each.name: each for each in node.list(ended=True)}
    ended = actors.pop("extra")
    assert ended.status == "stopped"
    assert {each.status for each in actors.values()} == {"running"}
    assert not node.quarantine().messages
    # What the worker had asked in a call that was killed nobody waits for any more.
    dead = {each.message.reason for each in node.dead_letters().messages}
    assert dead <= {"request.abandoned"}
    assert not node.journal.waits()
    assert not any(each.plan for each in node.journal.supervision())
    for each in (*actors.values(), ended):
        report = node.verify(each.id)
        assert report.problem is None, report
    for name in ("anew", "worker", "bad", "middle"):
        replay = node.replay(known[name])
        assert replay.equal, replay
    assert {name: _restarts(node, known[name]) for name in RESTARTED} == dict.fromkeys(RESTARTED, 1)


def _restarts(node: Node, actor: str) -> int:
    return [event.type for event in node.events(actor)].count("actor-restart")
