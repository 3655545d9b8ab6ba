"""Actors that take names, give them up and end, in any order, against a table of who holds what."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.runtime.actors import WAIT_S, guest, manifest
from theater.errors import ActorFailed, NotFound
from theater.journal.memory import MemoryJournal
from theater.runtime.node import Node
from theater.runtime.settings import NodeSettings

HANDLERS = '[[handler]]\ntype = "message-server"\n[[handler]]\ntype = "registry"\n'
ACTORS_MAX = 4
NAMES = ("clerk", "teller", "a.b-c_1")
some_name = st.sampled_from(NAMES)
some_actor = st.integers(0, ACTORS_MAX - 1)


class Registering(RuleBasedStateMachine):
    """`holders` is who holds each name, `initial` the name that an actor's `init` takes."""

    cache_dir: Path

    def __init__(self) -> None:
        super().__init__()
        self.journal = MemoryJournal()
        self.node = Node.over(self.journal, NodeSettings(cache_dir=self.cache_dir))
        self.component = self.node.add_component(guest("named"))
        self.living: list[str] = []
        self.initial: dict[str, str | None] = {}
        self.holders: dict[str, str] = {}

    def teardown(self) -> None:
        self.node.close()

    @initialize()
    def one(self) -> None:
        self.begin(None)

    @precondition(lambda self: len(self.living) < ACTORS_MAX)
    @rule(name=st.none() | some_name)
    def begin(self, name: str | None) -> None:
        """Start one; it fails, and holds nothing, if its name is taken."""
        made = manifest("named", handlers=HANDLERS)
        state = None if name is None else name.encode()
        starting = self.node.start(made, component=self.component, state=state)
        if name in self.holders:
            assert isinstance(starting.exception(WAIT_S), ActorFailed)
            return
        actor = starting.result(WAIT_S).id
        self.living.append(actor)
        self.initial[actor] = name
        if name is not None:
            self.holders[name] = actor

    @rule(which=some_actor, name=some_name)
    def register(self, which: int, name: str) -> None:
        if actor := self.actor(which):
            if name in self.holders:
                self.refused(actor, f"+{name}", "name.taken")
            else:
                self.ask(actor, f"+{name}")
                self.holders[name] = actor

    @rule(which=some_actor, name=some_name)
    def unregister(self, which: int, name: str) -> None:
        if actor := self.actor(which):
            if self.holders.get(name) == actor:
                self.ask(actor, f"-{name}")
                del self.holders[name]
            else:
                self.refused(actor, f"-{name}", "name.not_held")

    @rule(which=some_actor, force=st.booleans())
    def stop(self, which: int, force: bool) -> None:
        if actor := self.actor(which):
            self.node.stop(actor, force=force).result(WAIT_S)
            self.gone(actor)

    @rule(which=some_actor, keep_state=st.booleans())
    def restart(self, which: int, keep_state: bool) -> None:
        if actor := self.actor(which):
            restarting = self.node.restart(actor, keep_state=keep_state)
            if keep_state:
                restarting.result(WAIT_S)
                return
            self.left(actor)
            name = self.initial[actor]
            if name in self.holders:
                assert isinstance(restarting.exception(WAIT_S), ActorFailed)
                self.gone(actor)
                return
            restarting.result(WAIT_S)
            if name is not None:
                self.holders[name] = actor

    @rule()
    def reopen(self) -> None:
        """The process ends, and another one opens what is durable."""
        self.journal, before = self.journal.reopened(), self.node
        before.close()
        self.node = Node.over(self.journal, NodeSettings(cache_dir=self.cache_dir))

    @invariant()
    def everybody_says_who_holds_what(self) -> None:
        assert dict(self.journal.names()) == self.holders
        for name in NAMES:
            try:
                found = self.node.find(name)
            except NotFound:
                found = None
            assert found == self.holders.get(name)
            if self.living:
                assert self.ask(self.living[-1], f"?{name}") == self.holders.get(name, "")

    def actor(self, which: int) -> str | None:
        return self.living[which] if which < len(self.living) else None

    def ask(self, actor: str, text: str) -> str:
        return self.node.request(actor, text.encode()).result(WAIT_S).decode()

    def refused(self, actor: str, text: str, code: str) -> None:
        with pytest.raises(ActorFailed) as failed:
            self.ask(actor, text)
        assert failed.value.message.startswith(f"{code}: ")

    def left(self, actor: str) -> None:
        self.holders = {name: held for name, held in self.holders.items() if held != actor}

    def gone(self, actor: str) -> None:
        self.left(actor)
        self.living.remove(actor)


@pytest.mark.slow
def test_names_have_the_holders_that_a_table_says_whatever_is_done(cache_dir: Path) -> None:
    machine = type("Registering", (Registering,), {"cache_dir": cache_dir})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
