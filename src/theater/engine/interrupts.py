"""Ctrl-C while a guest runs on the main thread: the call is killed, and then the interrupt comes.

Python runs a signal's handler between any two steps of the main thread, also at the first one of a
function that the library calls back. What is raised there never reaches the caller: the library
gets no answer, and takes what lies in memory for one.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Final

from theater.engine.call import Switch

MAIN_THREAD: Final = threading.main_thread().ident


@contextlib.contextmanager
def interrupts_put_off(switch: Switch) -> Iterator[None]:
    """Let an interrupt turn the switch, and raise it at the end. On the main thread only."""
    before = signal.getsignal(signal.SIGINT)
    if not callable(before):
        yield
        return
    interrupted = False

    def kill(*_: object) -> None:
        nonlocal interrupted
        interrupted = True
        switch.killed = True

    signal.signal(signal.SIGINT, kill)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if interrupted:
            signal.raise_signal(signal.SIGINT)
