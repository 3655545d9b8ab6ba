"""The hot routes: a message into an actor, and its answer out.

They are reached without a router and answer without a response object: what a message costs here
is paid for each one.
"""

from __future__ import annotations

from theater.errors import UsageError
from theater.limits import WAIT_MS_MAX
from theater.protocol.actors import SendReceipt
from theater.server.dispatch import Dispatch
from theater.server.exchange import Exchange


async def send(exchange: Exchange, dispatch: Dispatch, actor: str, bound: int) -> None:
    """Accept a message; 202 and its id once it is on disk."""
    exchange.query()
    body = await exchange.body(bound)
    message = await dispatch.send(actor, body, exchange.key(), exchange.trace())
    await exchange.answer_json(SendReceipt(message=message), 202)


async def request(exchange: Exchange, dispatch: Dispatch, actor: str, bound: int) -> None:
    """Ask an actor; its answer as raw bytes once it is on disk."""
    timeout_ms = timeout_of(exchange)
    body = await exchange.body(bound)
    answer = await dispatch.request(actor, body, exchange.key(), timeout_ms, exchange.trace())
    await exchange.answer(200, answer)


def timeout_of(exchange: Exchange) -> int | None:
    """Return the query's time-out, the only field that it may have, None without one."""
    text = exchange.query("timeout_ms").get("timeout_ms")
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) < 12 and 0 < int(text) <= WAIT_MS_MAX:
        return int(text)
    raise UsageError(f"timeout_ms is 1 to {WAIT_MS_MAX}", code="query.invalid")
