"""The least that a durable answer over HTTP takes: uvloop, a row appended and synced, an answer.

Run as a program it prints its port and serves until its standard input is closed. It parses only
what it needs, knows no token and no key, and syncs once for each request.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import uvloop

LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: %d\r\n\r\n%b"
)


@contextmanager
def bare_server(file: Path) -> Iterator[int]:
    """Serve from another process, appending to a file; yields the port."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.bare_server", str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.stdin.close()


class _Connection(asyncio.Protocol):
    def __init__(self, file: int) -> None:
        self._file = file
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._got += data
        front, found, body = self._got.partition(b"\r\n\r\n")
        length = LENGTH.search(front) if found else None
        if length is None or len(body) < int(length[1]):
            return
        self._got = b""
        os.write(self._file, body)
        os.fdatasync(self._file)
        self._transport.write(ANSWER % (len(body), body))


async def _serve(file: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(file), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    uvloop.run(_serve(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)))
