"""What people are told on a terminal, and programs are not."""

from __future__ import annotations

import io
import os
import select
import sys
import threading

import pytest

from tests.server.running import WAIT_S
from theater.cli.output import told_if_long


def test_who_waits_long_at_a_terminal_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, line = os.openpty()
    with os.fdopen(line, "w") as terminal, os.fdopen(screen, "rb", buffering=0) as shown:
        monkeypatch.setattr(sys, "stderr", terminal)
        with told_if_long("still at it", after_s=0.0):
            assert select.select([shown], [], [], WAIT_S)[0]
            assert shown.read(100) == b"still at it\r\n"
        with told_if_long("not long", after_s=WAIT_S):
            pass
        assert not select.select([shown], [], [], 0)[0]


def test_a_program_that_waits_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    before = set(threading.enumerate())
    with told_if_long("still at it", after_s=0.0):
        assert set(threading.enumerate()) <= before
    assert file.getvalue() == ""
