"""The engine under fire: many threads whose calls end in every way at once, and memory that stays.

    python -m tests.engine.fire --seconds 60 --threads 8
    python -m tests.engine.fire --leak 200000

The first prints how often each end occurred and what went wrong; the second, what the process held
of the machine over that many calls.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import queue
import random
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.engine.actions import ACTIONS, WAIT_S, Caller, count, echo
from tests.engine.generated import EVERY_KIND
from tests.engine.guests import binary
from tests.engine.interface_echo import interface_echo
from tests.engine.memory import Held, held
from tests.engine.starting import STARTING
from theater.engine import Component, Engine, live_instances, wat
from theater.engine.call import RUNNING
from theater.values.types import BYTES, WitType


class Loaded:
    """The guests of the actions, and a thread that does what is asked of it soon."""

    def __init__(self, directory: Path) -> None:
        self._engine = Engine(directory)
        self._fuelled = Engine(directory, fuel=True)
        self.types: list[WitType] = [BYTES, *EVERY_KIND]
        load = self._engine.load
        names = ("counter", "trap", "loop", "grow", "recurse", "things")
        self._components: dict[str, Component] = {name: load(binary(name)) for name in names}
        self._components["echo"] = load(wat(interface_echo(self.types)))
        self._components["starting"] = load(wat(STARTING))
        self._components["fuelled loop"] = self._fuelled.load(binary("loop"))
        self._asked: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._act, name="later")
        self._thread.start()

    def __getitem__(self, name: str) -> Component:
        return self._components[name]

    def later(self, act: Callable[[], object]) -> None:
        self._asked.put(act)

    def _act(self) -> None:
        chance = random.Random(0)
        pause = threading.Event()
        while (act := self._asked.get()) is not None:
            pause.wait(chance.choice([0, 0, 0.001, 0.005]))
            act()
            del act  # it holds an instance

    def close(self) -> None:
        self._asked.put(None)
        self._thread.join(WAIT_S)
        self._engine.close()
        self._fuelled.close()


@dataclass
class Report:
    """How often each action ended as it must, and what did not."""

    tally: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    before: Held = field(default_factory=held)
    after: Held = field(default_factory=held)

    def __str__(self) -> str:
        lines = [f"{self.tally[name]:>10} {name}" for name in (*ACTIONS, "bystander")]
        lines.append(f"{sum(self.tally.values()):>10} in all, {len(self.failures)} failures")
        lines += [f"before {self.before}", f"after  {self.after}", *self.failures[:10]]
        return "\n".join(lines)


@contextlib.contextmanager
def _nothing_unraised(report: Report) -> Iterator[None]:
    """What the interpreter could raise nowhere is an error that was lost."""
    before = sys.unraisablehook

    def keep(lost: sys.UnraisableHookArgs) -> None:
        report.failures.append(f"lost: {lost.exc_value!r} in {lost.object!r}")

    sys.unraisablehook = keep
    try:
        yield
    finally:
        sys.unraisablehook = before


def fire(guests: Loaded, seconds: float, threads: int, seed: int) -> Report:
    """Every action at least once in every thread, and on until the time is over."""
    report = Report()
    tallies: list[Counter[str]] = []
    stop = threading.Event()
    gc.collect()
    live = live_instances()

    def attempt(tally: Counter[str], caller: Caller, name: str) -> None:
        caller.begin()
        try:
            (count if name == "bystander" else ACTIONS[name])(caller)
        except BaseException:
            report.failures.append(f"{caller.mark}, {name}:\n{traceback.format_exc()}")
        else:
            tally[name] += 1

    def work(number: int) -> None:
        tally: Counter[str] = Counter()
        tallies.append(tally)
        chance = random.Random(seed * 1000 + number)
        caller = Caller(f"{number}", guests, chance)
        names = list(ACTIONS)
        chance.shuffle(names)
        for name in names:
            attempt(tally, caller, name)
        while time.monotonic() < end and len(report.failures) < 100:
            attempt(tally, caller, chance.choice(names))
        caller.close()

    def stand_by() -> None:
        tally: Counter[str] = Counter()
        tallies.append(tally)
        caller = Caller("bystander", guests, random.Random(seed))
        while not stop.wait(0.002):
            attempt(tally, caller, "bystander")
        caller.close()

    end = time.monotonic() + seconds
    with _nothing_unraised(report):
        bystander = threading.Thread(target=stand_by)
        workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        for thread in (bystander, *workers):
            thread.start()
        for thread in workers:
            thread.join(seconds + 4 * WAIT_S)
        stop.set()
        bystander.join(WAIT_S)
        if any(thread.is_alive() for thread in (bystander, *workers)):
            report.failures.append("a thread does not end")
        gc.collect()
    for tally in tallies:
        report.tally += tally
    if RUNNING:
        report.failures.append(f"{len(RUNNING)} calls are still running")
    if live_instances() != live:
        report.failures.append(f"{live_instances() - live} instances are left")
    report.after = held()
    return report


LEAK_RESIDENT_KIB = 1024
LEAK_ALLOCATED_KIB = 64
LEAK_MAPPINGS = 64
"""What may be added between a tenth of the calls and all of them."""

_QUIET = [name for name in ACTIONS if name not in {"deadline", "stack", "fuel"}]
"""What takes no time but the machine's."""


def leak(guests: Loaded, calls: int, seed: int) -> tuple[list[tuple[int, Held]], list[str]]:
    """What the process held after each tenth of the calls, and what went wrong.

    Three quarters are messages and echoes of values to warm instances, the rest are actions of
    every kind, most of which need a new instance each.
    """
    chance = random.Random(seed)
    caller = Caller("leak", guests, chance)
    report = Report()
    marks = []
    with _nothing_unraised(report):
        for number in range(calls + 1):
            if number and number % (calls // 10) == 0:
                gc.collect()
                marks.append((number, held()))
            caller.begin()
            try:
                drawn = chance.random()
                if drawn < 0.25:
                    count(caller)
                elif drawn < 0.75:
                    echo(caller)
                else:
                    ACTIONS[chance.choice(_QUIET)](caller)
            except BaseException:
                report.failures.append(traceback.format_exc())
    caller.close()
    first, last = marks[0][1], marks[-1][1]
    bounds = Held(LEAK_RESIDENT_KIB, LEAK_ALLOCATED_KIB, LEAK_MAPPINGS, files=0)
    for name, then, now, bound in zip(Held._fields, first, last, bounds, strict=True):
        if now - then > bound:
            report.failures.append(f"{name} grew from {then} to {now}")
    return marks, report.failures


def main() -> int:
    parser = argparse.ArgumentParser(description="The engine under fire.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--leak", type=int, default=0, help="so many calls, watching memory")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        guests = Loaded(Path(directory))
        try:
            if asked.leak:
                marks, failures = leak(guests, asked.leak, asked.seed)
                for number, each in marks:
                    print(f"{number:>10} {each}")
                print(f"{len(failures)} failures", *failures[:10], sep="\n")
            else:
                report = fire(guests, asked.seconds, asked.threads, asked.seed)
                failures = report.failures
                print(report)
        finally:
            guests.close()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
