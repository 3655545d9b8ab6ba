"""Collapsed stacks as py-spy writes them, read as functions by kind of thread."""

from __future__ import annotations

from benchmarks.profiling import fold, report

STACKS = [
    "thread (0x7F1): theater-worker-1;_run (a/dispatcher.py:10);call (a/engine.py:5) 6",
    "thread (0x7F2): theater-worker-2;_run (a/dispatcher.py:11);call (a/engine.py:9) 2",
    "thread (0x7F2): theater-worker-2;_run (a/dispatcher.py:11) 2",
    "thread (0x7F3): journal;_write (a/journal.py:3);_write (a/journal.py:7) 5",
    "thread (0x7F4): MainThread;measure (b.py:1);tell (benchmarks/peers.py:9) 40",
]


def test_threads_of_one_kind_are_counted_together():
    threads = fold(STACKS)
    assert {kind: thread.samples for kind, thread in threads.items()} == {
        "theater-worker": 10,
        "journal": 5,
    }


def test_self_time_is_of_the_innermost_function_and_total_time_of_all():
    worker = fold(STACKS)["theater-worker"]
    assert worker.own == {"call (a/engine.py)": 8, "_run (a/dispatcher.py)": 2}
    assert worker.total == {"call (a/engine.py)": 8, "_run (a/dispatcher.py)": 10}


def test_a_function_that_calls_itself_is_counted_once():
    assert fold(STACKS)["journal"].total == {"_write (a/journal.py)": 5}


def test_the_report_begins_with_the_thread_that_ran_most():
    lines = report(fold(STACKS)).strip().splitlines()
    assert lines[0] == "theater-worker: 10 samples, 67% of all"
    assert lines[2] == "     80.0%  call (a/engine.py)"
