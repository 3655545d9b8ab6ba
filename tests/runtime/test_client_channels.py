"""Channels of clients: they live as long as their client, and give out only what is on disk."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from msgspec.structs import replace as changed

from tests.journal.making import message
from tests.runtime.actors import WAIT_S, Theater, manifest, until
from tests.runtime.test_channels import came, lines, refused
from theater import limits
from theater.errors import ActorFailed, Conflict, NotFound, TimedOut, TooLarge, Unavailable
from theater.journal.memory import MemoryJournal
from theater.runtime.channel_ends import ClientEnd
from theater.runtime.info import ActorInfo
from theater.runtime.mailbox import Budget, size_of


def never() -> None:
    """Nobody is woken."""


class Visitor:
    """A client with its end of a channel, which waits for what comes."""

    def __init__(self, stage: Theater, actor: ActorInfo, first: bytes = b"") -> None:
        self.stage = stage
        self.bell = threading.Event()
        self.end = stage.node.open_channel(actor.id, first, self.bell.set)
        self.id = self.end.channel.encode()

    def opened(self) -> Visitor:
        self.end.opened.result(WAIT_S)
        return self

    def hears(self, *expected: bytes) -> None:
        heard: list[bytes] = []
        while len(heard) < len(expected):
            self.bell.clear()
            taken = self.end.take()
            heard += taken
            assert taken or len(heard) >= len(expected) or self.bell.wait(WAIT_S)
        assert heard == list(expected)

    def sees_the_end(self) -> None:
        until(lambda: self.end.over, self.stage.node)
        assert self.end.take() == []

    def send(self, body: bytes, key: str | None = None) -> str:
        return self.stage.node.send_on_channel(self.end.channel, body, key=key).result(WAIT_S)


def test_a_client_and_an_actor_talk_until_one_of_them_closes(stage: Theater) -> None:
    actor = stage.start("channels")
    for closes in ("client", "actor"):
        before = lines(stage, actor)
        visitor = Visitor(stage, actor, b"yhello").opened()
        visitor.send(b"eone")
        visitor.send(b"etwo")
        visitor.hears(b"hello", b"one", b"two")
        said = [b"o" + visitor.id + b"yhello", *(b"m" + visitor.id + b for b in (b"eone", b"etwo"))]
        if closes == "client":
            stage.node.close_channel(visitor.end.channel).result(WAIT_S)
        else:
            visitor.send(b"c")
            said.append(b"m" + visitor.id + b"c")
        visitor.sees_the_end()
        came(stage, actor, *before, *said, b"x" + visitor.id)
        with pytest.raises(Conflict) as unsent:
            visitor.send(b"?")
        with pytest.raises(Conflict) as unclosed:
            stage.node.close_channel(visitor.end.channel)
        assert unsent.value.code == unclosed.value.code == "channel.closed"
        stage.node.leave_channel(visitor.end)
    assert not stage.node.journal.channels()
    assert len(stage.node._router.channels.ends) == 0
    stage.prove(actor)


def test_a_refusal_is_the_clients_error(stage: Theater) -> None:
    actor = stage.start("channels")
    for first, code, said in (
        (b"nnot today", "channel.refused", "not today"),
        (b"n", "channel.refused", "channel.refused: "),
        (b"w", "actor.failed", "actor.failed: "),
    ):
        error = Visitor(stage, actor, first).end.opened.exception(WAIT_S)
        assert isinstance(error, ActorFailed)
        assert error.code == code
        assert error.message.startswith(said)
    with pytest.raises(NotFound) as raised:
        stage.node.open_channel(stage.start("relay").id, b"", never)
    assert raised.value.code == "actor.no_handler"
    with pytest.raises(NotFound):
        stage.node.open_channel("0" * 36, b"", never)
    assert not stage.node.journal.channels()


def test_a_client_that_leaves_closes_its_channel_also_one_that_is_not_accepted_yet(
    stage: Theater,
) -> None:
    actor, gate = stage.start("channels"), stage.start("defer")
    visitor = Visitor(stage, actor).opened()
    stage.node.leave_channel(visitor.end)
    stage.node.leave_channel(visitor.end)
    came(stage, actor, b"o" + visitor.id, b"x" + visitor.id)
    early = Visitor(stage, actor, b"g" + gate.id.encode())
    until(
        lambda: any(m.state == "outstanding" for m in stage.node.journal.messages(gate.id)),
        stage.node,
    )
    stage.node.leave_channel(early.end)
    assert early.end.opened.cancelled()
    stage.tell(gate, b"go")
    until(lambda: len(lines(stage, actor)) == 4, stage.node)
    assert lines(stage, actor)[3] == b"x" + early.id
    assert not stage.node.journal.channels()
    assert not stage.node.journal.messages()
    stage.prove(actor)


def test_a_client_does_not_wait_for_ever_for_the_answer(stage: Theater) -> None:
    actor, gate = stage.start("channels"), stage.start("defer")
    end = stage.node.open_channel(actor.id, b"g" + gate.id.encode(), never, timeout_ms=300)
    error = end.opened.exception(WAIT_S)
    assert isinstance(error, TimedOut)
    assert error.code == "request.timed_out"
    until(lambda: bool(stage.node.journal.messages(gate.id)), stage.node)
    stage.tell(gate, b"go")
    until(lambda: len(lines(stage, actor)) == 2, stage.node)
    assert not stage.node.journal.channels()


def test_the_actor_s_end_is_the_channel_s(stage: Theater) -> None:
    actor = stage.start("channels")
    visitor = Visitor(stage, actor, b"ylast words").opened()
    stage.node.stop(actor.id).result(WAIT_S)
    visitor.hears(b"last words")
    visitor.sees_the_end()


def test_the_next_process_closes_what_clients_of_this_one_had_open(stage: Theater) -> None:
    actor = stage.start("channels")
    visitor = Visitor(stage, actor).opened()
    stage.reopen()
    came(stage, actor, b"o" + visitor.id, b"x" + visitor.id)
    assert not stage.node.journal.channels()
    stage.prove(actor)


def test_a_channel_that_nobody_had_accepted_when_the_process_ended_is_not_opened_by_the_next(
    stage: Theater,
) -> None:
    actor = stage.start("channels")
    stage.node.pause(actor.id).result(WAIT_S)
    visitor = Visitor(stage, actor)
    stage.node.send(actor.id, b"").result(WAIT_S)
    stage.reopen()
    assert isinstance(visitor.end.opened.exception(WAIT_S), Unavailable)
    stage.node.resume(actor.id).result(WAIT_S)
    came(stage, actor, b"o" + visitor.id, b"x" + visitor.id)
    assert not stage.node.journal.channels()
    assert not stage.node.journal.messages()
    stage.prove(actor)


def test_a_client_s_message_under_a_key_is_handled_once(stage: Theater) -> None:
    actor = stage.start("channels")
    visitor = Visitor(stage, actor).opened()
    assert visitor.send(b"one", "k") == visitor.send(b"one", "k")
    with pytest.raises(Conflict) as raised:
        visitor.send(b"other", "k")
    assert raised.value.code == "key.used"
    with pytest.raises(TooLarge):
        visitor.send(b"x" * (limits.MESSAGE_BYTES + 1))
    stage.node.close_channel(visitor.end.channel).result(WAIT_S)
    assert visitor.send(b"one", "k")  # it was accepted, and is said to be so again
    came(stage, actor, b"o" + visitor.id, b"m" + visitor.id + b"one", b"x" + visitor.id)


def test_what_a_client_does_not_take_is_bounded(
    stage: Theater, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CHANNEL_CLIENT_MESSAGES_MAX", 2)
    monkeypatch.setattr(limits, "CHANNELS_OUTSIDE_MAX", 1)
    actor = stage.start("channels", replace(manifest("hasty"), send_timeout_ms=100))
    visitor = Visitor(stage, actor).opened()
    with pytest.raises(Unavailable) as raised:
        stage.node.open_channel(actor.id, b"", never)
    assert raised.value.code == "channels.full"
    for _ in range(2):
        stage.ask(actor, b"s" + visitor.id + b"kept")
    assert refused(stage, actor, b"s" + visitor.id + b"lost").startswith("mailbox.full: ")
    visitor.hears(b"kept", b"kept")
    stage.ask(actor, b"s" + visitor.id + b"more")
    visitor.hears(b"more")
    stage.prove(actor)


def test_nothing_is_given_out_that_is_not_on_disk() -> None:
    journal = MemoryJournal(on_demand=True)
    rung: list[bool] = []
    end = ClientEnd("ch_1", "a", journal, Budget(), lambda: rung.append(True))
    for number in range(2):
        one = changed(message(number), body=b"%d" % number)
        assert end.mailbox.reserve(size_of(one))
        journal.append(())
        end.put(one)
    journal.append(())
    end.close()
    assert (end.take(), end.over, rung) == ([], False, [])
    journal.commit(1)
    assert (end.take(), end.over, len(rung)) == ([b"0"], False, 1)
    journal.commit()
    assert not end.over
    assert end.take() == [b"1"]
    assert end.over
    assert len(rung) == 3
