"""The load of the tree: clients that send and ask, and a gardener who has the missing grown again."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Final

from tests.chaos_tree.callers import Caller, Roster
from tests.chaos_tree.letters import Components, description, letter
from tests.chaos_tree.plan import ROOT, Plan

CHAIN: Final = 4
"""How many actors a message goes through that is sent on."""

STEPS: Final = "abcd"
LAST: Final = "z"
THOUGHT_S: Final = 0.004
"""How long a client thinks between two messages, at most."""

LOOK_S: Final = 1.0
PATIENCE_S: Final = 8.0
"""How long the gardener waits for somebody to be there again before asking once more."""


class Client:
    """Sends and asks, one after the other: a function of the seed and its number, but for the ids."""

    def __init__(self, plan: Plan, number: int, caller: Caller, roster: Roster) -> None:
        self._random = random.Random(f"{plan.seed}/client/{number}")
        self._plan = plan
        self._number = number
        self._caller = caller
        self._roster = roster
        self.messages = 0
        self.unknown = 0

    def step(self) -> None:
        """The next message, if its receivers live."""
        chosen = self._random
        kind, thought = chosen.random(), chosen.random()
        chain = [self._roster.id(name) for name in chosen.sample(self._plan.leaves, CHAIN)]
        self.messages += 1
        name = f"l{self._number}{self.messages:09}."
        receiver, *further = chain
        if receiver is None:
            self.unknown += 1
        elif kind < 0.5:
            self._caller.send(receiver, name, letter(b"c", name))
        elif kind < 0.6:
            self._caller.send(receiver, name, letter(b"w", name, b"0005"))
        elif kind < 0.75:
            self._caller.request(receiver, name, letter(b"c", name))
        elif kind < 0.9:
            self._caller.send(receiver, name, self._onward(b"m", name, further))
        else:
            self._caller.request(receiver, name, self._onward(b"r", name, further))
        time.sleep(thought * THOUGHT_S)

    def _onward(self, sign: bytes, name: str, further: list[str | None]) -> bytes:
        """A message that has its receiver send to, or ask, the next one, and that one the next."""
        told = letter(b"w", f"{name[:-1]}{LAST}", b"0020")
        for place, actor in reversed(list(enumerate(further))):
            if actor is not None:
                named = name if place == 0 else f"{name[:-1]}{STEPS[place]}"
                told = letter(sign, named, actor.encode() + told)
        return told if told[1:13] == name.encode() else letter(b"c", name)


class Gardener:
    """Looks who lives, and tells the parents of the missing to start them again."""

    def __init__(self, plan: Plan, components: Components, caller: Caller, roster: Roster) -> None:
        self._plan = plan
        self._components = components
        self._caller = caller
        self._roster = roster
        self._asked: dict[str, float] = {}
        self.planted = 0

    def step(self) -> None:
        """Look once."""
        self._roster.look(self._caller)
        now = time.monotonic()
        for member in self._plan.members.values():
            if member.parent is None or self._roster.id(member.name) is not None:
                continue
            parent = self._roster.id(member.parent)
            ready = parent is not None and self._roster.running(member.parent)
            if parent is not None and ready and now >= self._asked.get(member.name, 0.0):
                self._asked[member.name] = now + PATIENCE_S
                self.plant(member.name, parent)

    def plant(self, name: str, parent: str) -> None:
        """Have a parent start a child."""
        self.planted += 1
        told = f"s{self.planted:011}"
        more = description(self._plan, self._plan.members[name], self._components)
        self._caller.send(parent, told, letter(b"S", told, more))


class Staff:
    """Threads that do steps until they are dismissed; the first failure is kept."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._threads: list[threading.Thread] = []
        self.failure: BaseException | None = None

    def employ(self, step: Callable[[], None], pause_s: float = 0.0) -> None:
        """Have a thread do a step again and again."""

        def work() -> None:
            try:
                while not self._done.wait(pause_s):
                    step()
            except BaseException as error:
                self.failure = self.failure or error
                self._done.set()

        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def check(self) -> None:
        """Raise what a thread failed with."""
        if self.failure is not None:
            raise self.failure

    def dismiss(self, timeout_s: float) -> None:
        """End all threads after their steps."""
        self._done.set()
        for thread in self._threads:
            thread.join(timeout_s)
            assert not thread.is_alive(), "a client waits for ever"
        self.check()


def everybody(plan: Plan, roster: Roster) -> bool:
    """Whether the whole tree lives."""
    return roster.id(ROOT) is not None and all(roster.id(name) for name in plan.members)
