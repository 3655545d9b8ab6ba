"""Bytes as they come from a socket, in pieces, through uvicorn's parser and our bounds around it."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from fuzz.server import Served, served
from theater.server.connection import BoundedConnection

_STATUS = b"HTTP/1.1 "


def one(data: bytes) -> None:
    there = served()
    for name, value in ((b"@actor", there.actor), (b"@component", there.component)):
        data = data.replace(name, value.encode())
    there.run(_talk(there, data[:1], data[1:]))


async def _talk(there: Served, pace: bytes, data: bytes) -> None:
    state = ServerState()
    config = _config()
    config.loaded_app = there.app
    connection = BoundedConnection(config, state, {}, _loop=there.loop)
    transport = _Wire()
    connection.connection_made(transport)
    size = max(1, (pace or b"\xff")[0] * 8)
    for at in range(0, len(data), size):
        if transport.is_closing():
            break
        connection.data_received(data[at : at + size])
        await asyncio.sleep(0)
    await _settle(state, 0.05)
    connection.sweep(there.loop.time() + 1000)
    connection.connection_lost(None)
    await _settle(state, 0.05)
    for task in list(state.tasks):
        task.cancel()
    await _settle(state, 0.05)
    assert not transport.written or transport.written.startswith(_STATUS)
    assert b"server.bug" not in transport.written
    assert b"Internal Server Error" not in transport.written


async def _settle(state: ServerState, seconds: float) -> None:
    if state.tasks:
        await asyncio.wait(state.tasks, timeout=seconds)


class _Wire(asyncio.Transport):
    """A socket's end that takes everything at once."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self._closing = False

    def write(self, data: Any) -> None:
        if len(self.written) < 1 << 20:
            self.written += bytes(data)

    def close(self) -> None:
        self._closing = True

    abort = close

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        return

    def resume_reading(self) -> None:
        return

    def get_write_buffer_size(self) -> int:
        return 0


@cache
def _config() -> uvicorn.Config:
    config = uvicorn.Config(
        lambda: None,
        http=BoundedConnection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
    )
    config.load()
    return config
