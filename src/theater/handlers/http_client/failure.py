"""What can go wrong with a request, as the guest is told: `code: text`.

permission.denied   the grant, or a rule of the host, forbids it; nothing was sent
http.request        it can't be made: a malformed URL, method or header; nothing was sent
http.connect        no connection to the server; nothing was sent
http.tls            no trusted connection to the server; nothing was sent
http.timeout        the time of the grant is over
http.too_large      the request or the response is above its bound
http.protocol       what the server sent is not a whole HTTP response
http.redirects      more redirects than the grant has
http.cancelled      the actor was killed meanwhile
interrupted         the node stopped meanwhile; the request may or may not have been carried out
"""

from __future__ import annotations

from theater.values.types import Err


class Failure(Exception):
    """The end of a request without a response."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code

    def as_error(self) -> Err:
        """The value that the guest gets."""
        return Err(str(self))


def denied(text: str) -> Failure:
    """What the grant or a rule of the host forbids."""
    return Failure("permission.denied", text)


def malformed(text: str) -> Failure:
    """A request that can't be made."""
    return Failure("http.request", text)
