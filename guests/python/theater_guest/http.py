"""Requests to other servers: `theater:simple/http-client`.

Redirects, time-outs and headers with secrets are the host's business; they stand in the manifest.
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from theater_guest import interfaces
from theater_guest.errors import HostError


@dataclass(frozen=True)
class Response:
    """A server's answer."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status < 400

    @property
    def text(self) -> str:
        """The body as UTF-8, with replacement characters for what isn't."""
        return self.body.decode("utf-8", "replace")

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case; None if there is none."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def json(self) -> Any:
        """The body, read as JSON. Raises ValueError."""
        return jsonlib.loads(self.body)

    def raise_for_status(self) -> Response:
        """The response itself; raises StatusError if its status is 400 or above."""
        if not self.ok:
            raise StatusError(self)
        return self


class StatusError(Exception):
    """A status of 400 or above; the text has the beginning of the body."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"HTTP {response.status}: {response.text[:200]}")
        self.response = response


def request(
    method: str,
    url: str,
    *,
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    json: Any = None,
    data: bytes | None = None,
) -> Response:
    """Make a request; `json` or `data` is its body.

    Raises HostError: `permission.denied` for what the manifest doesn't allow, `interrupted` for a
    request that a crash of the node cut off and that its policy does not repeat.
    """
    if json is not None and data is not None:
        raise TypeError("a request has `json` or `data`, not both")
    lines = list((headers or {}).items())
    if json is not None:
        data = jsonlib.dumps(json, ensure_ascii=False, allow_nan=False).encode()
        if not any(name.lower() == "content-type" for name, _ in lines):
            lines.append(("Content-Type", "application/json"))
    if params:
        url += ("&" if "?" in url else "?") + urlencode(params)
    wire = interfaces.http_types.HttpRequest(
        method=method.upper(), uri=url, headers=lines, body=data
    )
    try:
        answer = interfaces.http_client.send_http(wire)
    except interfaces.Err as error:
        raise HostError(error.value) from None
    return Response(answer.status, list(answer.headers), answer.body or b"")


def get(
    url: str,
    *,
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """`request("GET", …)`."""
    return request("GET", url, params=params, headers=headers)


def post(
    url: str,
    *,
    json: Any = None,
    data: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """`request("POST", …)`."""
    return request("POST", url, json=json, data=data, headers=headers)


def put(
    url: str,
    *,
    json: Any = None,
    data: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """`request("PUT", …)`."""
    return request("PUT", url, json=json, data=data, headers=headers)


def delete(url: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """`request("DELETE", …)`."""
    return request("DELETE", url, headers=headers)
