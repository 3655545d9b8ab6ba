"""A thousand messages, three of them poison: the others are handled, and nobody else is harmed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.runtime.actors import GUESTS, WAIT_S, Theater, theater, until
from tests.runtime.households import household
from theater.chain import shapes
from theater.engine import wat
from theater.handlers.grant_types import GRANT_TYPES
from theater.manifest import parse
from theater.runtime.settings import NodeSettings

pytestmark = pytest.mark.slow

MESSAGES = 1000
POISON = b"trap"
FOREVER = "(loop $forever (br $forever))"
GROWS = """(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable"""
KINDS = {
    # What the poison does, the limit that it meets, and the kind of its call's end.
    "trap": ("unreachable", "", "trap"),
    "deadline": (FOREVER, "deadline_ms = 600", "deadline"),
    "memory": (GROWS, 'memory = "8MiB"', "trap"),
    "fuel": (FOREVER, "fuel = 20_000_000", "fuel"),
}


def counter(poison: str) -> bytes:
    """A counter on which the message `trap` has this effect."""
    text = (GUESTS / "counter.wat").read_text()
    traps = "(i32.const 1060)) (then unreachable))"
    assert traps in text
    return wat(text.replace(traps, f"(i32.const 1060)) (then {poison}))"))


def described(kind: str, supervision: str = "") -> str:
    """The text of the counter's manifest."""
    return f"""name = "counter"
component = "unused.wasm"

[supervision]
{supervision}

[limits]
mailbox = {2 * MESSAGES}
{KINDS[kind][1]}
"""


def start(stage: Theater, kind: str, supervision: str = "") -> str:
    """Start the counter by itself; returns its id."""
    manifest = parse(described(kind, supervision), grant_types=GRANT_TYPES)
    return stage.start(counter(KINDS[kind][0]), manifest).id


def play(stage: Theater, actor: str, kind: str) -> list[int]:
    """Send all messages without waiting for any; returns which of them were poison."""
    ends = KINDS[kind][2]
    places = sorted(random.Random(kind).sample(range(MESSAGES), 3))
    sent = [
        stage.node.send(actor, POISON if number in places else b"%d" % number)
        for number in range(MESSAGES)
    ]
    ids = [each.result(WAIT_S) for each in sent]
    until(lambda: not stage.node.info(actor).mailbox, stage.node)
    until(lambda: len(stage.node.quarantine(actor).messages) == 3, stage.node)
    assert [each.message.id for each in stage.node.quarantine(actor).messages] == [
        ids[place] for place in places
    ]
    events = list(stage.node.events(actor))
    forms = [shapes.parse(each.type, each.data or b"") for each in events]
    errors = [each.kind for each in forms if isinstance(each, shapes.Error)]
    assert errors == [ends] * 6
    handled = {
        call.message.id
        for call, end in zip(
            [each for each in forms if isinstance(each, shapes.Call)],
            [each for each in forms if isinstance(each, shapes.Result | shapes.Error)],
            strict=True,
        )
        if call.message is not None and isinstance(end, shapes.Result)
    }
    assert handled == {id_ for number, id_ in enumerate(ids) if number not in places}
    return places


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_thousand_messages_with_three_poisonous_ones_the_others_are_handled(
    tmp_path: Path, cache_dir: Path, kind: str
) -> None:
    with theater(tmp_path, NodeSettings(cache_dir=cache_dir)) as stage:
        bystander = stage.start("counter")
        actor = start(stage, kind)
        play(stage, actor, kind)
        assert stage.node.info(actor).status == "running"
        assert stage.node.state(actor) == b"%d" % (MESSAGES - 3)
        assert stage.node.request(actor, b"more").result(WAIT_S) == b"%d" % (MESSAGES - 2)
        assert not stage.node.dead_letters().messages
        assert stage.ask(bystander, b"alive") == b"1"
        assert stage.node.verify(actor).problem is None
        if kind != "deadline":  # a replay takes each of the six as long as the call had
            assert stage.node.replay(actor).equal


def test_with_the_initial_state_what_came_after_the_last_poison_is_left(stage: Theater) -> None:
    actor = start(stage, "trap", 'restart_state = "initial"')
    places = play(stage, actor, "trap")
    assert stage.node.info(actor).status == "running"
    assert stage.types(stage.node.info(actor)).count(shapes.ACTOR_RESTART) == 6
    assert stage.node.state(actor) == b"%d" % (MESSAGES - 1 - places[-1])
    stage.prove(stage.node.info(actor))


@pytest.mark.parametrize("kept", ["last", "initial"])
def test_a_parent_of_one_with_three_poisonous_messages_is_still_there(
    stage: Theater, kept: str
) -> None:
    home = household(stage)
    digest = stage.node.add_component(counter("unreachable"))
    text = described("trap", f'restart_state = "{kept}"')
    sister = home.spawn()
    child = home.spawn(f'component_sha256 = "{digest}"\n' + text)
    places = play(stage, child, "trap")
    expected = MESSAGES - 3 if kept == "last" else MESSAGES - 1 - places[-1]
    assert home.ask("g" + child) == str(expected)
    assert home.children() == [sister, child]
    for actor in (home.parent.id, sister, child):
        assert home.status(actor) == "running"
        assert stage.node.verify(actor).problem is None
    assert stage.types(home.parent).count(shapes.ACTOR_RESTART) == 0
    told = home.told()
    assert [line[:37] for line in told] == ["E" + child] * 6
    assert not stage.node.dead_letters().messages
