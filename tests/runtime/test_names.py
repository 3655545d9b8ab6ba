"""Registered names: who holds one, who is reached by it, and when it is free again."""

from __future__ import annotations

import pytest

from tests.runtime.actors import WAIT_S, Theater, manifest, until
from tests.runtime.households import description, household
from theater.chain import shapes
from theater.errors import ActorFailed, NotFound, TheaterError
from theater.limits import NAMES_PER_ACTOR_MAX
from theater.manifest.model import Manifest
from theater.runtime.info import ActorInfo
from theater.runtime.names import Names

REGISTRY = '[[handler]]\ntype = "registry"\n'
MESSAGES = '[[handler]]\ntype = "message-server"\n'


def granted(settings: str = "", **limits: int) -> Manifest:
    return manifest("named", handlers=MESSAGES + settings + REGISTRY, **limits)


def named(stage: Theater, name: str | None = None) -> ActorInfo:
    """An actor whose `init` registers a name."""
    return stage.start("named", granted(), None if name is None else name.encode())


def ask(stage: Theater, actor: ActorInfo, text: str) -> str:
    return stage.ask(actor, text.encode()).decode()


def code_of(stage: Theater, actor: ActorInfo, text: str) -> str:
    """The code of the error that a request is answered with."""
    return told(stage, actor, text).partition(":")[0]


def told(stage: Theater, actor: ActorInfo, text: str) -> str:
    """The error that a request is answered with."""
    with pytest.raises(ActorFailed) as failed:
        ask(stage, actor, text)
    return failed.value.message


def hosts(stage: Theater, actor: ActorInfo, function: str) -> list[shapes.Host]:
    """The events of a host function, as the actor's chain has them."""
    found = [
        shapes.parse(event.type, event.data)
        for event in stage.node.events(actor.id)
        if event.type.endswith(f"/{function}") and event.data is not None
    ]
    return [each for each in found if isinstance(each, shapes.Host)]


def test_a_name_has_one_living_holder(stage: Theater) -> None:
    clerk, other = named(stage, "clerk"), named(stage)
    assert ask(stage, other, "?clerk") == clerk.id
    assert code_of(stage, other, "+clerk") == "name.taken"
    assert code_of(stage, clerk, "+clerk") == "name.taken"
    assert code_of(stage, other, "-clerk") == "name.not_held"
    ask(stage, clerk, "-clerk")
    assert ask(stage, clerk, "?clerk") == ""
    assert code_of(stage, clerk, "-clerk") == "name.not_held"
    ask(stage, other, "+clerk")
    assert ask(stage, clerk, "?clerk") == other.id
    stage.prove(clerk)
    stage.prove(other)


@pytest.mark.parametrize(
    "wrong",
    ["", "1a", "Clerk", "a b", "clérk", "-a", "a" * 65, "deadbeef-0000-4000-8000-000000000000"],
)
def test_a_name_is_never_an_id_and_is_spelled_as_the_rule_says(stage: Theater, wrong: str) -> None:
    actor = named(stage)
    assert code_of(stage, actor, f"+{wrong}") == "name.invalid"
    assert ask(stage, actor, f"?{wrong}") == ""
    ask(stage, actor, "+" + "a.b-c_9" + "z" * 57)
    stage.prove(actor)


def test_who_is_named_is_sent_to_and_asked_and_the_event_says_who_was_meant(
    stage: Theater,
) -> None:
    clerk, client = named(stage, "clerk"), named(stage)
    assert ask(stage, client, "rclerk +teller") == ""
    ask(stage, client, "sclerk -teller")
    until(lambda: ask(stage, client, "?teller") == "", stage.node)
    assert ask(stage, client, f"r{clerk.id} hello") == "hello"
    by_name, by_id = hosts(stage, client, "request")
    assert by_name.facts["actor"] == clerk.id
    assert "actor" not in by_id.facts
    assert [each.facts["actor"] for each in hosts(stage, client, "send")] == [clerk.id]
    stage.prove(client)
    stage.prove(clerk)


def test_a_name_that_nobody_holds_reaches_nobody(stage: Theater) -> None:
    client = named(stage)
    assert code_of(stage, client, "rclerk hello") == "actor.not_found"
    assert code_of(stage, client, "sclerk hello") == "actor.not_found"
    # What a manifest calls an actor is no registered name.
    assert code_of(stage, client, "snamed hello") == "actor.not_found"
    assert "a name that it has registered" in told(stage, client, "snamed hello")
    with pytest.raises(NotFound):
        stage.node.find("clerk")
    stage.prove(client)


@pytest.mark.parametrize("force", [False, True])
def test_a_name_is_free_when_its_holder_has_stopped(stage: Theater, force: bool) -> None:
    clerk, other = named(stage, "clerk"), named(stage)
    stage.node.stop(clerk.id, force=force).result(WAIT_S)
    ask(stage, other, "+clerk")
    assert stage.node.find("clerk") == other.id
    assert dict(stage.node.journal.names()) == {"clerk": other.id}


def test_a_name_is_free_when_its_holder_has_failed(stage: Theater) -> None:
    holder, other = named(stage, "clerk"), named(stage)
    ask(stage, holder, "+teller")
    # A restart whose `init` fails, because the name that it wants is another's by now.
    ask(stage, holder, "-clerk")
    ask(stage, other, "+clerk")
    with pytest.raises(ActorFailed):
        stage.node.restart(holder.id).result(WAIT_S)
    assert stage.node.info(holder.id).status == "failed"
    ask(stage, other, "+teller")
    assert dict(stage.node.journal.names()) == {"clerk": other.id, "teller": other.id}


def test_a_restart_from_the_initial_state_gives_names_up_and_its_init_can_take_them_again(
    stage: Theater,
) -> None:
    clerk = named(stage, "clerk")
    ask(stage, clerk, "+teller")
    stage.node.restart(clerk.id).result(WAIT_S)
    assert dict(stage.node.journal.names()) == {"clerk": clerk.id}
    assert ask(stage, clerk, "?teller") == ""
    stage.prove(clerk)


def test_a_name_is_kept_through_all_that_its_holder_outlives(stage: Theater) -> None:
    clerk, client = named(stage, "clerk"), named(stage)

    def reached() -> bool:
        return ask(stage, client, "?clerk") == clerk.id == stage.node.find("clerk")

    stage.node.restart(clerk.id, keep_state=True).result(WAIT_S)
    assert reached()
    stage.node.pause(clerk.id).result(WAIT_S)
    assert reached()
    stage.node.resume(clerk.id).result(WAIT_S)
    until(lambda: stage.node.passivate(clerk.id), stage.node)
    assert reached()
    with pytest.raises(ActorFailed):
        ask(stage, clerk, "x")
    assert reached()
    stage.reopen()
    assert reached()
    assert ask(stage, client, "rclerk hello") == "hello"
    stage.prove(clerk)


@pytest.mark.parametrize("restart_state", ["last", "initial"])
def test_a_restart_by_a_supervisor_keeps_names_with_the_state_and_gives_them_up_without(
    stage: Theater, restart_state: str
) -> None:
    how = f'[supervision]\nrestart_state = "{restart_state}"\nintensity = 10\n'
    made = manifest("named", handlers=how + MESSAGES + REGISTRY)
    clerk = stage.start("named", made, b"clerk")
    ask(stage, clerk, "+teller")
    with pytest.raises(ActorFailed):
        ask(stage, clerk, "x")
    assert ask(stage, clerk, "?clerk") == clerk.id
    assert ask(stage, clerk, "?teller") == (clerk.id if restart_state == "last" else "")
    stage.prove(clerk)


def test_an_actor_has_a_bounded_number_of_names(stage: Theater) -> None:
    actor = named(stage)
    for number in range(NAMES_PER_ACTOR_MAX):
        ask(stage, actor, f"+n{number}")
    assert code_of(stage, actor, "+more") == "names.full"
    ask(stage, actor, "-n7")
    ask(stage, actor, "+more")
    assert len(stage.node.journal.names()) == NAMES_PER_ACTOR_MAX


def test_a_node_has_a_bounded_number_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("theater.runtime.names.NAMES_MAX", 1)
    names = Names()
    with names.take("one", "clerk"):
        names.taken("one", "clerk")
    with pytest.raises(TheaterError) as refused:
        names.take("two", "teller")
    assert refused.value.code == "names.full"


@pytest.mark.parametrize(
    ("allowed", "asked", "may"),
    [
        ('"clerk"', "clerk", True),
        ('"clerk"', "ID", False),
        ('"teller"', "clerk", False),
        ('"ID"', "clerk", True),
        ('"ID"', "ID", True),
    ],
)
def test_peers_are_allowed_by_the_name_that_is_written_and_by_the_id_that_is_meant(
    stage: Theater, allowed: str, asked: str, may: bool
) -> None:
    clerk = named(stage, "clerk")
    peers = f"allowed_peers = [{allowed.replace('ID', clerk.id)}]\n"
    client = stage.start("named", granted(peers))
    text = f"{asked.replace('ID', clerk.id)} hello"
    if may:
        assert ask(stage, client, f"r{text}") == "hello"
        assert ask(stage, client, f"s{text}") == ""
    else:
        assert code_of(stage, client, f"r{text}") == "permission.denied"
        assert code_of(stage, client, f"s{text}") == "permission.denied"
    stage.prove(client)


def test_a_registered_name_comes_before_a_manifests_and_before_the_beginning_of_an_id(
    stage: Theater,
) -> None:
    clerk = named(stage, "clerk")
    plain = next(each for each in (named(stage) for _ in range(60)) if each.id[0].isalpha())
    beginning = plain.id[:8]
    assert stage.node.find(beginning) == plain.id
    for name in ("named", beginning):
        ask(stage, clerk, f"+{name}")
        assert stage.node.find(name) == clerk.id
    assert stage.node.find(plain.id) == plain.id


def test_a_request_to_a_name_stays_with_the_actor_that_was_meant_then(stage: Theater) -> None:
    clerk, other, client = named(stage, "clerk"), named(stage), named(stage)
    stage.tell(client, b"rclerk *")
    until(lambda: len(outstanding(stage, clerk)) == 1, stage.node)
    ask(stage, clerk, "-clerk")
    ask(stage, other, "+clerk")
    stage.reopen()
    (request,) = outstanding(stage, clerk)
    ask(stage, clerk, f"a{request}")
    until(lambda: len(hosts(stage, client, "request")) == 1, stage.node)
    (asked,) = hosts(stage, client, "request")
    assert asked.facts["actor"] == clerk.id
    peer = asked.facts["peer"]
    assert isinstance(peer, dict)
    assert peer["actor"] == clerk.id
    assert outstanding(stage, other) == []
    assert ask(stage, client, "?clerk") == other.id
    for actor in (clerk, other, client):
        stage.prove(actor)


def outstanding(stage: Theater, actor: ActorInfo) -> list[str]:
    """The ids of the requests that an actor has not answered."""
    messages = stage.node.journal.messages(actor.id)
    return [message.id for message in messages if message.state == "outstanding"]


def test_a_channel_is_opened_by_name(stage: Theater) -> None:
    name = "z" * 36  # as long as the id that the guest expects
    holder, opener = named(stage, name), stage.start("channels")
    # It takes no channels, so that it was found is told by the error that it is.
    assert code_of(stage, opener, f"o{name}hello") == "actor.no_handler"
    assert code_of(stage, opener, f"o{'y' * 36}hello") == "actor.not_found"
    (asked, unknown) = hosts(stage, opener, "open-channel")
    assert asked.facts["actor"] == holder.id
    assert unknown.facts is None
    stage.prove(opener)


def test_a_child_is_stopped_and_asked_after_by_name(stage: Theater) -> None:
    home = household(stage, REGISTRY)
    child = home.spawn(description(stage, "named", handlers=MESSAGES + REGISTRY), state=b"clerk")
    assert stage.node.find("clerk") == child
    assert home.ask("gclerk") == "clerk"
    home.ask("xclerk")
    assert home.status(child) == "stopped"
    assert dict(stage.node.journal.names()) == {}
    assert [each.facts["actor"] for each in hosts(stage, home.parent, "stop-child")] == [child]
    stage.prove(home.parent)
