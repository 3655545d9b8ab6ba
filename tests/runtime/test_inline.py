"""Requests that run on their requester's thread: a requester that can't wait goes on on another."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import cast

import pytest

from tests.runtime.actors import WAIT_S, Theater, manifest, theater, until
from tests.runtime.variants import counter
from theater.clock import SystemClock
from theater.errors import ActorFailed
from theater.handlers.grant_types import GRANT_TYPES
from theater.journal.records import Answer
from theater.manifest import parse
from theater.manifest.model import Manifest
from theater.runtime.info import ActorInfo
from theater.runtime.inline import InlineRuns
from theater.runtime.settings import NodeSettings
from theater.runtime.waits import Asking, Wait

HOUR_MS = 3_600_000
COMPUTES = counter(
    "(i32.const 1060)) (then unreachable))",
    "(i32.const 1060)) (then (loop $forever (br $forever))))",
)
"""The counter, which computes for ever where it would trap."""


def waits_for(milliseconds: int) -> Manifest:
    """A manifest of an actor that waits so long for answers."""
    text = f"""name = "asker"
component = "unused.wasm"
request_timeout_ms = {milliseconds}

[[handler]]
type = "message-server"
"""
    return parse(text, grant_types=GRANT_TYPES)


class Line:
    """Actors that each ask the next one, on one thread; the last asks one that answers when told."""

    def __init__(self, stage: Theater, *patience: int) -> None:
        self.stage = stage
        self.gate = stage.start("defer")
        self.actors = [stage.start("obey", waits_for(each)) for each in patience]
        self.askers = self.actors[:-1]
        self.callee = self.actors[-1]

    def ask(self) -> Future[bytes]:
        """Ask the first one; returns when the last one waits at the gate."""
        path = b"".join(b"r" + each.id.encode() for each in [*self.actors[1:], self.gate])
        answer = self.stage.node.request(self.actors[0].id, path + b"x", timeout_ms=HOUR_MS)
        until(lambda: len(self.at("outstanding", self.gate)) == 1, self.stage.node)
        return answer

    def at(self, state: str, actor: ActorInfo) -> list[str | None]:
        """The reasons of an actor's messages that are in a state."""
        messages = self.stage.node.journal.messages(actor.id)
        return [each.reason for each in messages if each.state == state]

    def open(self) -> None:
        """Let the last one's request be answered, and the last one's call end."""
        self.stage.tell(self.gate, b"answer")
        until(lambda: self.ended(self.callee) == ["wasm-result", "wasm-result"], self.stage.node)

    def ended(self, actor: ActorInfo) -> list[str]:
        types = self.stage.types(actor)
        return [each for each in types if each in ("wasm-result", "wasm-error")]

    def prove(self) -> None:
        for each in [*self.actors, self.gate]:
            self.stage.prove(each)


def test_a_requester_has_its_time_out_while_its_callee_goes_on(stage: Theater) -> None:
    line = Line(stage, 200, HOUR_MS)
    answer = line.ask()
    with pytest.raises(ActorFailed, match=r"request\.timed_out"):
        answer.result(WAIT_S)
    asker = line.askers[0]
    assert stage.types(asker).count("actor-recover") == 1
    assert line.ended(line.callee) == ["wasm-result"]  # of its init: the call is still open
    assert stage.ask(asker, b"alive") == b"alive"
    line.open()
    assert line.at("dead", line.callee) == ["answer.late"]
    assert "actor-recover" not in stage.types(line.callee)
    assert stage.ask(line.callee, b"alive") == b"alive"
    line.prove()


@pytest.mark.parametrize("killed", [False, True], ids=["timed out", "killed"])
def test_a_callee_that_computes_is_finished_once_whatever_becomes_of_its_requester(
    stage: Theater, killed: bool
) -> None:
    callee = stage.start(COMPUTES, manifest("computes", deadline_ms=1500))
    asker = stage.start("obey", waits_for(HOUR_MS if killed else 200))
    answer = stage.node.request(asker.id, b"r" + callee.id.encode() + b"trap", timeout_ms=HOUR_MS)
    until(lambda: stage.types(callee)[-1].endswith("/log"), stage.node)
    if killed:
        assert stage.node.stop(asker.id, force=True).result(WAIT_S).status == "stopped"
    error = answer.exception(WAIT_S)
    assert isinstance(error, ActorFailed)
    assert "wasm-error" not in stage.types(callee)  # it still computes
    if not killed:
        assert "request.timed_out" in error.message
        assert stage.ask(asker, b"alive") == b"alive"
    until(lambda: stage.types(callee).count("wasm-error") == 2, stage.node)
    aside = stage.node.quarantine(callee.id).messages
    assert [(each.message.body, each.message.attempt) for each in aside] == [(b"trap", 1)]
    assert "actor-recover" not in stage.types(callee)
    assert stage.ask(callee, b"alive") == b"1"
    assert not stage.node.journal.waits()
    stage.prove(asker)


def test_a_requester_that_is_killed_ends_while_its_callee_goes_on(stage: Theater) -> None:
    line = Line(stage, HOUR_MS, HOUR_MS)
    answer = line.ask()
    asker = line.askers[0]
    assert stage.node.stop(asker.id, force=True).result(WAIT_S).status == "stopped"
    assert isinstance(answer.exception(WAIT_S), ActorFailed)
    assert line.ended(line.callee) == ["wasm-result"]
    line.open()
    assert line.ended(asker) == ["wasm-result", "wasm-error"]
    line.prove()


def test_an_answer_from_elsewhere_reaches_a_requester_whose_thread_is_held(stage: Theater) -> None:
    line = Line(stage, HOUR_MS, 200, HOUR_MS)
    answer = line.ask()
    # The one in the middle has its time-out and answers with it from another thread.
    with pytest.raises(ActorFailed, match=r"request\.timed_out"):
        answer.result(WAIT_S)
    assert line.ended(line.callee) == ["wasm-result"]
    for asker in line.askers:
        assert stage.types(asker).count("actor-recover") == 1
    line.open()
    line.prove()


def test_a_requester_that_moved_is_taken_up_again_after_a_restart(stage: Theater) -> None:
    line = Line(stage, 200, HOUR_MS)
    answer = line.ask()
    assert isinstance(answer.exception(WAIT_S), ActorFailed)
    stage.reopen()
    assert stage.ask(line.askers[0], b"alive") == b"alive"
    line.open()
    line.prove()


class Dice:
    """A node's random bytes, drawn one piece at a time; `at` is called before each draw."""

    def __init__(self) -> None:
        self.at: Callable[[], None] = lambda: None

    def __call__(self, length: int) -> bytes:
        self.at()
        return os.urandom(min(length, 16))


def test_a_time_out_before_the_callee_has_begun_leaves_no_wait_behind(
    tmp_path: Path, cache_dir: Path
) -> None:
    dice = Dice()
    with theater(tmp_path, NodeSettings(cache_dir=cache_dir, random=dice)) as stage:
        callee = stage.start("obey")
        asker = stage.start("obey", waits_for(50))
        claimed = stage.node._router.actors[callee.id]
        asking = stage.node._router.actors[asker.id]
        held: list[bool] = []

        def hold() -> None:
            # The callee is claimed and its call not recorded: as long as a compilation takes.
            if claimed.scheduled and not held:
                held.append(True)
                for _ in range(50):
                    if asking.moved is not None:
                        break
                    threading.Event().wait(0.01)

        dice.at = hold
        with pytest.raises(ActorFailed, match=r"request\.timed_out"):
            asked = b"r" + callee.id.encode() + b"x"
            stage.node.request(asker.id, asked, timeout_ms=HOUR_MS).result(WAIT_S)
        assert held
        assert stage.ask(callee, b"alive") == b"alive"
        assert not stage.node.journal.waits()
        stage.prove(asker)
        stage.prove(callee)


class Looked(SystemClock):
    """The machine's clocks; `at` is called whenever one of them is looked at."""

    __slots__ = ("at",)

    def __init__(self) -> None:
        self.at: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        self.at()
        return super().monotonic()


@pytest.mark.parametrize("who", ["callee", "asker"])
@pytest.mark.parametrize("force", [False, True], ids=["orderly", "force"])
def test_who_is_stopped_between_claiming_and_being_called_leaves_nobody_waiting(
    tmp_path: Path, cache_dir: Path, who: str, force: bool
) -> None:
    clock = Looked()
    with theater(tmp_path, NodeSettings(cache_dir=cache_dir, clock=clock)) as stage:
        callee, asker = stage.start("obey"), stage.start("obey")
        claimed = stage.node._router.actors[callee.id]
        stopped: list[Future[ActorInfo]] = []

        def stop() -> None:
            if claimed.scheduled and not stopped:
                stopped.append(cast(Future[ActorInfo], None))
                ends = callee if who == "callee" else asker
                stopped[0] = stage.node.stop(ends.id, force=force)

        clock.at = stop
        answer = stage.node.request(asker.id, b"r" + callee.id.encode() + b"x")
        error = answer.exception(WAIT_S / 3)
        assert stopped[0].result(WAIT_S).status == "stopped"
        if who == "callee":
            assert "actor.ended" in str(error)
        elif force:
            assert isinstance(error, ActorFailed)
        else:
            assert answer.result() == b"x"
        other = asker if who == "callee" else callee
        assert stage.ask(other, b"alive") == b"alive"
        until(lambda: not stage.node.journal.waits(), stage.node)
        stage.prove(callee)
        stage.prove(asker)


@pytest.mark.parametrize("draw", range(8))
def test_whatever_fails_between_asking_and_being_called_who_asked_is_told(
    tmp_path: Path, cache_dir: Path, draw: int
) -> None:
    dice = Dice()
    with theater(tmp_path, NodeSettings(cache_dir=cache_dir, random=dice)) as stage:
        callee = stage.start("obey")
        asker = stage.start("obey")
        message = b"r" + callee.id.encode() + b"x"
        left = [draw]

        def fail() -> None:
            left[0] -= 1
            if left[0] == -1:
                raise OSError("no random bytes")

        dice.at = fail
        try:
            answer = stage.node.request(asker.id, message)
        except OSError:
            assert not draw
            return
        error = answer.exception(WAIT_S / 3)
        assert left[0] < 0, "the draw was never made"
        assert error is None or isinstance(error, ActorFailed)
        until(lambda: not stage.node.journal.waits(), stage.node)


# Who is watched


class Watched:
    """A watch over one requester that is looked at by hand."""

    def __init__(self) -> None:
        self.looks: list[Callable[[], None]] = []
        self.moved = 0
        self.killed: str | None = None
        self.wait = Wait(due=SystemClock().monotonic() + 1000)
        self.runs = InlineRuns(SystemClock(), lambda _, look: self.looks.append(look))
        nothing = [None] * 4
        asking = cast(Callable[..., Asking], Asking)(
            *("a", 1, 0, "w", (0, b""), b"", lambda: self.killed),
            *(None, None, lambda: self.move(), *nothing),
        )
        self.wait.opened = True
        self.run = self.runs.begin(asking, self.wait)

    def move(self) -> None:
        self.moved += 1

    def look(self) -> None:
        self.looks.pop()()


def test_who_can_wait_is_left_alone() -> None:
    watched = Watched()
    for _ in range(3):
        watched.look()
    assert watched.runs.finish(watched.run)
    assert not watched.moved
    watched.look()
    assert not watched.looks  # nobody is watched any more


@pytest.mark.parametrize("why", ["due", "killed"])
def test_who_can_not_wait_moves_once(why: str) -> None:
    watched = Watched()
    if why == "due":
        watched.wait.due = 0
    else:
        watched.killed = "killed"
    watched.look()
    assert watched.moved == 1
    assert not watched.runs.finish(watched.run)
    assert not watched.looks


def test_who_learns_that_it_moves_has_moved() -> None:
    watched = Watched()
    seen: list[int] = []
    known = threading.Event()

    def come_back() -> None:
        watched.runs.finish(watched.run)
        seen.append(watched.moved)
        known.set()

    callee = threading.Thread(target=come_back)

    def move() -> None:
        callee.start()
        known.wait(0.2)
        watched.moved += 1

    watched.move = move  # type: ignore[method-assign]
    watched.killed = "killed"
    watched.look()
    callee.join(WAIT_S)
    assert seen == [1]


@pytest.mark.parametrize("why", ["due", "killed", "answered"])
def test_who_waits_for_what_is_not_queued_yet_does_not_move(why: str) -> None:
    watched = Watched()
    watched.wait.opened = False
    watched.wait.due = 0 if why == "due" else None
    watched.wait.answer = Answer(True, b"") if why == "answered" else None
    watched.killed = "killed" if why == "killed" else None
    for _ in range(3):
        watched.look()
    assert not watched.moved
    watched.wait.opened = True
    for _ in range(2):
        if watched.looks:
            watched.look()
    assert watched.moved == 1


def test_who_has_its_answer_is_given_the_time_to_come_back() -> None:
    watched = Watched()
    watched.wait.answer = Answer(True, b"")
    watched.look()
    assert not watched.moved
    watched.look()
    assert watched.moved == 1
