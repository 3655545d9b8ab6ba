"""Clients over HTTP that cost little: raw sockets in a process of their own.

Run as a program it makes its requests and prints what they took as JSON. A client library would
cost more than the server that is to be measured. Nothing is imported but the standard library.
"""

from __future__ import annotations

import argparse
import json
import re
import selectors
import socket
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

BODY = b"a message of about fifty bytes, as most of them.."
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Visit:
    """What the visitors saw: requests a second, p50 and p99 of one request in milliseconds."""

    rate: float
    p50_ms: float
    p99_ms: float


def visit(port: int, path: str, token: str | None, clients: int, requests: int) -> Visit:
    """Let that many clients make so many requests in all, from another process."""
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.visitors", str(port), path, token or "-"),
            *(str(clients), str(requests)),
        ],
        check=False,
        capture_output=True,
        cwd=Path(__file__).parent.parent,
        timeout=WAIT_S * 3,
    )
    if ended.returncode != 0:
        raise RuntimeError(f"visitors at {path}: {ended.stderr.decode(errors='replace')}")
    return Visit(**json.loads(ended.stdout))


class _Client:
    """One connection, with one request in flight."""

    def __init__(self, port: int, head: str) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = head
        self._got = b""
        self._began = 0.0

    def ask(self) -> None:
        """Send the next request, under a key of its own as the client library does."""
        key = uuid.uuid4().hex
        self._began = perf_counter()
        self.connection.sendall(self._head.replace("KEY", key).encode() + BODY)

    def hear(self) -> float | None:
        """Read what is there; the seconds that the request took if its answer is complete."""
        self._got += self.connection.recv(65536)
        front, found, body = self._got.partition(b"\r\n\r\n")
        if not found:
            if not self._got:
                raise SystemExit("the server closed a connection")
            return None
        length = LENGTH.search(front)
        if length is None or not front.startswith(b"HTTP/1.1 200"):
            raise SystemExit(self._got[:500].decode(errors="replace"))
        if len(body) < int(length[1]):
            return None
        self._got = b""
        return perf_counter() - self._began


def _visit_here(port: int, path: str, token: str, clients: int, requests: int) -> Visit:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/octet-stream\r\nIdempotency-Key: KEY\r\n"
        f"Content-Length: {len(BODY)}\r\n\r\n"
    )
    times: list[float] = []
    with selectors.DefaultSelector() as selector:
        everyone = [_Client(port, head) for _ in range(clients)]
        for client in everyone:
            selector.register(client.connection, selectors.EVENT_READ, client)
        began = perf_counter()
        for client in everyone[:requests]:
            client.ask()
        asked = min(clients, requests)
        while len(times) < requests:
            ready = selector.select(WAIT_S)
            if not ready:
                raise SystemExit(f"no answer within {WAIT_S:.0f} s")
            for key, _ in ready:
                took = key.data.hear()
                if took is not None:
                    times.append(took)
                    if asked < requests:
                        asked += 1
                        key.data.ask()
        seconds = perf_counter() - began
        for client in everyone:
            client.connection.close()
    times.sort()
    return Visit(
        requests / seconds,
        1e3 * times[len(times) // 2],
        1e3 * times[min(len(times) - 1, int(0.99 * len(times)))],
    )


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("token")
    parser.add_argument("clients", type=int)
    parser.add_argument("requests", type=int)
    given = parser.parse_args()
    seen = _visit_here(given.port, given.path, given.token, given.clients, given.requests)
    print(json.dumps({"rate": seen.rate, "p50_ms": seen.p50_ms, "p99_ms": seen.p99_ms}))


if __name__ == "__main__":
    _main()
