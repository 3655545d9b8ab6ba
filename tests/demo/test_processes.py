"""The demo's processes: none of them outlives it, however it ends."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from demo.processes import Process, ProcessFailed, uninterrupted


def python(code: str, log: Path) -> Process:
    return Process("child", [sys.executable, "-c", code], log)


def test_a_process_that_ends_too_early_is_told_with_what_it_said(tmp_path: Path) -> None:
    with (
        python("import sys; sys.exit('no port is free')", tmp_path / "log") as child,
        pytest.raises(ProcessFailed, match="no port is free"),
    ):
        child.next_line()


def test_leaving_the_context_ends_a_process_that_does_not_want_to(tmp_path: Path) -> None:
    code = (
        "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7));"
        "print('ready', flush=True); signal.pause()"
    )
    with python(code, tmp_path / "log") as child:
        assert child.next_line() == "ready"
    assert not child.alive()
    assert child.wait() == 7


def test_a_frozen_process_can_be_stopped(tmp_path: Path) -> None:
    with python("print('ready', flush=True); input()", tmp_path / "log") as child:
        child.next_line()
        child.freeze()
    assert not child.alive()


def test_an_interrupt_waits_until_what_it_would_tear_apart_is_done() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
        done.append("all of it")
    assert done == ["all of it"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
