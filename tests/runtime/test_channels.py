"""Channels between actors: opened, refused, used in order, closed, and what happens when one side ends."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runtime.actors import GUESTS, WAIT_S, Theater, manifest, theater, until
from theater import limits
from theater.engine import wat
from theater.errors import ActorFailed, Conflict
from theater.runtime.actor import Actor
from theater.runtime.info import ActorInfo
from theater.runtime.lifecycle import fail_actor
from theater.runtime.settings import NodeSettings

SOURCE = (GUESTS / "channels.wat").read_text()
DEAF = wat(SOURCE.replace('(export "handle-channel-message" (func $on-message))', ""))
"""It can't handle what comes on a channel."""

LENGTH = "(i32.store (i32.const 92) (i32.sub (local.get $msg-size) (i32.const 1)))"
VERBOSE = wat(SOURCE.replace(LENGTH, "(i32.store (i32.const 92) (i32.const 1025))"))
"""Its first message on a channel is long."""


@pytest.fixture
def pair(stage: Theater) -> tuple[ActorInfo, ActorInfo]:
    """Two actors that do with channels what they are told."""
    return stage.start("channels"), stage.start("channels")


def open_(stage: Theater, opener: ActorInfo, acceptor: ActorInfo, first: bytes = b"") -> bytes:
    return stage.ask(opener, b"o" + acceptor.id.encode() + first)


def lines(stage: Theater, actor: ActorInfo) -> list[bytes]:
    """What the actor has written down."""
    return (stage.node.state(actor.id) or b"").splitlines()


def came(stage: Theater, actor: ActorInfo, *expected: bytes) -> None:
    """Wait until the actor has written down just that."""
    until(lambda: len(lines(stage, actor)) >= len(expected), stage.node)
    assert lines(stage, actor) == list(expected)


def refused(stage: Theater, actor: ActorInfo, body: bytes) -> str:
    with pytest.raises(ActorFailed) as raised:
        stage.ask(actor, body)
    return raised.value.message


def test_what_is_sent_either_way_comes_in_order_until_it_is_closed_and_all_replays(
    stage: Theater, pair: tuple[ActorInfo, ActorInfo]
) -> None:
    one, two = pair
    channel = open_(stage, one, two, b"yfirst")
    assert channel.startswith(b"ch_")
    assert len(channel) == 19
    came(stage, one, b"m" + channel + b"first")
    numbers = [b"%d" % number for number in range(50)]
    for number in numbers:
        stage.tell(one, b"s" + channel + number)
        stage.tell(two, b"s" + channel + number)
    stage.ask(one, b"s" + channel + b"elast")
    opened, sent = b"o" + channel + b"yfirst", [b"m" + channel + number for number in numbers]
    came(stage, two, opened, *sent, b"m" + channel + b"elast")
    came(stage, one, b"m" + channel + b"first", *sent, b"m" + channel + b"last")
    stage.ask(two, b"c" + channel)
    came(stage, one, *lines(stage, one)[:52], b"x" + channel)
    came(stage, two, *lines(stage, two)[:52], b"x" + channel)
    for actor in pair:
        assert refused(stage, actor, b"s" + channel + b"more").startswith("channel.closed: ")
        assert refused(stage, actor, b"c" + channel).startswith("channel.closed: ")
        stage.prove(actor)
    assert not stage.node.journal.channels()
    assert not stage.node.journal.messages()


def test_who_refuses_says_why_and_no_channel_is_opened(
    stage: Theater, pair: tuple[ActorInfo, ActorInfo]
) -> None:
    one, two = pair
    assert refused(stage, one, b"o" + two.id.encode() + b"nnot you") == "not you"
    assert refused(stage, one, b"o" + two.id.encode() + b"n").startswith("channel.refused: ")
    assert not stage.node.journal.channels()
    assert lines(stage, one) == []
    assert not stage.node.journal.messages()
    for actor in pair:
        stage.prove(actor)


def test_a_channel_s_id_is_nothing_to_others(
    stage: Theater, pair: tuple[ActorInfo, ActorInfo]
) -> None:
    one, two = pair
    channel = open_(stage, one, two)
    other = stage.start("channels")
    never = b"ch_0123456789abcdef"
    told = [
        refused(stage, other, do + id_ + b"").replace(id_.decode(), "…")
        for do in (b"s", b"c")
        for id_ in (channel, never)
    ]
    assert len(set(told)) == 1
    with pytest.raises(Conflict) as raised:
        stage.node.send_on_channel(channel.decode(), b"?")
    assert raised.value.code == "channel.closed"
    with pytest.raises(Conflict):
        stage.node.close_channel(channel.decode())
    assert len(stage.node.journal.channels()) == 1


def stop(stage: Theater, actor: ActorInfo) -> None:
    stage.node.stop(actor.id).result(WAIT_S)


def force(stage: Theater, actor: ActorInfo) -> None:
    stage.node.stop(actor.id, force=True).result(WAIT_S)


def restart(stage: Theater, actor: ActorInfo) -> None:
    stage.node.restart(actor.id).result(WAIT_S)


def fail(stage: Theater, actor: ActorInfo) -> None:
    """As when its component is gone: there is no way on."""
    stage.node.pause(actor.id).result(WAIT_S)
    fail_actor(stage.node._services, stage.node._router.actors[actor.id], "no way on")
    stage.node.wait(actor.id).result(WAIT_S)


@pytest.mark.parametrize("end", [stop, force, restart, fail])
@pytest.mark.parametrize("opens", [True, False])
def test_the_other_side_is_told_when_one_ends(
    stage: Theater, end: Callable[[Theater, ActorInfo], None], opens: bool
) -> None:
    ends, stays = stage.start("channels"), stage.start("channels")
    opener, acceptor = (ends, stays) if opens else (stays, ends)
    channels = sorted(open_(stage, opener, acceptor) for _ in range(3))
    before = lines(stage, stays)
    end(stage, ends)
    until(lambda: len(lines(stage, stays)) == len(before) + 3, stage.node)
    assert sorted(lines(stage, stays)[len(before) :]) == [b"x" + each for each in channels]
    assert not stage.node.journal.channels()
    if end is restart:  # it lives on, and is told like the other one
        until(lambda: len(lines(stage, ends)) == 3, stage.node)
        assert sorted(lines(stage, ends)) == [b"x" + each for each in channels]
    assert refused(stage, stays, b"s" + channels[0] + b"?").startswith("channel.closed: ")
    assert not stage.node.dead_letters().messages
    for actor in (ends, stays):
        stage.prove(actor)


def test_a_trap_a_restart_that_keeps_the_state_and_a_new_process_leave_channels_open(
    stage: Theater, pair: tuple[ActorInfo, ActorInfo]
) -> None:
    one, two = pair
    channel = open_(stage, one, two)
    stage.ask(one, b"s" + channel + b"w")
    until(lambda: stage.node.quarantine(two.id).totals.count == 1, stage.node)
    stage.node.restart(two.id, keep_state=True).result(WAIT_S)
    stage.node.passivate(one.id)
    stage.reopen()
    stage.ask(one, b"s" + channel + b"eagain")
    came(stage, one, b"m" + channel + b"again")
    came(stage, two, b"o" + channel, b"m" + channel + b"eagain")
    for actor in pair:
        stage.prove(actor)


def held(stage: Theater, opener: ActorInfo, acceptor: ActorInfo, gate: ActorInfo) -> Future[bytes]:
    """Ask for a channel that is accepted when the gate is told to go on."""
    body = b"o" + acceptor.id.encode() + b"g" + gate.id.encode()
    waiting = stage.node.request(opener.id, body, timeout_ms=60_000)
    until(lambda: _outstanding(stage, gate) > 0, stage.node)
    return waiting


def _outstanding(stage: Theater, actor: ActorInfo) -> int:
    return sum(m.state == "outstanding" for m in stage.node.journal.messages(actor.id))


def test_an_acceptance_that_comes_too_late_opens_nothing_and_its_maker_is_told(
    stage: Theater,
) -> None:
    impatient = manifest(
        handlers='request_timeout_ms = 500\n[[handler]]\ntype = "message-server"\n'
    )
    one = stage.start("channels", impatient)
    two, gate = stage.start("channels"), stage.start("defer")
    waiting = held(stage, one, two, gate)
    error = waiting.exception(WAIT_S)
    assert isinstance(error, ActorFailed)
    assert error.message.startswith("request.timed_out")
    stage.tell(gate, b"go")
    until(lambda: len(lines(stage, two)) == 2, stage.node)
    opened, closed = lines(stage, two)
    assert closed == b"x" + opened[1:20]
    assert not stage.node.journal.channels()
    assert refused(stage, two, b"s" + opened[1:20] + b"?").startswith("channel.closed: ")
    (late,) = stage.node.dead_letters().messages
    assert (late.message.kind, late.message.reason) == ("channel-open", "answer.late")
    with pytest.raises(Conflict) as raised:
        stage.node.deliver(late.message.id)
    assert raised.value.code == "message.bound"
    for actor in (one, two):
        stage.prove(actor)


def test_an_acceptance_for_one_that_was_killed_meanwhile_opens_nothing(stage: Theater) -> None:
    one, two, gate = stage.start("channels"), stage.start("channels"), stage.start("defer")
    waiting = held(stage, one, two, gate)
    force(stage, one)
    assert waiting.exception(WAIT_S) is not None
    stage.tell(gate, b"go")
    until(lambda: len(lines(stage, two)) == 2, stage.node)
    opened, closed = lines(stage, two)
    assert closed == b"x" + opened[1:20]
    assert not stage.node.journal.channels()
    stage.prove(two)


def test_a_channel_whose_opener_never_learned_its_id_is_closed(
    tmp_path: Path, cache_dir: Path
) -> None:
    accepting: list[int] = []
    openers: list[Actor] = []

    def killing(point: str, number: int) -> None:
        if (point, [number]) == ("queued", accepting):
            running = openers[0].running
            assert running is not None
            running.kill("killed")

    settings = NodeSettings(cache_dir=cache_dir, failpoint=killing)
    with theater(tmp_path / "data", settings) as stage:
        one, two = stage.start("channels"), stage.start("channels")
        openers.append(stage.node._router.actors[one.id])
        # Behind the message, the call with it, and the call that accepts.
        accepting.append(stage.node.journal.appended() + 4)
        channel = open_(stage, one, two)
        lost = lines(stage, two)[0][1:20]
        assert lost != channel
        came(stage, two, b"o" + lost, b"x" + lost, b"o" + channel)
        assert [each.id for each in stage.node.journal.channels()] == [channel.decode()]
        assert lines(stage, one) == []
        stage.prove(one)
        stage.prove(two)


def test_an_acceptance_in_the_moment_in_which_its_asker_ends_opens_nothing(
    tmp_path: Path, cache_dir: Path
) -> None:
    ending: list[int] = []
    meanwhile: list[Callable[[], None]] = []

    def between(point: str, number: int) -> None:
        # The end of the asker's call is queued, and that it waited is not yet forgotten.
        if (point, [number]) == ("queued", ending):
            meanwhile.pop()()

    settings = NodeSettings(cache_dir=cache_dir, failpoint=between)
    with theater(tmp_path / "data", settings) as stage:
        one, two, gate = stage.start("channels"), stage.start("channels"), stage.start("defer")
        stage.node.pause(two.id).result(WAIT_S)  # so that it has a thread of its own
        body = b"o" + two.id.encode() + b"g" + gate.id.encode()
        waiting = stage.node.request(one.id, body, timeout_ms=60_000)
        until(lambda: stage.node.info(two.id).mailbox == 1, stage.node)
        stage.node.resume(two.id).result(WAIT_S)
        until(lambda: _outstanding(stage, gate) == 1, stage.node)

        def accept() -> None:
            stage.tell(gate, b"go")
            until(lambda: len(lines(stage, two)) == 2, stage.node)

        meanwhile.append(accept)
        ending.append(stage.node.journal.appended() + 1)
        asker = stage.node._router.actors[one.id]
        asker.stop_requested = "force"
        assert asker.running is not None
        asker.running.kill("killed")
        assert waiting.exception(WAIT_S) is not None
        assert not meanwhile
        opened, closed = lines(stage, two)
        assert closed == b"x" + opened[1:20]
        assert not stage.node.journal.channels()
        stage.prove(two)


def test_a_channel_to_one_who_waits_for_its_opener_is_refused_at_once(
    stage: Theater, pair: tuple[ActorInfo, ActorInfo]
) -> None:
    one, two = pair
    for body in (b"o" + one.id.encode(), b"o" + two.id.encode() + b"g" + one.id.encode()):
        text = refused(stage, one, body)
        assert text.startswith("request.cycle: ")
        assert one.id in text
    assert two.id in text
    assert not stage.node.journal.channels()


def test_an_actor_has_no_more_channels_than_allowed(
    stage: Theater, pair: tuple[ActorInfo, ActorInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CHANNELS_PER_ACTOR_MAX", 2)
    one, two = pair
    channel, _ = open_(stage, one, two), open_(stage, two, one)
    other = stage.start("channels")
    for opener, acceptor in ((one, other), (other, one)):
        text = refused(stage, opener, b"o" + acceptor.id.encode())
        assert text.startswith("channels.full: ")
        assert one.id in text
    stage.ask(one, b"c" + channel)
    open_(stage, one, other)


def test_a_first_message_that_the_opener_does_not_take_opens_nothing(stage: Theater) -> None:
    one = stage.start("channels", manifest("small", message_bytes=1024))
    two = stage.start(VERBOSE)
    assert refused(stage, one, b"o" + two.id.encode() + b"y?").startswith("answer.too_large: ")
    until(lambda: len(lines(stage, two)) == 2, stage.node)
    opened, closed = lines(stage, two)
    assert closed == b"x" + opened[1:20]
    assert not stage.node.journal.channels()
    assert lines(stage, one) == []


def test_a_channel_s_message_waits_for_a_place_and_its_end_needs_none(stage: Theater) -> None:
    hasty = replace(manifest("hasty"), send_timeout_ms=100)
    one = stage.start("channels", hasty)
    two = stage.start("channels", manifest("narrow", mailbox=1))
    channel = open_(stage, one, two)
    stage.node.pause(two.id).result(WAIT_S)
    stage.ask(one, b"s" + channel + b"fits")
    assert refused(stage, one, b"s" + channel + b"not").startswith("mailbox.full: ")
    stage.ask(one, b"c" + channel)
    stage.reopen()
    stage.node.resume(two.id).result(WAIT_S)
    came(stage, two, b"o" + channel, b"m" + channel + b"fits", b"x" + channel)


def test_a_message_above_what_the_other_side_takes_is_refused(stage: Theater) -> None:
    one = stage.start("channels")
    two = stage.start("channels", manifest("small", message_bytes=1024))
    channel = open_(stage, one, two)
    text = refused(stage, one, b"s" + channel + b"x" * 1025)
    assert text.startswith("message.too_large: ")
    stage.ask(one, b"s" + channel + b"x" * 1024)


def test_the_end_of_a_channel_is_no_dead_letter_and_its_messages_are(
    stage: Theater, pair: tuple[ActorInfo, ActorInfo]
) -> None:
    one, two = pair
    channel = open_(stage, one, two)
    stage.node.pause(two.id).result(WAIT_S)
    stage.ask(one, b"s" + channel + b"unread")
    stage.ask(one, b"c" + channel)
    stop(stage, two)
    (dead,) = stage.node.dead_letters().messages
    assert (dead.message.kind, dead.message.reason) == ("channel-message", "actor.ended")
    assert not stage.node.journal.living_messages()
    with pytest.raises(Conflict) as raised:
        stage.node.deliver(dead.message.id, to=one.id)
    assert raised.value.code == "message.bound"


def test_a_message_on_a_channel_that_was_set_aside_goes_to_its_receiver_again(
    stage: Theater, pair: tuple[ActorInfo, ActorInfo]
) -> None:
    one, two = pair
    channel = open_(stage, one, two)
    stage.ask(one, b"s" + channel + b"w")
    until(lambda: stage.node.quarantine(two.id).totals.count == 1, stage.node)
    (aside,) = stage.node.quarantine(two.id).messages
    stage.node.deliver(aside.message.id).result(WAIT_S)
    until(lambda: stage.types(two).count("wasm-error") == 4, stage.node)


def test_peers_that_are_not_allowed_are_asked_for_no_channel(stage: Theater) -> None:
    two = stage.start("channels")
    grant = '[[handler]]\ntype = "message-server"\nallowed_peers = ["nobody"]\n'
    one = stage.start("channels", manifest("shy", handlers=grant))
    assert refused(stage, one, b"o" + two.id.encode()).startswith("permission.denied: ")
    assert lines(stage, two) == []
    stage.prove(one)


def test_who_can_not_handle_channels_opens_and_is_asked_for_none(stage: Theater) -> None:
    one, deaf, relay = stage.start("channels"), stage.start(DEAF), stage.start("relay")
    assert refused(stage, deaf, b"o" + one.id.encode()).startswith("actor.no_handler: ")
    assert refused(stage, one, b"o" + relay.id.encode()).startswith("actor.no_handler: ")
    assert refused(stage, one, b"o" + b"0" * 36).startswith("actor.not_found: ")
    assert lines(stage, one) == []
