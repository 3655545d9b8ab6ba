"""The ASGI application: guard, hot routes, router, and the one place where errors become answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cached_property
from typing import Final, NoReturn

import msgspec
from starlette.exceptions import HTTPException
from starlette.routing import Route as PathRoute
from starlette.routing import Router

from theater.errors import JournalFailed, NotFound, TheaterError, UsageError
from theater.protocol.actors import Health
from theater.protocol.names import API
from theater.server import channels, messages, openapi
from theater.server.dispatch import Dispatch
from theater.server.exchange import JSON_HEAD, ClientGone, Exchange, Receive, Scope, Send
from theater.server.guard import Guard
from theater.server.routes import ROUTES, Serve

_ACTORS: Final = f"{API}/actors/"
_CHANNELS: Final = f"{API}/channels/"
_HOT: Final = {
    "send": messages.send,
    "request": messages.request,
    "channel": channels.open_channel,
}

logger = logging.getLogger("theater.server")


class App:
    """Serves one node. `journal_failed` ends the process: once storage failed nothing is answered."""

    def __init__(
        self,
        dispatch: Dispatch,
        guard: Guard,
        *,
        message_bytes: int,
        journal_failed: Callable[[BaseException], NoReturn],
    ) -> None:
        self._dispatch = dispatch
        self._guard = guard
        self._message_bytes = message_bytes
        self._journal_failed = journal_failed
        self._router = Router(
            [
                PathRoute(route.path, _Endpoint(route.serve, dispatch), methods=[route.method])
                for route in ROUTES
                if route.serve is not None
            ],
            redirect_slashes=False,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        try:
            await self._serve(exchange, receive, send)
        except TheaterError as error:
            if error.code == JournalFailed.code:
                self._journal_failed(error)
            await self._answer(exchange, error)
        except HTTPException as error:
            await self._answer(exchange, _routing_error(scope, error))
        except ClientGone:
            return
        except Exception:
            logger.exception("a request failed in a way that nobody foresaw")
            await self._answer(
                exchange, TheaterError("the server failed; its log says why", code="server.bug")
            )

    async def _serve(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        scope = exchange.scope
        path: str = scope["path"]
        method = scope["method"]
        self._guard.admit(exchange, open_to_all=path == "/healthz")
        if method == "POST" and path.startswith(_ACTORS):
            actor, _, verb = path[len(_ACTORS) :].partition("/")
            hot = _HOT.get(verb)
            if hot is not None and actor:
                await hot(exchange, self._dispatch, actor, self._message_bytes)
                return
        elif method == "POST" and path.startswith(_CHANNELS):
            channel = path[len(_CHANNELS) :]
            await channels.send(exchange, self._dispatch, channel, self._message_bytes)
            return
        elif method == "GET" and path in ("/healthz", "/readyz"):
            await exchange.answer_json(Health(status="ok"))
            return
        elif method == "GET" and path == f"{API}/openapi.json":
            await exchange.answer(200, self._document, JSON_HEAD)
            return
        scope["app"] = self
        scope["theater.exchange"] = exchange
        await self._router(scope, receive, send)

    async def _answer(self, exchange: Exchange, error: TheaterError) -> None:
        if exchange.started:
            # Half an answer is out; cutting the connection is the only way to say so.
            raise error
        await exchange.error(error)

    @cached_property
    def _document(self) -> bytes:
        return msgspec.json.encode(openapi.document())


class _Endpoint:
    """A management route as the router calls it."""

    def __init__(self, serve: Serve, dispatch: Dispatch) -> None:
        self._serve = serve
        self._dispatch = dispatch

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        await self._serve(scope["theater.exchange"], self._dispatch)


def _routing_error(scope: Scope, error: HTTPException) -> TheaterError:
    path = scope["path"]
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        return UsageError(
            f"{scope['method']} is not for {path}; allowed: {allowed}", code="http.method"
        )
    return NotFound(f"there is no {path} here; {API}/openapi.json lists what is", code="http.path")
