"""The gate before the model: a process that counts idempotency keys and answers each of them once.

A client passes it to reach the model, so its log says what really left the client, whatever the client
believes. A killed client leaves it unharmed: the model's answer is kept for the key's next request.

    POST /v1/...                    passed to the model; needs an Idempotency-Key
    POST /gate/hold                 hold back the answer to the next new key
    POST /gate/release              let it go
    GET  /gate/statistics           counts; ?delivered=N&holding=N&seconds=S waits for them

Prints its address as the first line of standard output, then serves until its standard input ends.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import sys
import threading
from dataclasses import asdict
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from demo.ledger import Answer, KeyReused, Ledger, NoAnswer

BODY_BYTES_MAX: Final = 1 << 20
MODEL_SECONDS_MAX: Final = 120.0
WAIT_SECONDS_MAX: Final = 120.0


class Gate(ThreadingHTTPServer):
    """One thread a connection; what they share is the ledger."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], model: str, log: Path) -> None:
        super().__init__(address, Passage)
        self.model = urlsplit(model)
        self.ledger = Ledger(log)

    def ask_model(self, path: str, body: bytes) -> Answer:
        """Ask the model; OSError if it can't be reached or talks nonsense."""
        connection = HTTPConnection(self.model.netloc, timeout=MODEL_SECONDS_MAX)
        try:
            connection.request("POST", path, body, {"content-type": "application/json"})
            response = connection.getresponse()
            kind = response.getheader("content-type", "application/json")
            return Answer(response.status, kind, response.read())
        except HTTPException as error:
            raise OSError(f"the model's answer is not HTTP: {error!r}") from error
        finally:
            connection.close()


class Passage(BaseHTTPRequestHandler):
    """One connection through the gate."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Gate

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path != "/gate/statistics":
            self._answer_json(404, {"error": "no such page"})
            return
        wanted = dict(parse_qsl(address.query))
        statistics = self.server.ledger.wait(
            delivered=int(wanted.get("delivered", "0")),
            holding=int(wanted.get("holding", "0")),
            seconds=min(float(wanted.get("seconds", "0")), WAIT_SECONDS_MAX),
        )
        self._answer_json(200, asdict(statistics))

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length", "0"))
        if size > BODY_BYTES_MAX:
            self.close_connection = True
            self._answer_json(413, {"error": "too large"})
            return
        body = self.rfile.read(size)
        if len(body) < size:
            # Its client died while it was sending: nothing was asked.
            self.close_connection = True
        elif self.path == "/gate/hold":
            self.server.ledger.hold_next()
            self._answer_json(200, {})
        elif self.path == "/gate/release":
            self.server.ledger.release()
            self._answer_json(200, {})
        else:
            self._pass(body)

    def _pass(self, body: bytes) -> None:
        ledger = self.server.ledger
        key = self.headers.get("idempotency-key")
        if not key:
            ledger.refuse("")
            self._answer_json(400, {"error": "an Idempotency-Key is needed here"})
            return
        try:
            answer = ledger.ask(key, body, lambda body: self.server.ask_model(self.path, body))
        except KeyReused:
            self._answer_json(422, {"error": "this key came with another body before"})
            return
        except NoAnswer as error:
            self._answer_json(502, {"error": str(error)})
            return
        ledger.delivered(key, whole=self._answer(answer))

    def _answer_json(self, status: int, value: object) -> None:
        self._answer(Answer(status, "application/json", json.dumps(value).encode()))

    def _answer(self, answer: Answer) -> bool:
        """Send it; false if the client is gone."""
        if self._client_is_gone():
            self.close_connection = True
            return False
        try:
            self.send_response(answer.status)
            self.send_header("content-type", answer.content_type)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
        except OSError:
            self.close_connection = True
            return False
        return True

    def _client_is_gone(self) -> bool:
        # A write to a socket whose other end has died succeeds once; its end of stream is seen at once.
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the ledger is the log."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.gate", description=__doc__)
    parser.add_argument("--model", required=True, help="the model's address")
    parser.add_argument("--log", required=True, type=Path, help="JSON lines, synced one by one")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    arguments = parser.parse_args()
    gate = Gate(("127.0.0.1", arguments.port), arguments.model, arguments.log)
    threading.Thread(target=gate.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{gate.server_port}", flush=True)
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
