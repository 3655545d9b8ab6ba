"""Routes for what nobody handled: dead letters and the quarantine."""

from __future__ import annotations

from theater.errors import UsageError
from theater.journal.records import UnhandledState
from theater.limits import MIB, UNHANDLED_PAGE, UNHANDLED_PAGE_MAX
from theater.protocol.actors import SendReceipt
from theater.protocol.messages import DeliverRequest
from theater.server.dispatch import Dispatch, seq_of
from theater.server.exchange import BYTES_HEAD, Exchange

_SMALL = 1 * MIB


async def dead_letters(exchange: Exchange, dispatch: Dispatch) -> None:
    """The dead letters, oldest first, of all actors or one."""
    await _list(exchange, dispatch, "dead")


async def quarantine(exchange: Exchange, dispatch: Dispatch) -> None:
    """The messages that were set aside, oldest first, of all actors or one."""
    await _list(exchange, dispatch, "aside")


async def _list(exchange: Exchange, dispatch: Dispatch, state: UnhandledState) -> None:
    query = exchange.query("actor", "after", "limit")
    after = seq_of(query.get("after", "0"), "after")
    limit = seq_of(query.get("limit", str(UNHANDLED_PAGE)), "limit")
    if not 1 <= limit <= UNHANDLED_PAGE_MAX:
        raise UsageError(f"limit is 1 to {UNHANDLED_PAGE_MAX}", code="query.invalid")
    await exchange.answer_json(await dispatch.unhandled(state, query.get("actor"), after, limit))


async def body(exchange: Exchange, dispatch: Dispatch) -> None:
    """The whole body of an unhandled message as raw bytes."""
    exchange.query()
    await exchange.answer(200, await dispatch.unhandled_body(exchange.path("message")), BYTES_HEAD)


async def deliver(exchange: Exchange, dispatch: Dispatch) -> None:
    """Deliver a message again; 202 and the new message's id once it is on disk."""
    exchange.query()
    key = exchange.key()
    wanted = await exchange.read(DeliverRequest, _SMALL)
    sent = await dispatch.deliver(exchange.path("message"), wanted.to, key)
    await exchange.answer_json(SendReceipt(message=sent), 202)


async def drop(exchange: Exchange, dispatch: Dispatch) -> None:
    """Forget a message; 204 once that is on disk."""
    exchange.query()
    await dispatch.drop(exchange.path("message"))
    await exchange.answer(204, b"", ())
