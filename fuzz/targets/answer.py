"""What a server that is not to be trusted answers a client: an error of the one tree, or a value."""

from __future__ import annotations

from typing import Any

from fuzz.take import Take
from theater.client import calls
from theater.client.following import behind_cursor, behind_seq
from theater.errors import TheaterError
from theater.protocol.actors import StartRequest

_CALLS: tuple[calls.Call[Any], ...] = (
    calls.about(),
    calls.start(StartRequest(manifest="", path="", component=""), None),
    calls.actors(True),
    calls.actor("a"),
    calls.send("a", b"", None),
    calls.wait("a", 1.0),
    calls.verify("a"),
    calls.replay("a", None),
    calls.state("a", None),
)
_STATUSES = (200, 201, 204, 400, 401, 404, 409, 413, 422, 500, 502, 503, 504, 999)


def one(data: bytes) -> None:
    take = Take(data)
    call = take.choice(_CALLS)
    status = take.choice(_STATUSES)
    body = take.rest()
    assert isinstance(calls.failure(status, body, "/path"), TheaterError)
    for read in (
        lambda: call.read(status, body),
        lambda: calls.line_of(body),
        lambda: behind_seq(body),
        lambda: behind_cursor(body),
    ):
        try:
            read()
        except TheaterError:
            pass
