"""The server as a process: socket, event loop, signals, and the order in which it stops.

Stopping: no new connections, streams end, requests in flight have `stop_ms` and are then told to
ask again; the node is closed by whoever opened it. A second signal ends the process at once, which
the journal is made for.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import uvicorn

from theater.errors import Unavailable, UsageError
from theater.runtime.node import Node
from theater.server.app import App
from theater.server.connection import BoundedConnection
from theater.server.credentials import (
    Running,
    ensure_token,
    remove_running,
    write_running,
)
from theater.server.dispatch import Dispatch
from theater.server.guard import Guard
from theater.server.settings import ServerSettings

if sys.platform == "win32":
    from asyncio import new_event_loop
else:
    from uvloop import new_event_loop

_INTERRUPTED = 130
_AFTER_STOP_S = 2.0

logger = logging.getLogger("theater.server")


class TheaterServer:
    """One node's HTTP API. The socket listens from construction on, so `address` is known."""

    def __init__(self, node: Node, data_dir: Path, settings: ServerSettings | None = None) -> None:
        self._settings = settings or ServerSettings()
        self._settings.check()
        self._node = node
        self._data_dir = data_dir
        self.token = ensure_token(data_dir) if self._settings.auth else None
        self._socket = _listen(self._settings.host, self._settings.port)
        self._port: int = self._socket.getsockname()[1]
        self._server: _Server | None = None
        self._stop_asked = False

    @property
    def address(self) -> str:
        """The URL of the server, without a path."""
        host = self._settings.host
        if host in ("0.0.0.0", "::"):
            host = "127.0.0.1"
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until `stop` is called. `ready` is called once requests are answered."""
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(self._serve(ready))

    def stop(self) -> None:
        """Ask the server to stop. From any thread, from a signal handler; idempotent."""
        self._stop_asked = True
        if self._server is not None:
            self._server.should_exit = True

    async def _serve(self, ready: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        settings = self._settings
        dispatch = Dispatch(self._node, loop, subscriptions=settings.subscriptions)
        app = App(
            dispatch,
            Guard(settings, self._port, self.token),
            message_bytes=settings.message_bytes,
            journal_failed=_journal_failed,
        )
        config = uvicorn.Config(
            app,
            http=_connection(settings),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level=logging.ERROR,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=int(settings.stop_ms / 1000 + _AFTER_STOP_S),
        )
        self._node.on_failure(_journal_failed)
        self._server = _Server(config, dispatch, settings.stop_ms / 1000, ready)
        if self._stop_asked:
            self._server.should_exit = True
        write_running(self._data_dir, Running(address=self.address, pid=os.getpid()))
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            remove_running(self._data_dir, os.getpid())
            dispatch.close()
            self._socket.close()


class _Server(uvicorn.Server):
    """uvicorn's loop, with our signals, our sweep of slow connections and our order of stopping."""

    def __init__(
        self, config: uvicorn.Config, dispatch: Dispatch, stop_s: float, ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._dispatch = dispatch
        self._stop_s = stop_s
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._ready()

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, BoundedConnection):
                    connection.sweep(now)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._dispatch.end_streams()
        closing = asyncio.get_running_loop().call_later(self._stop_s, self._dispatch.close)
        try:
            await super().shutdown(sockets=sockets)
        finally:
            closing.cancel()


@contextlib.contextmanager
def stopping_by_signal(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on the first SIGINT or SIGTERM; end the process at once on the second.

    Spans the closing of the node too, which a second signal must be able to cut short.
    """
    asked = False

    def on_signal(_number: int, _frame: object) -> None:
        nonlocal asked
        if asked:
            os._exit(_INTERRUPTED)
        asked = True
        stop()

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _connection(settings: ServerSettings) -> type[BoundedConnection]:
    class Connection(BoundedConnection):
        connections_max = settings.connections
        grace_s = settings.body_grace_s
        stall_s = settings.stall_s

    return Connection


def _listen(host: str, port: int) -> socket.socket:
    bare = host.strip("[]")
    family = socket.AF_INET6 if ":" in bare else socket.AF_INET
    try:
        return socket.create_server((bare, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None) or 0
        if number in (errno.EADDRINUSE, errno.EACCES):
            raise Unavailable(
                f"can't listen on {host}:{port}: {os.strerror(number)}; take another one with --port, "
                "0 for any that is free",
                code="server.address",
            ) from None
        raise UsageError(
            f"{host!r} is no address of this machine; --host takes one that it has, as 127.0.0.1, or "
            "0.0.0.0 for all of them",
            code="server.address",
        ) from None


def _journal_failed(error: BaseException) -> NoReturn:
    """Nothing may be answered any more: not by this request, not by any other."""
    sys.stderr.write(
        f"theater: {error}\n"
        "The server stops, because nothing it answered now could be relied on. Start it again: what "
        "was acknowledged is on disk.\n"
    )
    sys.stderr.flush()
    os._exit(1)
