"""What the parts of a running node share: its journal, router, dispatcher, clock and randomness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from theater.clock import Clock
from theater.journal.port import Journal
from theater.runtime.actor import Actor
from theater.runtime.black_box import BlackBox
from theater.runtime.dispatcher import Dispatcher
from theater.runtime.family import Family
from theater.runtime.parking import Effects, Later
from theater.runtime.program import Program
from theater.runtime.router import Router
from theater.runtime.scheduler import Scheduler
from theater.runtime.supervision.supervisors import Supervisors


@dataclass(frozen=True, slots=True)
class Services:
    """Handed to whatever runs calls.

    `random` gives that many fresh random bytes, `salt` 16 of them. `program` loads a component as an
    actor's, if it isn't loaded. `started` and `ended` are told of an actor whose `init` has returned,
    and of one that stopped or failed, with the record's number. `retry` comes back to an actor that
    can't be run now. `later` runs a function after some seconds. `effects` are those whose calls
    have no thread.
    """

    journal: Journal
    router: Router
    dispatcher: Dispatcher
    black_box: BlackBox
    scheduler: Scheduler
    family: Family
    supervisors: Supervisors
    clock: Clock
    random: Callable[[int], bytes]
    salt: Callable[[], bytes]
    program: Callable[[Actor, bytes], Program]
    started: Callable[[Actor, int], None]
    ended: Callable[[Actor, int], None]
    retry: Callable[[Actor], None]
    later: Later
    effects: Effects
