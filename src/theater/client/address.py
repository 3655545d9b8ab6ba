"""Where a server is and how to convince it: both checked before anything is sent.

What is wrong with them would come to light as anything between an encoding error and a request
that somebody else reads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from theater.errors import UsageError

_HOST: Final = re.compile(r"[0-9A-Za-z._-]{1,253}|[0-9A-Fa-f:.]+(%[0-9A-Za-z._-]+)?")
_TOKEN: Final = re.compile(r"[ -~]+")


@dataclass(frozen=True, slots=True)
class Address:
    """A server's address; `port` None is its scheme's."""

    url: str
    secure: bool
    host: str
    port: int | None


def parse_address(text: str) -> Address:
    """Read `http://host:port`; UsageError for what is none, or has more than that."""
    wrong = UsageError(
        f"{text!r} is not the address of a server, as http://127.0.0.1:9000", code="address.invalid"
    )
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
        # A name in other letters goes over the wire in the form that IDNA gives it.
        ascii_host = (host or "").encode("idna").decode() if ":" not in (host or "") else host
    except ValueError:
        raise wrong from None
    more = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in ("http", "https") or not ascii_host or more or text != text.strip():
        raise wrong
    if not _HOST.fullmatch(ascii_host) or any(not c.isprintable() for c in text):
        raise wrong
    return Address(text.rstrip("/"), parts.scheme == "https", ascii_host, port)


def authorization(token: str | None) -> dict[str, str]:
    """Return the headers that carry a token; UsageError for one that no header can carry."""
    if token is None:
        return {}
    if not _TOKEN.fullmatch(token):
        raise UsageError(
            "the token has characters that no token has; copy it from the file `token` of the "
            "server's data directory",
            code="token.invalid",
        )
    return {"authorization": f"Bearer {token}"}
