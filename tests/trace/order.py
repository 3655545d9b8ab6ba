"""Whether what left a node was covered: written to the journal and synced, before it left.

The journal is SQLite's log of writes: frames, each a header of 24 bytes and a page, the header of a
transaction's last frame saying so. What a transaction holds is safe once a sync of that file has
returned that began after its last page was written.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from tests.trace.calls import READS, SYNCS, WRITES, SystemCall

FRAME_HEADER_BYTES = 24
LOG = "/journal.db-wal"


@dataclass(frozen=True)
class Promise:
    """A request of a client, by its key, whose answer may leave once `evidence` is on disk."""

    key: str
    evidence: str


class Trace:
    """The system calls of one node."""

    def __init__(self, calls: Sequence[SystemCall]) -> None:
        self._calls = calls
        self._log = [call for call in calls if call.name in WRITES and call.file.endswith(LOG)]
        self._syncs = [
            call
            for call in calls
            if call.name in SYNCS and call.file.endswith(LOG) and call.result == 0
        ]

    def safe_at(self, evidence: str) -> int | None:
        """The position from which on a text is on disk, None if there is none."""
        # A page may end in the middle of a text, but not in the middle of both its halves.
        half = len(evidence) // 2
        halves = (evidence[:half].encode(), evidence[half:].encode())
        written = next(
            (n for n, call in enumerate(self._log) if any(half in call.data for half in halves)),
            None,
        )
        if written is None:
            return None
        last = next(
            (n + 1 for n in range(written - 1, len(self._log) - 1) if _ends(self._log[n])), None
        )
        if last is None:
            return None
        at = bisect_right(self._syncs, self._log[last].over, key=lambda call: call.begun)
        return self._syncs[at].over if at < len(self._syncs) else None

    def early_answers(self, promises: Sequence[Promise], port: int) -> list[str]:
        """The requests to `port` that were answered too early, or not at all, and why."""
        faults = []
        for promise in promises:
            answered = self._answered(promise.key, port)
            safe = self.safe_at(promise.evidence)
            if answered is None:
                faults.append(f"{promise.key}: no answer is in the trace")
            elif safe is None or safe >= answered:
                faults.append(f"{promise.key}: answered at {answered}, on disk at {safe}")
        return faults

    def _answered(self, key: str, port: int) -> int | None:
        asked = next(
            (
                call
                for call in self._calls
                if call.name in READS
                and f":{port}->" in call.file
                and b"idempotency-key: " + key.encode() in call.data.lower()
            ),
            None,
        )
        if asked is None:
            return None
        return next(
            (
                call.begun
                for call in self._calls
                if call.begun > asked.over and call.name in WRITES and call.file == asked.file
            ),
            None,
        )

    def early_requests(self, keys: Sequence[str], port: int) -> list[str]:
        """The keys whose POST to `port` left before its intent was safe, and why.

        To the first one belongs the making of the connection.
        """
        faults = []
        for number, key in enumerate(keys):
            left = [call.begun for call in self._calls if self._sends(call, key, port)]
            if number == 0:
                left += [call.begun for call in self._calls if call.port == port]
            safe = self.safe_at(key)
            if not left:
                faults.append(f"{key}: no request is in the trace")
            elif safe is None or safe >= min(left):
                faults.append(f"{key}: sent at {min(left)}, the intent on disk at {safe}")
        return faults

    @staticmethod
    def _sends(call: SystemCall, key: str, port: int) -> bool:
        there = f"->127.0.0.1:{port}]"
        return call.name in WRITES and there in call.file and key.encode() in call.data


def _ends(call: SystemCall) -> bool:
    """Whether a write is the header of a transaction's last frame."""
    return len(call.data) == FRAME_HEADER_BYTES and call.data[4:8] != bytes(4)
