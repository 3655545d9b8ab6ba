"""Headers that the host adds to requests, and secrets that no guest may see.

A response is looked through for the very bytes of the secrets that its request carried. A server that
sends them back in another form (compressed, reversed) would get them past this: so a request with a
secret asks for no compression, and an answer compressed nevertheless is not taken. The server that
a secret is granted to is trusted with it; this keeps accidents from the record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from theater.handlers.http_client.failure import denied
from theater.handlers.http_client.grant import VALUE, HttpClientGrant, secret_in

WORD_BYTES_MIN: Final = 8
"""A word of a secret ("Bearer sk-…") that is at least as long is replaced on its own, too."""


@dataclass(frozen=True, slots=True)
class Added:
    """The headers of a grant with its secrets in place, and the bytes that are to be replaced."""

    headers: tuple[tuple[str, str], ...]
    hidden: tuple[bytes, ...]

    @property
    def carries_secret(self) -> bool:
        """Whether one of the headers has a secret in it."""
        return bool(self.headers and self.hidden)

    def without_headers(self) -> Added:
        """What is left at another origin: only what is to be hidden."""
        return Added((), self.hidden)

    def hide(self, data: bytes) -> bytes:
        """The data with asterisks, as many as it has bytes, for every secret."""
        for secret in self.hidden:
            data = data.replace(secret, b"*" * len(secret))
        return data


def resolve(grant: HttpClientGrant, secrets: Mapping[str, str]) -> Added:
    """The headers that a grant adds. Raises Failure if the node does not have one of its secrets."""
    headers: list[tuple[str, str]] = []
    hidden: set[bytes] = set()
    for name, template in grant.headers:
        wanted = secret_in(template)
        if wanted is None:
            headers.append((name, template))
            continue
        secret = secrets.get(wanted, "").strip()
        if not secret:
            raise denied(f"the node has no secret {wanted}")
        if not VALUE.fullmatch(secret):
            raise denied(f"the secret {wanted} has characters that a header can't have")
        headers.append((name, template.removesuffix(f"secret:{wanted}") + secret))
        encoded = secret.encode("latin-1")
        hidden.add(encoded)
        hidden.update(word for word in encoded.split() if len(word) >= WORD_BYTES_MIN)
    # The longest first: one secret may be part of another.
    return Added(tuple(headers), tuple(sorted(hidden, key=len, reverse=True)))
