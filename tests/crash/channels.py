"""Two actors that talk on channels, run by a process that may end anywhere.

One call opens a channel, uses and closes it; another channel stays open across calls, until the one
side closes it; a third one until its other side is stopped; one is refused. Said again over the same
data directory, with the same keys, the scenario finishes what was begun.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.crash.scenario import Told
from tests.runtime.actors import WAIT_S, guest, manifest, until
from theater.errors import ActorFailed
from theater.runtime.node import Node


@dataclass(frozen=True)
class Cast:
    """The ids of the actors."""

    one: str
    two: str


def play(node: Node, told: Told) -> Cast:
    """Run the scenario to its end."""
    component = node.add_component(guest("channels"))
    one, two = (
        node.start(manifest(name, instance_calls=4), component=component, key=f"start-{name}")
        .result(WAIT_S)
        .id
        for name in ("one", "two")
    )
    told.note("actors", f"{one} {two}")
    if node.info(two).status == "running":
        _talk(node, told, one, two)
    node.stop(two).result(WAIT_S)
    until(lambda: len(_lines(node, one)) == 6, node)
    return Cast(one, two)


def _talk(node: Node, told: Told, one: str, two: str) -> None:
    asks = two.encode()
    told.note("brief", _ask(node, one, b"p" + asks + b"x", "brief"))
    kept = _ask(node, one, b"o" + asks + b"yhello", "kept")
    told.note("kept", kept)
    _ask(node, one, b"s" + kept.encode() + b"eone", "said")
    _ask(node, two, b"s" + kept.encode() + b"two", "said back")
    told.note("refused", _ask(node, one, b"o" + asks + b"nno", "refused"))
    # Behind what the actors do with what was said, which no client waits for.
    until(lambda: len(_lines(node, one)) >= 4, node)
    _ask(node, two, b"c" + kept.encode(), "close")
    last = _ask(node, one, b"o" + asks, "last")
    told.note("last", last)
    until(lambda: len(_lines(node, two)) >= 9, node)


def _ask(node: Node, actor: str, body: bytes, key: str) -> str:
    try:
        return node.request(actor, body, key=key).result(WAIT_S).decode()
    except ActorFailed as error:
        return error.message


def _lines(node: Node, actor: str) -> list[str]:
    return (node.state(actor) or b"").decode().splitlines()


def check(node: Node, cast: Cast, told: Told) -> None:
    """Each side heard all that was said on each channel once and in order, and of its end."""
    known = told.all()
    brief, kept, last = known["brief"], known["kept"], known["last"]
    assert known["refused"] == "no"
    one, two = _lines(node, cast.one), _lines(node, cast.two)
    assert _of(one, brief) == ["x"]
    assert _of(two, brief) == ["ox", "mx", "mx", "x"]
    heard = _of(one, kept)
    assert (heard[0], sorted(heard[1:3]), heard[3:]) == ("mhello", ["mone", "mtwo"], ["x"])
    assert _of(two, kept) == ["oyhello", "meone", "x"]
    assert _of(one, last) == ["x"]
    assert _of(two, last) == ["o"]
    assert len(one) == 6
    assert len(two) == 9  # with the one that was refused
    assert not node.journal.channels()
    assert not node.journal.waits()
    assert not node.journal.messages()
    for actor in (cast.one, cast.two):
        assert node.verify(actor).problem is None
        assert node.replay(actor).equal


def _of(lines: list[str], channel: str) -> list[str]:
    """What was written down of a channel, without its id."""
    return [line[0] + line[20:] for line in lines if line[1:20] == channel]
