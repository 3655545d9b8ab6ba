"""Ctrl-C on the main thread while guests run there, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.engine.guests import SEND, Host

INTERRUPTED = """
import os, pathlib, random, signal, sys, threading
from tests.engine.guests import SEND, Host, binary
from theater.engine import Engine, Returned

lost = []
sys.unraisablehook = lambda unraised: lost.append(unraised.exc_value)
engine = Engine(pathlib.Path(sys.argv[1]))
counter, loop = engine.load(binary("counter")), engine.load(binary("loop"))
kept = [counter.instance()]
ready, done = threading.Event(), threading.Event()

def interrupt():
    chance = random.Random(1)
    ready.wait()
    while not done.wait(chance.random() / 100):
        os.kill(os.getpid(), signal.SIGINT)

sender = threading.Thread(target=interrupt)
sender.start()
seen, ends = 0, set()

def call(computing):
    if kept[-1].dead or computing:
        kept.append((loop if computing else counter).instance())
    outcome = kept[-1].call(SEND, [None, (b"hi",)], Host(), 60_000)
    ends.add(getattr(outcome, "kind", "returned"))

chance = random.Random(2)
ready.set()
while seen < 100:
    try:
        while True:
            call(computing=chance.random() < 0.05)
    except KeyboardInterrupt:
        seen += 1
signal.signal(signal.SIGINT, signal.SIG_IGN)
done.set()
outcome = counter.instance().call(SEND, [b"41", (b"hi",)], Host(), 20_000)
assert outcome == Returned(b"42", (), b"\\x80"), outcome
print(sorted(ends), lost)
"""


@pytest.mark.slow
def test_interrupts_on_the_main_thread_end_calls_and_come_through(artifacts: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(artifacts)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert child.returncode == 0, child.stderr
    # No deadline: none was lost. `killed` is what the next call of such an instance says.
    assert child.stdout in ("['killed', 'returned'] []\n", "['returned'] []\n")


def test_a_call_on_another_thread_leaves_interrupts_alone(guest) -> None:
    outcomes = []

    def work() -> None:
        outcomes.append(guest("counter").instance().call(SEND, [b"1", (b"m",)], Host(), 10_000))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert outcomes[0].state == b"2"
