"""Requests as the application gets them: an answer with a status that blames nobody but the client.

An input is a request line, header lines, an empty line, a body; `@actor` and `@component` stand for
those that are there.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import unquote

from fuzz.server import Served, served


def one(data: bytes) -> None:
    there = served()
    scope, body = _scope(there, data)
    answer = _Answer(body)
    there.run(there.app(scope, answer.receive, answer.send))
    assert answer.status != 500, answer.body
    assert answer.status is None or 200 <= answer.status < 600
    assert b"server.bug" not in answer.body


class _Answer:
    """The other end of one exchange: gives the body, then is gone; keeps what it is told."""

    def __init__(self, body: bytes) -> None:
        self._pieces = [body[: len(body) // 2], body[len(body) // 2 :]]
        self.status: int | None = None
        self.body = b""

    async def receive(self) -> MutableMapping[str, Any]:
        if not self._pieces:
            return {"type": "http.disconnect"}
        piece = self._pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self._pieces)}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert self.status is None
            self.status = message["status"]
        else:
            self.body = (self.body + message.get("body", b""))[-65_536:]


def _scope(there: Served, data: bytes) -> tuple[dict[str, Any], bytes]:
    for known, text in (("@actor", there.actor), ("@component", there.component)):
        data = data.replace(known.encode(), text.encode())
    top, _, body = data.partition(b"\n\n")
    first, *lines = top.split(b"\n")
    method, _, target = first.partition(b" ")
    raw, _, query = target.partition(b"?")
    headers = [(b"host", b"localhost")]
    for line in lines[:50]:
        name, _, value = line.partition(b":")
        # The parser of HTTP lets nothing else through.
        if name.strip() and name.lower() not in (b"host", b"content-length"):
            headers.append((name.strip().lower(), value.strip()))
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method.decode("latin-1"),
        "path": unquote(raw.decode("latin-1")),
        "raw_path": raw,
        "query_string": query.partition(b"#")[0],
        "root_path": "",
        "headers": headers,
    }, body
