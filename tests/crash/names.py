"""A name that passes from one actor to another while somebody waits for whom it meant.

A clerk registers a name in its `init`, and another one because it was asked by name to. A client asks
the clerk by name something that is left unanswered; the clerk gives the name up, another actor takes it,
and only then is the answer given. Said again over the same data directory, with the same keys, it
finishes what was begun.
"""

from __future__ import annotations

from tests.crash.scenario import Told
from tests.runtime.actors import WAIT_S, guest, manifest, until
from theater.chain import shapes
from theater.runtime.node import Node
from theater.values import cbor

HANDLERS = '[[handler]]\ntype = "message-server"\n[[handler]]\ntype = "registry"\n'
REQUEST = "theater:simple/message-server-host/request"


def play(node: Node, told: Told) -> dict[str, str]:
    """Returns the actors' ids by what they are."""
    component = node.add_component(guest("named"))
    cast: dict[str, str] = {}
    for name, state in (("clerk", b"clerk"), ("client", None), ("other", None)):
        made = manifest("named", handlers=HANDLERS, instance_calls=3)
        started = node.start(made, component=component, state=state, key=name).result(WAIT_S)
        cast[name] = started.id
        told.note(name, started.id)

    def ask(who: str, text: str, key: str) -> None:
        answer = node.request(cast[who], text.encode(), key=key).result(WAIT_S)
        told.note(key, answer.decode())

    if node.info(cast["clerk"]).status == "running":
        ask("client", "rclerk +teller", "register")
        ask("client", "rteller hello", "hello")
        told.note("asked", node.send(cast["client"], b"rclerk *", key="asked").result(WAIT_S))
        until(lambda: _left(node, cast["clerk"]) is not None, node)
        ask("clerk", "-clerk", "give up")
        ask("other", "+clerk", "take")
        ask("clerk", f"a{_left(node, cast['clerk'])}", "answer")
        until(lambda: len(_asked(node, cast["client"])) >= 3, node)
        node.stop(cast["clerk"]).result(WAIT_S)
    ask("client", "rclerk who", "who")
    ask("client", "?teller", "nobody")
    return cast


def _left(node: Node, actor: str) -> str | None:
    """The id of the request that was not answered at once, once its call has ended."""
    found = None
    for event in node.events(actor):
        form = None if event.data is None else shapes.parse(event.type, event.data)
        if isinstance(form, shapes.Call):
            mine = form.message is not None and form.params == _params(form.message.id)
            found = form.message.id if mine and form.message is not None else None
        elif isinstance(form, shapes.Result) and found is not None:
            return found
    return None


def _params(message: str) -> bytes:
    return cbor.encode([[message, b"*"]])


def _asked(node: Node, actor: str) -> list[shapes.Host]:
    found = [
        shapes.parse(event.type, event.data)
        for event in node.events(actor)
        if event.type == REQUEST and event.data is not None
    ]
    return [each for each in found if isinstance(each, shapes.Host)]


def check(node: Node, told: Told, cast: dict[str, str]) -> None:
    """Each name has the holder that it should have, and each request meant the right one."""
    until(lambda: not node.journal.messages(), node)
    clerk, client, other = cast["clerk"], cast["client"], cast["other"]
    meant = [each.facts["actor"] for each in _asked(node, client)]
    assert meant == [clerk, clerk, clerk, other]
    for each in _asked(node, client):
        peer = each.facts["peer"]
        assert isinstance(peer, dict)
        assert peer["actor"] == each.facts["actor"]
    noted = told.all()
    assert (noted["hello"], noted["who"], noted["nobody"]) == ("hello", "who", "")
    assert dict(node.journal.names()) == {"clerk": other}
    assert node.find("clerk") == other
    assert not node.journal.waits()
    for actor in (clerk, client, other):
        assert node.verify(actor).problem is None
        assert node.replay(actor).equal
