"""A conversation with one guest that leans on chance and time, run by a process that may end anywhere.

Said again over the same data directory, with the same keys, it finishes what was begun.
"""

from __future__ import annotations

from pathlib import Path

from tests.crash.scenario import Told
from tests.runtime.actors import WAIT_S
from tests.runtime.languages import LANGUAGES
from theater.runtime.node import Node

MESSAGES = 5


def play(node: Node, told: Told, name: str, builds: Path, instance_calls: int) -> str:
    """Hold the conversation to its end, note the answers; returns the actor's id."""
    language = LANGUAGES[name]
    component = node.add_component(language.component(builds))
    actor = node.start(language.manifest(instance_calls), component=component, key="start").result(
        WAIT_S
    )
    told.note("actor", actor.id)
    for number in range(MESSAGES):
        key = f"request-{number}"
        answer = node.request(actor.id, language.body(number), key=key).result(WAIT_S)
        told.note(key, answer.hex())
        if number == 2:
            node.passivate(actor.id)
    return actor.id


def check(node: Node, told: Told, name: str, actor: str) -> None:
    """Each request was served once, each drew its own, and the chain proves it."""
    language = LANGUAGES[name]
    noted = told.all()
    answers = [bytes.fromhex(noted[f"request-{number}"]) for number in range(MESSAGES)]
    drawn = [language.read(answer).drawn for answer in answers]
    assert all(len(set(each)) == MESSAGES for each in zip(*drawn, strict=True))
    assert language.seen(node.state(actor) or b"") in (None, MESSAGES)
    assert node.verify(actor).problem is None
    report = node.replay(actor)
    assert report.divergence is None
    assert report.equal
