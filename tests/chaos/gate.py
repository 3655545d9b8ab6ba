"""The world outside of the kill test: a small HTTP server that stamps what is posted to it.

Its answer is a function of the body, so that final states can be compared. It notes every arrival
with its key and with how many times the node had been killed by then.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from tests.chaos.tally import Tally

DELAY_S_MAX = 0.03


@dataclass(frozen=True)
class Arrival:
    """One POST: its Idempotency-Key, the hash of its body, the kills before it."""

    key: str
    body: bytes
    kills: int


class Gate(ThreadingHTTPServer):
    """Serves from construction until `close`; a thread a connection."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, seed: int, tally: Tally) -> None:
        super().__init__(("127.0.0.1", 0), _Passage)
        self.tally = tally
        self.kills = 0
        self.arrivals: list[Arrival] = []
        self._random = random.Random(f"{seed}/gate")
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def stamp(self, key: str, body: bytes) -> bytes:
        """Note an arrival, take a moment, and return the answer."""
        with self._lock:
            self.arrivals.append(Arrival(key, sha256(body).digest(), self.kills))
            delay_s = self._random.random() ** 2 * DELAY_S_MAX
        self.tally.add("arrived")
        time.sleep(delay_s)
        return sha256(body).hexdigest()[:12].encode()

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is no error here."""


class _Passage(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Gate

    def do_POST(self) -> None:
        size = int(self.headers["content-length"])
        body = self.rfile.read(size)
        if len(body) < size:
            self.close_connection = True  # its client died while it was sending: nothing was asked
            return
        answer = self.server.stamp(self.headers["idempotency-key"], body)
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        self.server.tally.add("answered")

    def log_message(self, format: str, *args: object) -> None:
        pass
