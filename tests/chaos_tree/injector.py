"""Plays the faults of a plan, one after the other, and writes down which were injected.

A fault whose target does not live just then is injected all the same and misses. What a fault did
shows in the chains.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from tests.chaos_tree.callers import Caller, Roster
from tests.chaos_tree.letters import LETTERS, letter
from tests.chaos_tree.plan import Fault, Plan, Planned
from theater.client import Client
from theater.errors import TheaterError
from theater.protocol.actors import ActorView

WAITING: Final = 3
"""How many messages stand behind the call in hand of who is killed or restarted."""

GUSTS: Final = 3
WORK_MS: Final = b"0100"


@dataclass
class Injected:
    """A fault that was injected: the messages that it was, or how often an order was carried out.

    `actors` are the ids of those whom it was for; none if it missed.
    """

    fault: Planned
    messages: list[str] = field(default_factory=list)
    actors: list[str] = field(default_factory=list)
    done: int = 0


class Injector:
    """`crash` kills the node and returns when there is another. The log is at `path`."""

    def __init__(
        self, plan: Plan, caller: Caller, roster: Roster, crash: Callable[[], None], path: Path
    ) -> None:
        self._plan = plan
        self._caller = caller
        self._roster = roster
        self._crash = crash
        self._log = path.open("w")
        self.injected: list[Injected] = []

    def play(self, faults: Iterable[Planned], check: Callable[[], None]) -> None:
        """Inject faults; `check` is asked before each and raises if the run is broken."""
        for fault in faults:
            time.sleep(fault.pause_s)
            check()
            injected = Injected(fault)
            self.injected.append(injected)
            self._log.write(json.dumps(asdict(fault)) + "\n")
            self._log.flush()
            self._inject(fault, injected)

    def close(self) -> None:
        self._log.close()

    def _inject(self, fault: Planned, injected: Injected) -> None:
        match fault.kind:
            case Fault.CRASH:
                for place, target in enumerate(fault.busy):
                    self._occupy(target, fault, place)
                if fault.target:
                    self._storm(fault, Injected(fault))
                self._crash()
                injected.done = 1
            case Fault.KILL:
                self._order(fault, injected, lambda client, actor: client.stop(actor, force=True))
            case Fault.RESTART | Fault.RENEW:
                keep = fault.kind is Fault.RENEW
                key = f"f{fault.number:011}"
                self._order(
                    fault,
                    injected,
                    lambda client, actor: client.restart(actor, keep_state=keep, key=key),
                )
            case Fault.STOP_CHILD | Fault.RESTART_CHILD:
                parent, child = self._plan.members[fault.target].parent, fault.target
                sign = b"K" if fault.kind is Fault.STOP_CHILD else b"R"
                found = self._roster.id(child)
                if parent is not None and found is not None:
                    self._tell(parent, sign, f"f{fault.number:011}", injected, found.encode())
            case Fault.STORM:
                self._storm(fault, injected)
            case Fault.TRAP:
                # A new instance does not trap, so the message comes to one that has served another.
                self._tell(fault.target, b"c", f"u{fault.number:011}", Injected(fault))
                self._tell(fault.target, b"t", f"f{fault.number:011}", injected)
            case _:
                sign = LETTERS[fault.kind]
                self._tell(fault.target, sign, f"f{fault.number:011}", injected)

    def _order(
        self, fault: Planned, injected: Injected, call: Callable[[Client, str], ActorView]
    ) -> None:
        found = self._roster.id(fault.target)
        if found is None:
            return
        injected.actors.append(found)
        self._occupy(fault.target, fault, 0)
        with suppress(TheaterError):  # it has ended meanwhile, or its `init` failed
            self._caller.insist(lambda client: call(client, found))
            injected.done += 1

    def _occupy(self, target: str, fault: Planned, place: int) -> None:
        """Have a call in hand where a fault is to come, and messages behind it."""
        found = self._roster.id(target)
        if found is None:
            return
        for number in range(WAITING + 1):
            name = f"w{fault.number:07}{place:02}{number:02}"
            sign, more = (b"c", b"") if number else (b"w", WORK_MS)
            self._caller.send(found, name, letter(sign, name, more))

    def _storm(self, fault: Planned, injected: Injected) -> None:
        """Have several children fail at once, again and again: of such messages in a row every
        second one traps, and counts, because it is handled when it is tried again.
        """
        for place, target in enumerate(fault.others):
            for number in range(GUSTS):
                name = f"g{fault.number:07}{place:02}{number:02}"
                self._tell(target, b"t", name, injected)
        supervisor = self._roster.id(fault.target)
        injected.actors = [] if supervisor is None else [supervisor]

    def _tell(
        self, target: str, sign: bytes, name: str, injected: Injected, more: bytes = b""
    ) -> None:
        found = self._roster.id(target)
        if found is None:
            return
        message = self._caller.send(found, name, letter(sign, name, more))
        if message is not None:
            injected.actors.append(found)
            injected.messages.append(message)
