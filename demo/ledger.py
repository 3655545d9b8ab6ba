"""The gate's books: which idempotency keys came, what was answered, in a log that is synced.

An entry is made when a key comes for the first time; every later request with that key gets the first
one's answer, also when it comes while the first is still being answered. No network here.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

WAIT_SECONDS_MAX: Final = 300.0

Kind = Literal["asked", "repeated", "answered", "held", "delivered", "lost", "refused"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said: HTTP status, content type and body."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log. `at` is microseconds since the Unix epoch, as in a chain."""

    at: int
    kind: Kind
    key: str


@dataclass(frozen=True, slots=True)
class Statistics:
    """How many there were of each: `asked` counts distinct keys, `holding` answers held back now."""

    asked: int
    repeated: int
    answered: int
    delivered: int
    lost: int
    refused: int
    holding: int


@dataclass(slots=True)
class _Entry:
    body: bytes
    answer: Answer | None = None
    failed: bool = False
    held: bool = False


class NoAnswer(Exception):
    """The model did not answer, or the answer was held back for too long."""


class KeyReused(Exception):
    """The same key came with another body: two different questions can't have one answer."""


class Ledger:
    """Keys and answers. Every method may be called from any thread."""

    def __init__(self, log: Path) -> None:
        self._log = log.open("ab", buffering=0)
        self._entries: dict[str, _Entry] = {}
        self._counts: dict[Kind, int] = {}
        self._hold_next = False
        self._changed = threading.Condition()

    def ask(self, key: str, body: bytes, model: Callable[[bytes], Answer]) -> Answer:
        """The answer to `body` under `key`: the model's to a new key, the stored one to a known key.

        Waits while the answer is held back. KeyReused if the key came with another body before. If the
        model fails, whoever waits for this key gets NoAnswer, and the key's next request asks again.
        """
        with self._changed:
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = _Entry(body)
                self._write("asked", key)
            elif entry.body != body:
                self._write("refused", key)
                raise KeyReused(key)
            else:
                self._write("repeated", key)
                if not entry.failed:
                    return self._wait_for(entry)
                entry.failed = False
        try:
            answer = model(body)
        except OSError as error:
            with self._changed:
                entry.failed = True
                self._changed.notify_all()
            raise NoAnswer(str(error)) from error
        with self._changed:
            entry.answer = answer
            self._write("answered", key)
            if self._hold_next:
                self._hold_next, entry.held = False, True
                self._write("held", key)
            return self._wait_for(entry)

    def _wait_for(self, entry: _Entry) -> Answer:
        self._changed.wait_for(
            lambda: entry.failed or (entry.answer is not None and not entry.held),
            timeout=WAIT_SECONDS_MAX,
        )
        if entry.answer is None or entry.held:
            raise NoAnswer("the model failed, or its answer was held back for too long")
        return entry.answer

    def refuse(self, key: str) -> None:
        """Note a request that the gate did not pass on."""
        with self._changed:
            self._write("refused", key)

    def delivered(self, key: str, *, whole: bool) -> None:
        """Note whether an answer left, or its client was gone."""
        with self._changed:
            self._write("delivered" if whole else "lost", key)

    def hold_next(self) -> None:
        """Hold back the answer to the next new key."""
        with self._changed:
            self._hold_next = True

    def release(self) -> None:
        """Let go of what is held back."""
        with self._changed:
            self._hold_next = False
            for entry in self._entries.values():
                entry.held = False
            self._changed.notify_all()

    def wait(self, *, delivered: int, holding: int, seconds: float) -> Statistics:
        """The statistics, once they are at least these, or after `seconds`, whichever is first."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._counts.get("delivered", 0) >= delivered and self._holding() >= holding
                ),
                timeout=seconds,
            )
            return self._statistics()

    def _statistics(self) -> Statistics:
        count = self._counts.get
        return Statistics(
            asked=len(self._entries),
            repeated=count("repeated", 0),
            answered=count("answered", 0),
            delivered=count("delivered", 0),
            lost=count("lost", 0),
            refused=count("refused", 0),
            holding=self._holding(),
        )

    def _holding(self) -> int:
        return sum(entry.held for entry in self._entries.values())

    def _write(self, kind: Kind, key: str) -> None:
        line = Line(at=time.time_ns() // 1000, kind=kind, key=key)
        self._log.write(json.dumps(asdict(line)).encode() + b"\n")
        os.fsync(self._log.fileno())
        self._counts[kind] = self._counts.get(kind, 0) + 1
        self._changed.notify_all()


def read(log: Path) -> list[Line]:
    """The log's lines, oldest first."""
    return [Line(**json.loads(line)) for line in log.read_text().splitlines()]
