"""Futures of what a node was asked for: they complete when what they say is on disk.

Whoever holds one may have cancelled it, or it may be done already: neither is an error here.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import TypeVar

from theater.journal.port import Journal

T = TypeVar("T")


def complete(journal: Journal, future: Future[T], value: T, number: int) -> None:
    """Complete a future with a value once record `number` is durable, or with what prevents it."""

    def on_disk(error: BaseException | None) -> None:
        if error is not None:
            fail(future, error)
        elif future.set_running_or_notify_cancel():
            future.set_result(value)

    journal.when_durable(number, on_disk)


def settle(future: Future[T], value: T) -> None:
    """Complete a future with a value at once, unless it is done."""
    if not future.done() and future.set_running_or_notify_cancel():
        future.set_result(value)


def fail(future: Future[T], error: BaseException) -> None:
    """Complete a future with an error, unless it is done."""
    if not future.done() and future.set_running_or_notify_cancel():
        future.set_exception(error)
