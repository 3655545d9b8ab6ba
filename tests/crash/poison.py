"""A message that its actor can't handle: set aside, delivered again, set aside again, given to another.

Said again over the same data directory, with the same keys, it finishes what was begun: each
delivery happens once, though the message that is delivered is gone when it is asked for again.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from tests.crash.scenario import Told
from tests.runtime.actors import WAIT_S, guest, manifest, until
from theater.chain import shapes
from theater.errors import ActorFailed
from theater.runtime.node import Node


@dataclass(frozen=True)
class Cast:
    """The ids of the actors."""

    counter: str
    heir: str


def play(node: Node, told: Told) -> Cast:
    """Run the scenario to its end."""
    counter, heir = (
        node.start(manifest(name), component=node.add_component(guest(name)), key=f"start-{name}")
        .result(WAIT_S)
        .id
        for name in ("counter", "ending")
    )
    told.note("actors", f"{counter} {heir}")
    with suppress(ActorFailed):
        node.request(counter, b"trap", key="ask").result(WAIT_S)
    for name, to in (("again", None), ("elsewhere", heir)):
        if f"aside-{name}" not in told.all():
            until(lambda: len(node.quarantine(counter).messages) == 1, node)
            (found,) = node.quarantine(counter).messages
            told.note(f"aside-{name}", found.message.id)
        aside = told.all()[f"aside-{name}"]
        told.note(name, node.deliver(aside, to=to, key=name).result(WAIT_S))
    node.wait(heir).result(WAIT_S)
    told.note("ended", "ended")
    return Cast(counter, heir)


def check(node: Node, cast: Cast, told: Told) -> None:
    """Two calls for each time that it was handed to the counter, one for the one that took it."""
    known = told.all()
    assert known["again"] == known["aside-elsewhere"]
    ends = [event.type for event in node.events(cast.counter)]
    assert ends.count(shapes.WASM_CALL) == 1 + 4
    assert ends.count(shapes.MESSAGE_ASIDE) == 2
    outcome = node.info(cast.heir).outcome
    assert outcome is not None
    assert outcome.body == b"trap"
    for page in (node.quarantine(), node.dead_letters()):
        assert page.messages == []
        assert page.totals.count == page.totals.dropped == 0
    assert not node.journal.messages()
    for actor in (cast.counter, cast.heir):
        assert node.verify(actor).problem is None
        assert node.replay(actor).equal
