"""The gate's control endpoints, from the demo's side."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from urllib.parse import urlsplit

from demo.ledger import Statistics

PATIENCE_S = 90.0


class TooSlow(Exception):
    """What was waited for did not happen in time."""


class GateControl:
    """Commands and questions to a running gate."""

    def __init__(self, address: str) -> None:
        self.address = address

    def hold_next(self) -> None:
        self._call("POST", "/gate/hold")

    def release(self) -> None:
        self._call("POST", "/gate/release")

    def statistics(self) -> Statistics:
        return Statistics(**json.loads(self._call("GET", "/gate/statistics")))

    def wait(self, *, delivered: int = 0, holding: int = 0) -> Statistics:
        """Wait until at least so many answers were delivered, so many are held; TooSlow if they aren't."""
        query = f"delivered={delivered}&holding={holding}&seconds={PATIENCE_S}"
        seen = Statistics(**json.loads(self._call("GET", f"/gate/statistics?{query}")))
        if seen.delivered < delivered or seen.holding < holding:
            raise TooSlow(f"the gate saw no more than {seen}")
        return seen

    def _call(self, method: str, path: str) -> bytes:
        connection = HTTPConnection(urlsplit(self.address).netloc, timeout=PATIENCE_S + 10)
        try:
            connection.request(method, path)
            return connection.getresponse().read()
        finally:
            connection.close()
