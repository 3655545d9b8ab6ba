"""Routes that look after actors: components, starting, stopping, looking, proving."""

from __future__ import annotations

import re

from theater import __version__
from theater.errors import UsageError
from theater.limits import (
    CLIENT_WAIT_MS_MAX,
    COMPONENT_BYTES_MAX,
    IMPORT_BYTES_MAX,
    MIB,
    START_BODY_BYTES_MAX,
)
from theater.protocol.actors import (
    ActorList,
    ComponentReceipt,
    RestartRequest,
    ServerView,
    StartRequest,
    StopRequest,
    UpdateRequest,
)
from theater.protocol.history import ReplayRequest
from theater.server.dispatch import Dispatch, flag_of, seq_of
from theater.server.exchange import BYTES_HEAD, Exchange

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SMALL = 1 * MIB


async def about(exchange: Exchange, _dispatch: Dispatch) -> None:
    """Who answers."""
    await exchange.answer_json(ServerView(name="theater", version=__version__, api=1))


async def put_component(exchange: Exchange, dispatch: Dispatch) -> None:
    """Keep a component under its SHA-256, which is checked; 200 also if it is there already."""
    named = _sha256(exchange)
    if await dispatch.has_component(named):
        await exchange.body(COMPONENT_BYTES_MAX)
        await exchange.answer_json(ComponentReceipt(sha256=named))
        return
    wasm = await exchange.body(COMPONENT_BYTES_MAX)
    await exchange.answer_json(ComponentReceipt(sha256=await dispatch.add_component(wasm, named)))


async def head_component(exchange: Exchange, dispatch: Dispatch) -> None:
    """Whether the server has a component: 200 or 404, without a body."""
    known = await dispatch.has_component(_sha256(exchange))
    await exchange.answer(200 if known else 404, b"")


async def start(exchange: Exchange, dispatch: Dispatch) -> None:
    """Start an actor; 201 once its `actor-start` is on disk."""
    key = exchange.key()
    wanted = await exchange.read(StartRequest, START_BODY_BYTES_MAX)
    await exchange.answer_json(await dispatch.start(wanted, key), 201)


async def actors(exchange: Exchange, dispatch: Dispatch) -> None:
    """All living actors, or the children of `parent`; with `ended=true` the others too."""
    query = exchange.query("ended", "parent")
    ended = flag_of(query.get("ended", "false"), "ended")
    found = await dispatch.actors(ended=ended, parent=query.get("parent"))
    await exchange.answer_json(ActorList(actors=found))


async def actor(exchange: Exchange, dispatch: Dispatch) -> None:
    """One actor, by id, unique prefix or name."""
    exchange.query()
    await exchange.answer_json(await dispatch.actor(exchange.path("actor")))


async def state(exchange: Exchange, dispatch: Dispatch) -> None:
    """The state as raw bytes, now or after event `at`; 204 for an actor without one."""
    at = exchange.query("at").get("at")
    found = await dispatch.state(exchange.path("actor"), None if at is None else seq_of(at, "at"))
    if found is None:
        await exchange.answer(204, b"", ())
    else:
        await exchange.answer(200, found, BYTES_HEAD)


async def stop(exchange: Exchange, dispatch: Dispatch) -> None:
    """Stop an actor; answers once it has."""
    wanted = await exchange.read(StopRequest, _SMALL)
    await exchange.answer_json(await dispatch.stop(exchange.path("actor"), force=wanted.force))


async def pause(exchange: Exchange, dispatch: Dispatch) -> None:
    """Pause an actor; answers once its call in hand is done."""
    await exchange.answer_json(await dispatch.pause(exchange.path("actor")))


async def resume(exchange: Exchange, dispatch: Dispatch) -> None:
    """Have a paused actor go on."""
    await exchange.answer_json(await dispatch.resume(exchange.path("actor")))


async def restart(exchange: Exchange, dispatch: Dispatch) -> None:
    """Restart an actor; answers once it runs again."""
    key = exchange.key()
    wanted = await exchange.read(RestartRequest, _SMALL)
    found = await dispatch.restart(exchange.path("actor"), keep_state=wanted.keep_state, key=key)
    await exchange.answer_json(found)


async def update(exchange: Exchange, dispatch: Dispatch) -> None:
    """Have an actor go on with another component; answers once it does."""
    key = exchange.key()
    wanted = await exchange.read(UpdateRequest, _SMALL)
    found = await dispatch.update(
        exchange.path("actor"), component=wanted.component, force=wanted.force, key=key
    )
    await exchange.answer_json(found)


async def wait(exchange: Exchange, dispatch: Dispatch) -> None:
    """Wait until an actor ended, at most `timeout_ms`; 504 if it still lives then."""
    text = exchange.query("timeout_ms").get("timeout_ms", str(CLIENT_WAIT_MS_MAX))
    timeout_ms = seq_of(text, "timeout_ms")
    if timeout_ms > CLIENT_WAIT_MS_MAX:
        raise UsageError(
            f"one request waits at most {CLIENT_WAIT_MS_MAX} ms; ask again to wait longer",
            code="query.invalid",
        )
    await exchange.answer_json(await dispatch.wait(exchange.path("actor"), timeout_ms / 1000))


async def import_chain(exchange: Exchange, dispatch: Dispatch) -> None:
    """Keep a chain that comes as a file of any form; 201 if anything of it was new, else 200."""
    actor = exchange.query("actor").get("actor")
    found = await dispatch.import_chain(exchange.pieces(IMPORT_BYTES_MAX), actor)
    await exchange.answer_json(found, 200 if found.outcome == "known" else 201)


async def verify(exchange: Exchange, dispatch: Dispatch) -> None:
    """Recompute the chain; 200 with the report, whatever it says."""
    await exchange.answer_json(await dispatch.verify(exchange.path("actor")))


async def replay(exchange: Exchange, dispatch: Dispatch) -> None:
    """Re-execute the chain without any effect; 200 with the report, whatever it says."""
    wanted = await exchange.read(ReplayRequest, _SMALL)
    await exchange.answer_json(await dispatch.replay(exchange.path("actor"), wanted.until))


def _sha256(exchange: Exchange) -> str:
    named = exchange.path("sha256")
    if not _SHA256.fullmatch(named):
        raise UsageError("a SHA-256 is 64 lower-case hexadecimal digits", code="digest.invalid")
    return named
