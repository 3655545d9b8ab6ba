"""Record and replay reach equal heads, whatever the guest leans on and however its instances live.

The chain's format was frozen only after this held; it holds for every guest language that is built.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.actors import Theater, guest, manifest
from tests.runtime.languages import LANGUAGES, Language, Observed
from theater.chain import shapes
from theater.journal.records import SetActor
from theater.manifest.model import Limits

INSTANCE_CALLS = (1, 3, 64)
MESSAGES = 12


@pytest.fixture(scope="session")
def builds(request: pytest.FixtureRequest) -> Path:
    """Components that were built, also by earlier runs."""
    return Path(request.config.cache.mkdir("guests"))


def converse(
    stage: Theater, actor_id: str, language: Language, seed: int, messages: int
) -> list[Observed]:
    """Requests with passivations and reopenings at random places."""
    chance = random.Random(seed)
    answers = []
    for number in range(messages):
        answers.append(stage.node.request(actor_id, language.body(number)).result(60))
        if chance.random() < 0.2:
            stage.node.passivate(actor_id)
        if chance.random() < 0.1:
            stage.reopen()
    return [language.read(answer) for answer in answers]


@pytest.mark.parametrize("instance_calls", INSTANCE_CALLS)
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name == "wat" else [pytest.mark.slow]) for name in LANGUAGES],
)
def test_a_guest_that_leans_on_chance_time_and_globals_replays_to_its_head(
    stage: Theater, builds: Path, name: str, instance_calls: int
) -> None:
    language = LANGUAGES[name]
    actor = stage.start(language.component(builds), language.manifest(instance_calls))
    answers = converse(stage, actor.id, language, instance_calls, MESSAGES)
    for drawn in zip(*(answer.drawn for answer in answers), strict=True):
        assert len(set(drawn)) == MESSAGES, "each call draws its own"
    counted = [answer.calls for answer in answers]
    assert max(counted) <= instance_calls
    assert (max(counted) > 1) == (instance_calls > 1)
    assert language.seen(stage.node.state(actor.id) or b"") in (None, MESSAGES)
    served = [
        shapes.parse(e.type, e.data or b"")
        for e in stage.node.events(actor.id)
        if e.type == shapes.WASM_CALL
    ]
    assert max(call.instance for call in served if isinstance(call, shapes.Call)) < instance_calls
    stage.prove(actor)


def test_a_replay_of_a_chain_whose_component_was_swapped_names_the_first_difference(
    stage: Theater,
) -> None:
    actor = stage.start("counter")
    stage.ask(actor, b"one")
    original = stage.node._load  # the only way in: components are found by their hash

    def other(start: shapes.Start) -> object:
        digest = bytes.fromhex(stage.node.add_component(guest("relay")))
        loaded = original(start)
        program = stage.node._programs.program(digest, manifest("relay"))
        return type(loaded)(program, loaded.bounds)

    stage.node._load = other  # type: ignore[method-assign, assignment]
    report = stage.node.replay(actor.id)
    assert not report.equal
    assert report.divergence is not None
    assert report.divergence.seq == 2
    assert report.divergence.expected == "a call of theater:simple/runtime/log"


def test_a_replay_can_stop_anywhere(stage: Theater) -> None:
    actor = stage.start("counter")
    for _ in range(3):
        stage.ask(actor, b"more")
    events = list(stage.node.events(actor.id))
    for until in range(len(events)):
        report = stage.node.replay(actor.id, until=until)
        assert report.equal
        assert report.head == events[until].hash


def test_a_replay_writes_nothing_and_sends_nothing(stage: Theater) -> None:
    counter = stage.start("counter")
    relay = stage.start("relay", state=counter.id.encode())
    stage.tell(relay, b"sent on")
    stage.ask(relay, b"asked on")
    before = stage.node.journal.appended(), stage.types(counter)
    assert stage.node.replay(relay.id).equal
    assert (stage.node.journal.appended(), stage.types(counter)) == before


def test_opening_a_node_reads_no_history_of_actors_at_rest(
    stage: Theater, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = stage.start("counter")
    for _ in range(20):
        stage.ask(actor, b"more")
    read: list[int] = []
    kind = type(stage.node.journal)
    events = kind.events

    def counted(self: Any, *rest: Any, **named: Any) -> Any:
        for event in events(self, *rest, **named):
            read.append(event.seq)
            yield event

    monkeypatch.setattr(kind, "events", counted)
    stage.reopen()
    assert len(read) <= 1  # its start, for the limits that it was given


def test_an_actor_that_goes_on_under_another_engine_says_so_in_its_chain(stage: Theater) -> None:
    actor = stage.start("counter")
    stage.ask(actor, b"one")
    assert not stage.node.replay(actor.id).unverified_engine
    stage.node.journal.append((SetActor(actor.id, engine=bytes(32)),))
    stage.reopen()
    stage.ask(actor, b"two")
    stage.ask(actor, b"three")
    assert stage.types(actor).count(shapes.ACTOR_ENGINE) == 1
    stage.prove(actor)
    stage.reopen()
    stage.ask(actor, b"four")
    assert stage.types(actor).count(shapes.ACTOR_ENGINE) == 1


def test_the_limits_that_an_actor_started_with_hold_whatever_defaults_become(
    stage: Theater, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = stage.start("counter", manifest("counter", instance_calls=2))
    for _ in range(3):
        stage.ask(actor, b"more")
    original = Limits.__init__

    def other(self: Limits, *args: object, **kwargs: object) -> None:
        original(self, *args, **{"events_per_call": 1, "instance_calls": 1, **kwargs})  # type: ignore[arg-type]

    monkeypatch.setattr(Limits, "__init__", other)
    stage.reopen()
    assert stage.ask(actor, b"more") == b"4"
    assert stage.ask(actor, b"more") == b"5"
    stage.prove(actor)
