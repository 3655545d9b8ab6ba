"""Every route of the API as data: what serves it, and what the OpenAPI document says of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from theater.protocol.actors import (
    ActorList,
    ActorView,
    ComponentReceipt,
    Health,
    RestartRequest,
    SendReceipt,
    ServerView,
    StartRequest,
    StopRequest,
    UpdateRequest,
)
from theater.protocol.history import (
    ActorEvent,
    EventLine,
    ImportView,
    LogLine,
    ReplayRequest,
    ReplayView,
    VerifyView,
)
from theater.protocol.messages import ChannelLine, DeliverRequest, UnhandledList
from theater.protocol.names import API, BYTES, EVENT_STREAM, JSON, JSON_LINES
from theater.server import channels, histories, management, unhandled
from theater.server.dispatch import Dispatch
from theater.server.exchange import Exchange

Serve = Callable[[Exchange, Dispatch], Awaitable[None]]
Content = Mapping[str, object]
"""What a body can be: content types with their shapes, bytes for raw ones."""

_RAW: Final = {BYTES: bytes}


def _json(shape: object) -> Content:
    return {JSON: shape}


@dataclass(frozen=True, slots=True)
class Route:
    """`serve` is None for routes that the edge serves before any routing.

    `query` are the query's fields with their meanings; `keyed` routes take an Idempotency-Key.
    """

    method: str
    path: str
    serve: Serve | None
    summary: str
    answers: Mapping[int, Content]
    body: Content | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    keyed: bool = False


_ACTOR = f"{API}/actors/{{actor}}"
_CHANNEL = f"{API}/channels/{{channel}}"
_MESSAGE = f"{API}/messages/{{message}}"
_PAGE = {
    "actor": "only those that were sent to it, also if it has ended",
    "after": "what `next` of the list before said",
    "limit": "at most so many, 1 to 1000; without it 100",
}
_FOLLOW = "true: live events after the history, until the actor ends"

ROUTES: Final = (
    Route("GET", "/healthz", None, "The process answers; needs no token", {200: _json(Health)}),
    Route("GET", "/readyz", None, "The node is open and takes requests", {200: _json(Health)}),
    Route("GET", f"{API}/openapi.json", None, "This document", {200: _json(object)}),
    Route("GET", API, management.about, "Who answers", {200: _json(ServerView)}),
    Route(
        "PUT",
        f"{API}/components/{{sha256}}",
        management.put_component,
        "Keep a component under its SHA-256",
        {200: _json(ComponentReceipt)},
        body=_RAW,
    ),
    Route(
        "HEAD",
        f"{API}/components/{{sha256}}",
        management.head_component,
        "Whether the server has a component",
        {200: {}, 404: {}},
    ),
    Route(
        "POST",
        f"{API}/actors",
        management.start,
        "Start an actor",
        {201: _json(ActorView)},
        body=_json(StartRequest),
        keyed=True,
    ),
    Route(
        "GET",
        f"{API}/actors",
        management.actors,
        "All living actors",
        {200: _json(ActorList)},
        query={"ended": "true: those that ended too", "parent": "only the children of this actor"},
    ),
    Route(
        "POST",
        f"{API}/imports",
        management.import_chain,
        "Keep a chain that comes as a file, to be looked at like an actor that ended",
        {200: _json(ImportView), 201: _json(ImportView)},
        body=_RAW,
        query={"actor": "the actor's id, where the chain doesn't say it any more"},
    ),
    Route("GET", _ACTOR, management.actor, "One actor", {200: _json(ActorView)}),
    Route(
        "GET",
        f"{_ACTOR}/state",
        management.state,
        "Its state as raw bytes; 204 if it has none",
        {200: _RAW, 204: {}},
        query={"at": "the state after the event with this seq"},
    ),
    Route(
        "GET",
        f"{_ACTOR}/events",
        histories.events,
        "Its events, oldest first",
        {200: {JSON_LINES: EventLine, EVENT_STREAM: EventLine}},
        query={
            "from": "the first seq",
            "limit": "at most so many events",
            "type": "a pattern with * and ?, as in theater:simple/store/*",
            "follow": _FOLLOW,
        },
    ),
    Route(
        "GET",
        f"{API}/events",
        histories.all_events,
        "The events of several actors, or of all that are and come",
        {200: {JSON_LINES: ActorEvent, EVENT_STREAM: ActorEvent}},
        query={
            "actor": "may be repeated; without it all actors, new ones too, in the order of commits",
            "from": "the first seq of each; now: what comes next",
            "cursor": "that of the last event that came, instead of `from`",
            "limit": "at most so many events",
            "type": "a pattern with * and ?, as in theater:simple/store/*",
            "follow": "true: live events after the history, until all of the actors have ended",
        },
    ),
    Route(
        "GET",
        f"{_ACTOR}/logs",
        histories.logs,
        "The lines of its log",
        {200: {JSON_LINES: LogLine, EVENT_STREAM: LogLine}},
        query={"from": "the first seq", "limit": "at most so many lines", "follow": _FOLLOW},
    ),
    Route(
        "POST",
        f"{_ACTOR}/send",
        None,
        "Send a message",
        {202: _json(SendReceipt)},
        body=_RAW,
        keyed=True,
    ),
    Route(
        "POST",
        f"{_ACTOR}/request",
        None,
        "Ask and wait for the answer; 422 if the actor answers with an error",
        {200: _RAW},
        body=_RAW,
        query={"timeout_ms": "how long to wait for the answer"},
        keyed=True,
    ),
    Route(
        "POST",
        f"{_ACTOR}/channel",
        None,
        "Open a channel and stream what comes on it; 422 if the actor refuses. "
        "The channel is closed when the stream is",
        {200: {JSON_LINES: ChannelLine, EVENT_STREAM: ChannelLine}},
        body=_RAW,
        query={"timeout_ms": "how long to wait until the actor accepts"},
    ),
    Route(
        "POST",
        _CHANNEL,
        None,
        "Send on a channel",
        {202: _json(SendReceipt)},
        body=_RAW,
        keyed=True,
    ),
    Route("DELETE", _CHANNEL, channels.close, "Close a channel", {204: {}}),
    Route(
        "GET",
        f"{API}/dead-letters",
        unhandled.dead_letters,
        "Messages that nobody handled, oldest first, each with the reason",
        {200: _json(UnhandledList)},
        query=_PAGE,
    ),
    Route(
        "GET",
        f"{API}/quarantine",
        unhandled.quarantine,
        "Messages that were set aside because calls with them ended badly, oldest first",
        {200: _json(UnhandledList)},
        query=_PAGE,
    ),
    Route(
        "GET",
        _MESSAGE,
        unhandled.body,
        "The body of a dead letter or a message in quarantine",
        {200: _RAW},
    ),
    Route(
        "POST",
        f"{_MESSAGE}/deliver",
        unhandled.deliver,
        "Deliver it again as a new message of the same sender; nobody waits for its answer",
        {202: _json(SendReceipt)},
        body=_json(DeliverRequest),
        keyed=True,
    ),
    Route("DELETE", _MESSAGE, unhandled.drop, "Forget it", {204: {}}),
    Route(
        "POST",
        f"{_ACTOR}/stop",
        management.stop,
        "Stop it",
        {200: _json(ActorView)},
        body=_json(StopRequest),
    ),
    Route(
        "POST",
        f"{_ACTOR}/pause",
        management.pause,
        "Have it take no messages after the call in hand",
        {200: _json(ActorView)},
    ),
    Route(
        "POST",
        f"{_ACTOR}/resume",
        management.resume,
        "Have it go on after a pause",
        {200: _json(ActorView)},
    ),
    Route(
        "POST",
        f"{_ACTOR}/restart",
        management.restart,
        "Begin anew with the same id, chain, mailbox and stores; 422 if its init fails",
        {200: _json(ActorView)},
        body=_json(RestartRequest),
        keyed=True,
    ),
    Route(
        "POST",
        f"{_ACTOR}/update",
        management.update,
        "Have it go on with another component that behaves alike; 409 with the difference if not",
        {200: _json(ActorView)},
        body=_json(UpdateRequest),
        keyed=True,
    ),
    Route(
        "GET",
        f"{_ACTOR}/wait",
        management.wait,
        "Wait until it ended; 504 if it still lives then",
        {200: _json(ActorView)},
        query={"timeout_ms": "how long to wait, at most 60000"},
    ),
    Route(
        "POST",
        f"{_ACTOR}/verify",
        management.verify,
        "Recompute its chain",
        {200: _json(VerifyView)},
    ),
    Route(
        "POST",
        f"{_ACTOR}/replay",
        management.replay,
        "Re-execute its chain, without any effect",
        {200: _json(ReplayView)},
        body=_json(ReplayRequest),
    ),
)
