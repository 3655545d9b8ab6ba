"""The server's application over a node that keeps nothing, for targets that speak to it.

Real actors, a real dispatch, a real event loop; only the socket is missing. A fresh one is made now
and then, so that what inputs have started does not pile up.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import tempfile
from collections.abc import Coroutine
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from theater.engine import wat
from theater.handlers.grant_types import GRANT_TYPES
from theater.journal.memory import MemoryJournal
from theater.manifest import parse
from theater.runtime.node import Node
from theater.runtime.settings import NodeSettings
from theater.server.app import App
from theater.server.dispatch import Dispatch
from theater.server.guard import Guard
from theater.server.settings import ServerSettings

ACTOR = "counter"
INPUTS_MAX = 2_000
INPUT_S = 0.3
_LOGGERS = ("theater", "uvicorn.error", "asyncio")
GUEST = Path(__file__).parent.parent / "guests" / "wat" / "counter.wat"
MANIFEST = 'name = "counter"\ncomponent = "counter.wasm"\n[[handler]]\ntype = "message-server"\n'


class Served(logging.Handler):
    """One node, its application, and the loop that both live in."""

    def __init__(self) -> None:
        super().__init__()
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            logger.addHandler(self)
            logger.propagate = False
        self.loop = asyncio.new_event_loop()
        self.failed: list[BaseException] = []
        self.loop.set_exception_handler(self._failed)
        self._inputs = 0
        settings = NodeSettings(cache_dir=_cache_dir(), workers=2)
        self.node = Node.over(MemoryJournal(), settings)
        self.component = self.node.add_component(_component())
        manifest = parse(MANIFEST, grant_types=GRANT_TYPES)
        self.node.start(manifest, component=self.component).result(60)
        self.node.request(self.actor, b"x").result(60)
        self.dispatch = Dispatch(self.node, self.loop, subscriptions=8)
        self.app = App(
            self.dispatch,
            Guard(ServerSettings(auth=False), 80, None),
            message_bytes=65_536,
            journal_failed=_journal_failed,
        )

    @property
    def actor(self) -> str:
        """The actor that every input finds."""
        return self.node.find(ACTOR)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run one input's coroutine to its end, or for as long as an input has."""

        async def bounded() -> None:
            try:
                async with asyncio.timeout(INPUT_S):
                    await work
            except TimeoutError:
                pass

        self.loop.run_until_complete(bounded())
        if self.failed:
            raise self.failed.pop()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what was logged as an error, but for the end of what an input left running."""
        error = record.exc_info[1] if record.exc_info else None
        if record.levelno >= logging.ERROR and not isinstance(error, asyncio.CancelledError):
            self.failed.append(error or AssertionError(record.getMessage()))

    def close(self) -> None:
        for name in _LOGGERS:
            logging.getLogger(name).removeHandler(self)
        self.dispatch.close()
        self.node.close()
        self.loop.close()
        super().close()

    def _failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.failed.append(error or AssertionError(context.get("message")))


_open: list[Served] = []


def served() -> Served:
    """The server of now."""
    if _open and _open[0]._inputs >= INPUTS_MAX:
        _open.pop().close()
    if not _open:
        _open.append(Served())
    _open[0]._inputs += 1
    return _open[0]


@atexit.register
def _close() -> None:
    while _open:
        _open.pop().close()


@cache
def _component() -> bytes:
    return wat(GUEST.read_text())


@cache
def _cache_dir() -> Path:
    return Path(tempfile.gettempdir()) / "theater-fuzz-components"


def _journal_failed(error: BaseException) -> NoReturn:
    raise AssertionError("an input made the journal fail") from error
